"""The examples of the API reference, in the order in which each page plays them on a stage of its own.

The scripts stand on the page to the letter; `reference` writes beside them what the server answers.
"""

import json
from typing import Any, Final

import msgspec

from tests.api.world import HOUR, NOW

BEGIN: Final = NOW + 49 * HOUR  # 2026-11-26 15:00 in Shanghai
KNOWN: Final = (("u1001", "王芳"), ("u1002", "李强"), ("u1003", "张敏"))


class Scene(msgspec.Struct, frozen=True):
    """An example of a call; `call` is its name in the table, or "" for what only leads to the next."""

    call: str
    script: str


def detail(**changes: Any) -> dict[str, Any]:
    whole = {
        "createTime": NOW,
        "content": "季度预算",
        "address": "三楼会议室",
        "beginTime": BEGIN,
        "endTime": BEGIN + HOUR,
        "remindMin": 15,
        "remindType": 0,
        "members": [{"uid": uid, "name": name} for uid, name in KNOWN[1:]],
    } | changes
    return {key: value for key, value in whole.items() if value is not ...}


def post(name: str, body: object, *headers: str, token: str = "$TOKEN") -> str:
    """A call of the first generation as a curl command."""
    lines = [f'curl "$HUIYAO/workbench/meetinginvite/{name}" -H "accessToken: {token}"']
    lines += [f"-H '{header}'" for header in headers]
    return " \\\n  ".join([*lines, f"-d '{laid_out(body)}'"])


def later(method: str, path: str, body: object = None, *headers: str) -> str:
    """A call of the later generation as a curl command."""
    lines = [f'curl{" -X POST" if method == "POST" and body is None else ""} "$HUIYAO/meeting/{path}"']
    lines.append('-H "accessToken: $TOKEN" ' + " ".join(f"-H '{header}'" for header in headers))
    return " \\\n  ".join([*lines, *([f"-d '{laid_out(body)}'"] if body is not None else [])])


def laid_out(value: object, indent: int = 0, width: int = 88) -> str:
    """JSON in as few lines as fit: whole where it fits into one, else an entry a line."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(flat) + indent <= width or not isinstance(value, (dict, list)):
        return flat
    inner = indent + 2
    if isinstance(value, dict):
        entries = [
            f"{json.dumps(key, ensure_ascii=False)}: {laid_out(one, inner, width)}"
            for key, one in value.items()
        ]
        opening, closing = "{", "}"
    else:
        entries = [laid_out(one, inner, width) for one in value]
        opening, closing = "[", "]"
    lines = f",\n{' ' * inner}".join(entries)
    return f"{opening}\n{' ' * inner}{lines}\n{' ' * indent}{closing}"


def one(uid: str, **more: Any) -> dict[str, Any]:
    return {"requesterUid": uid, "meetingInviteId": 1, **more}


def creation(**changes: Any) -> dict[str, Any]:
    return {"requesterUid": "u1001", "requesterName": "王芳", "detail": detail(**changes)}


WORKBENCH: Final = "workbench/meetinginvite/"
CREATE: Final = Scene("", post("create", creation()))

TOKEN: Final = (
    Scene("token/get", 'curl "$HUIYAO/token/get?flags=0" -H "appId: $APP_ID" -H "appSecret: $APP_SECRET"'),
)

ORGANISING: Final = tuple(
    Scene(WORKBENCH + name, script)
    for name, script in (
        ("create", post("create", creation(), "Idempotency-Key: budget-2026-q4")),
        ("detail", post("detail", one("u1001"))),
        ("update", post("update", one("u1001", sequence=0, detail=detail(address="五楼会议室")))),
        ("read", post("read", one("u1002"))),
        ("respond", post("respond", one("u1002", msgStatus=2, reply="准时到", sequence=1))),
        ("remind", post("remind", one("u1002", remind=False))),
        ("remindagain", post("remindagain", one("u1001"))),
        ("delete", post("delete", one("u1003"))),
        ("cancel", post("cancel", one("u1001"))),
    )
)

PERSONAL: Final = (
    CREATE,
    Scene("", post("respond", one("u1002", msgStatus=2, reply="准时到"))),
    *(
        Scene(WORKBENCH + name, script)
        for name, script in (
            ("list", post("list", {"requesterUid": "u1002", "role": "invited", "size": 20})),
            ("inbox", post("inbox", {"requesterUid": "u1002", "size": 20})),
            ("inboxread", post("inboxread", {"requesterUid": "u1002", "messageId": 1001})),
            (
                "freebusy",
                post(
                    "freebusy",
                    {
                        "requesterUid": "u1001",
                        "uids": ["u1002", "u1003"],
                        "beginTime": BEGIN - 7 * HOUR,
                        "endTime": BEGIN + 3 * HOUR,
                    },
                ),
            ),
            ("changes", post("changes", {"requesterUid": "u1001", "size": 200})),
            ("ticket", post("ticket", {"requesterUid": "u1002"})),
        )
    ),
)

_BODY: Final = detail(createTime=..., members=[{"uid": uid, "name": name} for uid, name in KNOWN[1:]])
_ME: Final = "uid: u1001"
MEETING: Final = tuple(
    Scene(f"meeting/{name}", script)
    for name, script in (
        ("create", later("POST", "create", _BODY, _ME, "name: Wang Fang")),
        ("detail", later("GET", "detail?meetingId=1", None, _ME)),
        ("update", later("POST", "update?meetingId=1", _BODY | {"address": "五楼会议室"}, _ME)),
        ("delete", later("POST", "delete?meetingId=1", None, "uid: u1002")),
        ("cancel", later("POST", "cancel?meetingId=1", None, _ME)),
    )
)
