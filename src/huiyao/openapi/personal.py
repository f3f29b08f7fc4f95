"""The calls of the first generation on one person's workbench: cards, messages, times, a way in (section 6)."""

from typing import Any, Final

from huiyao import errors
from huiyao.model import Grant
from huiyao.openapi.call import Call, Style
from huiyao.openapi.request import Request
from huiyao.openapi.workbench import PREFIX
from huiyao.service import calendar, sessions
from huiyao.service import history as histories
from huiyao.service import inbox as inboxes
from huiyao.service.caller import check_directory
from huiyao.texts import inbox as inbox_texts
from huiyao.wire import answers, cursor, requests
from huiyao.wire.fields import Object


async def cards(request: Request) -> bytes:
    """The wire's list."""
    given: requests.Listing = request.given
    found, below = await calendar.cards(request.services, request.caller, given.wanted)
    return answers.cards(found, below=below)


async def inbox(request: Request) -> bytes:
    given: requests.InboxWanted = request.given
    caller = request.caller
    page, person = await inboxes.inbox(request.services, caller, after=given.after, size=given.size)
    timezone = (person.timezone if person else "") or caller.org.timezone
    locale = person.locale if person else ""
    rendered = ((one, inbox_texts.render(one, timezone=timezone, locale=locale)) for one in page.messages)
    return answers.inbox(rendered, unread=page.unread, next_cursor=cursor.write(page.end))


async def inboxread(request: Request) -> None:
    given: requests.InboxRead = request.given
    await inboxes.mark_read(request.services, request.caller, given.message_id)


async def freebusy(request: Request) -> bytes:
    given: requests.TimesWanted = request.given
    org = request.caller.org
    await check_directory(request.services, org, [given.uid])  # 4500 names the requester first
    times = await calendar.freebusy(
        request.services, org, given.uids, begin_at=given.begin_at, end_at=given.end_at
    )
    return answers.freebusy(times)


async def changes(request: Request) -> bytes:
    given: requests.ChangesWanted = request.given
    page = await histories.changes(request.services, request.caller, after=given.after, size=given.size)
    return answers.changes(page)


_ANSWERED_LIST: Final[dict[str, Any]] = {
    "items": [
        {
            "meetingInviteId": 111234,
            "orgId": 85161,
            "createrId": "u1",
            "createrName": "张三",
            "pushStatus": 1,
            "sequence": 0,
            "content": "下季度预算讨论",
            "address": "三楼会议室",
            "beginTime": 1_800_000_000_000,
            "endTime": 1_800_003_600_000,
            "remindMin": 15,
            "remindType": 0,
            "remind": True,
            "isRemind": True,
            "reply": "准时到",
            "msgStatus": 2,
        }
    ],
    "nextCursor": "AAAAAAABsoI",
}
_ANSWERED_INBOX: Final[dict[str, Any]] = {
    "items": [
        {
            "messageId": 5120,
            "kind": "invited",
            "meetingInviteId": 111234,
            "text": "张三邀请您参加会议：下季度预算讨论。时间：1月15日 周五 16:00–17:00，地点：三楼会议室",
            "createTime": 1_799_990_000_100,
            "read": False,
        }
    ],
    "unread": 1,
    "nextCursor": "AAAAAAAAABAAAAAAAAAUAA",
}
_ANSWERED_FREEBUSY: Final[dict[str, Any]] = {
    "items": [
        {
            "uid": "u2",
            "busy": [{"beginTime": 1_800_000_000_000, "endTime": 1_800_003_600_000}],
            "tentative": [{"beginTime": 1_800_003_600_000, "endTime": 1_800_005_400_000}],
        },
        {"uid": "u3", "busy": [], "tentative": []},
    ]
}
_ANSWERED_CHANGES: Final[dict[str, Any]] = {
    "items": [
        {
            "changeId": 7002,
            "meetingInviteId": 111234,
            "kind": "responded",
            "uid": "u2",
            "time": 1_799_990_060_000,
            "meeting": {
                "createrId": "u1",
                "pushStatus": 1,
                "sequence": 0,
                "beginTime": 1_800_000_000_000,
                "endTime": 1_800_003_600_000,
            },
            "member": {"remind": True, "isDelete": False, "msgStatus": 2},
        }
    ],
    "nextCursor": "AAAAAAAAAAQBAAAAAAAAG1o",
}
_TICKET: Final = "85161-q3c8n0yVt5T7nH2aWQm9xk1Zr6uEoLs4JdBfGiXhYpA"
_ANSWERED_TICKET: Final[dict[str, Any]] = {
    "ticket": _TICKET,
    "url": sessions.entrance("https://huiyao.example", _TICKET),
    "expiresIn": sessions.TICKET_SECONDS,
}


