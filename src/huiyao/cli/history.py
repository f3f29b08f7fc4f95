"""`huiyao history`: who changed what of a meeting, when, and through which app."""

from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from huiyao.cli import options
from huiyao.cli.lazily import lazily
from huiyao.model import Entry, MsgStatus

if TYPE_CHECKING:
    from huiyao.service import history as histories
    from huiyao.service.history import Difference
else:
    histories = lazily("huiyao.service.history")


def history(
    meeting_id: Annotated[int, typer.Argument(metavar="MEETING_ID", help="The meeting's id.")],
    *,
    org: Annotated[int, typer.Option(metavar="ORG_ID", help="The organisation.")],
    json: options.Json = False,
    database: options.Database = None,
) -> None:
    """Show who changed what of a meeting, when and through which app: a line for each change, the oldest first.

    "-" in the app's place: by text or personal link, or by Huiyao itself.
    """
    found = options.with_storage(
        options.settings(database_url=database), lambda storage: histories.entries(storage, org, meeting_id)
    )
    if json:
        options.print_json([_facts(one) for one in found])
        return
    for one in found:
        changed = "; ".join(map(_changed, histories.differences(one)))
        app = "-" if one.app_id is None else f"app {one.app_id}"
        print(f"{options.moment(one.at)}  {one.kind:9}  {one.actor_uid or '-'}  {app}  {changed}".rstrip())


def _facts(one: Entry) -> dict[str, object]:
    return {
        "id": one.id,
        "at": one.at,
        "kind": one.kind,
        "uid": one.actor_uid,
        "app_id": one.app_id,
        "change": msgspec.json.decode(one.change),
    }


def _changed(one: "Difference") -> str:
    if one.field in histories.UIDS:
        return f"{one.field} {', '.join(one.new)}"
    return f"{one.field} {_value(one.field, one.old)} → {_value(one.field, one.new)}"


def _value(field: str, value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int):
        if field == "msg_status":
            return MsgStatus(value).name.lower()
        return options.moment(value) if field.endswith("_at") or field == "create_time" else str(value)
    # What is not printable could end the line, or turn around what stands behind it.
    return '"' + "".join(one if one.isprintable() else f"\\u{ord(one):04x}" for one in str(value)) + '"'
