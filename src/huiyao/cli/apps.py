"""`huiyao app`: the programs that may call the Open API, their secrets and grants."""

from typing import TYPE_CHECKING, Annotated

import typer

from huiyao.cli import callbacks, options
from huiyao.cli.lazily import lazily
from huiyao.model import App, Grant

if TYPE_CHECKING:
    from rich import table

    from huiyao.service import operate
    from huiyao.service.keyring import Keyring
    from huiyao.storage.contract import Storage
else:
    operate = lazily("huiyao.service.operate")
    table = lazily("rich.table")

group = typer.Typer(no_args_is_help=True, help="Apps: programs that call the Open API.")

_GRANTS = ", ".join(one.value for one in Grant)
Callback = Annotated[str | None, typer.Option(metavar="URL", help="Where the app's events are to be sent.")]
CallbackStyle = Annotated[
    str | None,
    typer.Option(
        metavar="STYLE", help="How they are signed: platform (the open platform's way) or standard."
    ),
]


@group.command("add")
def add(
    *,
    name: Annotated[str, typer.Option(help="The app's name.")],
    org: Annotated[
        str,
        typer.Option(metavar="ORG_ID,…", help="The organisations it may act in; the first is its default."),
    ],
    app_id: Annotated[
        int | None, typer.Option(metavar="N", help="Its appId; chosen for you if absent.")
    ] = None,
    secret_file: options.SecretFile = None,
    callback: Callback = None,
    callback_style: CallbackStyle = None,
    json: options.Json = False,
    database: options.Database = None,
) -> None:
    """Add an app. Its appSecret, and that of its callback, is shown now and never again."""
    orgs = options.org_ids(org)
    secret = options.read_secret(secret_file)
    found = options.settings(database_url=database)
    how = callbacks.Wanted(url=callback, style=callback_style)

    async def work(storage: "Storage", keyring: "Keyring") -> tuple[App, str, str | None]:
        await callbacks.check(how, found)
        app, fresh = await operate.add_app(
            storage, keyring, name=name, orgs=orgs, app_id=app_id, secret=secret
        )
        return app, fresh, await callbacks.set_up(storage, keyring, app.id, how, found)

    app, secret, signing = options.with_keys(found, work)
    _print_secret(app.id, secret, json=json, callback=signing)


@group.command("list")
def show(*, json: options.Json = False, database: options.Database = None) -> None:
    """List the apps, without their secrets."""
    apps = options.with_storage(options.settings(database_url=database), lambda storage: storage.apps())
    if json:
        options.print_json([_facts(app) for app in apps])
        return
    shown = table.Table("APP_ID", "NAME", "ORGANISATIONS", "DEFAULT", "GRANTS", "LIMITS", "STATE", box=None)
    for app in apps:
        state = "disabled" if app.disabled else "enabled"
        orgs = ",".join(map(str, app.orgs))
        grants = ",".join(sorted(app.grants)) or "-"
        shown.add_row(str(app.id), app.name, orgs, str(app.default_org or "-"), grants, _limits(app), state)
    options.print_table(shown)