def calls(address: str) -> tuple[Call, ...]:
    """The table of these calls. `address`: where browsers find the server (Settings.address)."""

    async def ticket(request: Request) -> bytes:
        text = await sessions.issue_ticket(request.services, request.caller)
        url = sessions.entrance(address, text)
        return answers.ticket(text, url=url, expires_in=sessions.TICKET_SECONDS)

    def call(name: str, handle: Any, form: Object[Any], **rest: Any) -> Call:
        return Call(
            name=PREFIX + name,
            method="POST",
            style=Style.WORKBENCH,
            handle=handle,
            body=form,
            refusals=(errors.UnknownPerson,),
            **rest,
        )

    return (
        call(
            "list",
            cards,
            requests.LIST,
            summary="The meetings on the requester's workbench, the newest first",
            description=(
                "Cancelled ones included, removed cards not. A creator who is no member has no msgStatus. Pages"
                " stay stable while meetings come and go."
            ),
            example={"requesterUid": "u2", "role": "invited", "size": 50},
            answer=_ANSWERED_LIST,
            answer_schema=answers.Cards,
        ),
        call(
            "inbox",
            inbox,
            requests.INBOX,
            summary="The requester's in-app messages, newest last",
            example={"requesterUid": "u2", "size": 50},
            answer=_ANSWERED_INBOX,
            answer_schema=answers.Inbox,
        ),
        call(
            "inboxread",
            inboxread,
            requests.INBOX_READ,
            summary="Mark messages up to messageId as read",
            example={"requesterUid": "u2", "messageId": 5120},
        ),
        call(
            "freebusy",
            freebusy,
            requests.FREEBUSY,
            grant=Grant.FREEBUSY,
            summary="When people are busy, without saying with what",
            description=(
                "busy: accepted, or the creator. tentative: not answered, and not busy anyway. Declined and"
                " cancelled meetings leave a person free."
            ),
            example={
                "requesterUid": "u1",
                "uids": ["u2", "u3"],
                "beginTime": 1_799_971_200_000,
                "endTime": 1_800_057_600_000,
            },
            answer=_ANSWERED_FREEBUSY,
            answer_schema=answers.FreeBusy,
        ),
        call(
            "changes",
            changes,
            requests.CHANGES,
            grant=Grant.CHANGES,
            summary="What was changed in the organisation, in order, for synchronising another system",
            description=(
                "Everything that was done to any meeting of the organisation, whoever asks, deletes and cancellations"
                " included; from the very beginning without a cursor. Keep nextCursor and ask again later: nothing is"
                " missed. changeId, kind, uid and time are of the change; meeting, and member (the part of uid in it),"
                " are as they stand now. kind: created, updated, cancelled, nudged (by the creator); read, responded,"
                " remind, deleted (by uid: the card was removed, or put back)."
            ),
            example={"requesterUid": "u1", "cursor": "AAAAAAAAAAQAAAAAAAAAG1g", "size": 200},
            answer=_ANSWERED_CHANGES,
            answer_schema=answers.Changes,
        ),
        call(
            "ticket",
            ticket,
            requests.TICKET,
            grant=Grant.TICKET,
            summary="A one-time ticket that opens the workbench as the requester",
            description="url is for the requester's browser, once and soon. Whoever opens it is signed in as them.",
            example={"requesterUid": "u2"},
            answer=_ANSWERED_TICKET,
            answer_schema=answers.Ticket,
        ),
    )
