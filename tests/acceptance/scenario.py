"""One story told through the API; its answers must be the same whatever runs behind it."""

import re
from typing import Any

from tests.acceptance.process import Client, detail, eventually

Answers = list[tuple[str, Any]]

# What legitimately differs from one run to the next.
VARYING = {"meetingInviteId", "messageId", "nextCursor", "createTime", "meetingId"}


def play(client: Client) -> Answers:
    """The answers, in order, with what varies replaced."""
    answers: Answers = []

    def call(name: str, uid: str, **fields: Any) -> dict[str, Any]:
        answer = client.call(name, uid, **fields)
        answers.append((f"{name} {uid}", settled(answer)))
        return answer

    def told(uid: str, *kinds: str) -> None:
        """Wait until that is the whole inbox, then note it."""
        eventually(
            lambda: [kind for _, kind in client.inbox(uid)] == list(kinds) or None,
            what=f"{kinds} in the inbox of {uid}, instead of {client.inbox(uid)},",
        )
        call("inbox", uid)

    made = call("create", "u1", requesterName="王芳", detail=detail("u2", "u3", "u4"))
    one = {"meetingInviteId": made["data"]["meetingInviteId"]}
    told("u2", "invited")
    told("u4", "invited")
    call("detail", "u1", **one)
    call("detail", "u9", **one)
    call("read", "u2", **one)
    call("respond", "u2", **one, msgStatus=2, reply="好的，准时到")
    call("respond", "u3", **one, msgStatus="3")
    call("remind", "u2", **one, remind=False)
    call("cancel", "u2", **one)
    call("detail", "u2", **one)
    moved = detail("u2", "u3", "u5", beginTime=4_000_000_060_000, address="")
    call("update", "u1", **one, requesterName="王芳", detail=moved, sequence=7)
    call("update", "u1", **one, requesterName="王芳", detail=moved, sequence=0)
    told("u2", "invited", "updated")
    told("u4", "invited", "removed")
    told("u5", "invited")
    call("detail", "u5", **one)
    call("detail", "u4", **one)
    call("remindagain", "u1", **one)
    told("u3", "invited", "updated", "nudged")
    call("delete", "u3", **one)
    call("cancel", "u1", **one)
    call("cancel", "u1", **one)
    told("u5", "invited", "nudged", "cancelled")
    told("u4", "invited", "removed")
    inbox = client.do("inbox", "u5")
    call("inboxread", "u5", messageId=inbox["items"][1]["messageId"])
    call("inbox", "u5", size=2)
    call("respond", "u5", **one, msgStatus=2)
    call("detail", "u3", **one)
    call("create", "u1", requesterName="王芳", detail=detail("u2", remindMin=-1))
    return answers


def settled(answer: Any) -> Any:
    """The answer with ids, cursors and moments replaced."""
    if isinstance(answer, dict):
        return {key: "…" if key in VARYING else settled(value) for key, value in answer.items()}
    if isinstance(answer, list):
        return [settled(one) for one in answer]
    return re.sub(r"\d{13}", "…", answer) if isinstance(answer, str) else answer