@group.command("set")
def change(
    app_id: options.AppId,
    *,
    name: Annotated[str | None, typer.Option(help="A new name.")] = None,
    org: Annotated[
        str | None, typer.Option(metavar="ORG_ID,…", help="All organisations it may act in from now on.")
    ] = None,
    default_org: Annotated[
        int | None, typer.Option(metavar="ORG_ID", help="The organisation of calls that name none.")
    ] = None,
    callback: Callback = None,
    callback_style: CallbackStyle = None,
    rotate_callback: Annotated[
        bool,
        typer.Option(
            "--rotate-callback",
            help="Sign its events with a new secret; the one before stays good for a day.",
        ),
    ] = False,
    grant: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help=f"Give it an API permission: {_GRANTS}. May be repeated."),
    ] = None,
    ungrant: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Take an API permission away. May be repeated."),
    ] = None,
    ip: Annotated[
        list[str] | None,
        typer.Option(metavar="NETWORK", help="All it may call from: addresses, networks. May be repeated."),
    ] = None,
    no_ip: Annotated[bool, typer.Option("--no-ip", help="Let it call from anywhere.")] = False,
    api: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="All usual calls it may make. May be repeated."),
    ] = None,
    no_api: Annotated[bool, typer.Option("--no-api", help="Let it make every usual call.")] = False,
    rate: Annotated[
        int | None,
        typer.Option(metavar="N", help="Calls of one kind a second, of one process; 0: as the settings say."),
    ] = None,
    quota: Annotated[
        int | None,
        typer.Option(metavar="N", help="Calls a day (UTC), all processes together; 0: any number."),
    ] = None,
    json: options.Json = False,
    database: options.Database = None,
) -> None:
    """Change an app; what you do not name stays as it is. An empty --callback removes it.

    A new secret by which its events are signed is shown now and never again.
    """
    orgs = None if org is None else options.org_ids(org)
    found = options.settings(database_url=database)
    how = callbacks.Wanted(url=callback, style=callback_style, rotate=rotate_callback)

    async def work(storage: "Storage") -> str | None:
        await callbacks.check(how, found)
        await operate.set_app(
            storage,
            app_id,
            name=name,
            orgs=orgs,
            default_org=default_org,
            grant=grant or (),
            ungrant=ungrant or (),
            ip_list=_list("--ip", ip, nothing=no_ip),
            api_list=_list("--api", api, nothing=no_api),
            rate=rate,
            quota=quota,
        )
        return await callbacks.set_up_with(storage, app_id, how, found)

    secret = options.with_storage(found, work)
    if json:
        options.print_json({"app_id": app_id} | ({"callback_secret": secret} if secret else {}))
        return
    print(f"App {app_id} changed.")
    if secret:
        print(f"callback secret  {secret}")


@group.command("disable")
def disable(
    app_id: options.AppId,
    *,
    undo: Annotated[bool, typer.Option("--undo", help="Enable it again.")] = False,
    database: options.Database = None,
) -> None:
    """Refuse an app's secret and tokens, on every node within seconds."""
    options.with_storage(
        options.settings(database_url=database),
        lambda storage: operate.disable_app(storage, app_id, disabled=not undo),
    )
    print(f"App {app_id} {'enabled' if undo else 'disabled'}.")


@group.command("rotate")
def rotate(
    app_id: options.AppId,
    *,
    revoke: Annotated[bool, typer.Option("--revoke", help="Refuse the tokens it has, too.")] = False,
    secret_file: options.SecretFile = None,
    json: options.Json = False,
    database: options.Database = None,
) -> None:
    """Give an app a new appSecret, shown now and never again; the old one is refused at once."""
    secret = options.read_secret(secret_file)
    fresh = options.with_keys(
        options.settings(database_url=database),
        lambda storage, keyring: operate.rotate_secret(
            storage, keyring, app_id, secret=secret, revoke=revoke
        ),
    )
    _print_secret(app_id, fresh, json=json)


def _list(option: str, given: list[str] | None, *, nothing: bool) -> list[str] | None:
    """What was named, by commas too; None where neither it nor its absence was."""
    if given and nothing:
        raise typer.BadParameter(f"{option} and --no-{option.removeprefix('--')} exclude each other")
    if nothing:
        return []
    return [part for one in given for part in one.split(",")] if given else None


def _limits(app: App) -> str:
    """What keeps the app from calling as it likes, in short; --json says the rest."""
    found = []
    if app.ip_list:
        found.append(f"{len(app.ip_list)} IP")
    if app.api_list:
        found.append(f"{len(app.api_list)} API")
    if app.rate:
        found.append(f"{app.rate}/s")
    if app.quota:
        found.append(f"{app.quota}/day")
    return ",".join(found) or "-"


def _print_secret(app_id: int, secret: str, *, json: bool, callback: str | None = None) -> None:
    if json:
        signing = {"callback_secret": callback} if callback else {}
        options.print_json({"app_id": app_id, "app_secret": secret} | signing)
        return
    print(f"appId      {app_id}\nappSecret  {secret}")
    if callback:
        print(f"callback secret  {callback}")


def _facts(app: App) -> dict[str, object]:
    return {
        "app_id": app.id,
        "name": app.name,
        "orgs": app.orgs,
        "default_org": app.default_org,
        "disabled": app.disabled,
        "callback_url": app.callback_url,
        "callback_style": app.callback.style if app.callback else None,
        "callback_gone_at": app.callback.gone_at if app.callback else None,
        "grants": sorted(app.grants),
        "ip_list": app.ip_list,
        "api_list": sorted(app.api_list),
        "rate": app.rate,
        "quota": app.quota,
    }
