"""The calls of the first generation on one meeting: everything is in the body (contract sections 4 and 6)."""

from typing import Any, Final

from huiyao import errors
from huiyao.openapi.call import Call, Style
from huiyao.openapi.repeating import repetition
from huiyao.openapi.request import Request
from huiyao.rules import commands
from huiyao.service import meetings
from huiyao.wire import answers, requests
from huiyao.wire.fields import Object

PREFIX: Final = "workbench/meetinginvite/"


async def create(request: Request) -> bytes:
    given: requests.Creation = request.given
    key, lives_ms, fingerprint = repetition(request, given.name, given.client_token)
    command = commands.Create(
        requester_name=given.name,
        detail=given.detail,
        silent=given.silent,
        repeat_key=key,
        repeat_for=lives_ms,
        fingerprint=fingerprint,
    )
    return answers.created(await meetings.create(request.services, request.caller, command))


async def update(request: Request) -> None:
    given: requests.Replacement = request.given
    command = commands.Update(detail=given.detail, silent=given.silent, sequence=given.sequence)
    await meetings.update(request.services, request.caller, given.meeting_id, command)


async def cancel(request: Request) -> None:
    given: requests.Cancellation = request.given
    command = commands.Cancel(sequence=given.sequence)
    await meetings.cancel(request.services, request.caller, given.meeting_id, command)


async def delete(request: Request) -> None:
    given: requests.OneMeeting = request.given
    await meetings.delete(request.services, request.caller, given.meeting_id)


async def detail(request: Request) -> bytes:
    given: requests.OneMeeting = request.given
    meeting, attendees = await meetings.detail(request.services, request.caller, given.meeting_id)
    return answers.meeting_invite(meeting, attendees)


async def read(request: Request) -> None:
    given: requests.OneMeeting = request.given
    await meetings.read(request.services, request.caller, given.meeting_id)


async def respond(request: Request) -> None:
    given: requests.Response = request.given
    await meetings.respond(request.services, request.caller, given.meeting_id, given.command)


async def remind(request: Request) -> None:
    given: requests.Reminding = request.given
    await meetings.remind(request.services, request.caller, given.meeting_id, given.command)


async def remindagain(request: Request) -> None:
    given: requests.OneMeeting = request.given
    await meetings.nudge(request.services, request.caller, given.meeting_id)


_DETAIL: Final[dict[str, Any]] = {
    "createTime": "1799990000000",
    "content": "下季度预算讨论",
    "address": "三楼会议室",
    "beginTime": "1800000000000",
    "endTime": "1800003600000",
    "remindMin": "15",
    "remindType": "0",
    "members": [{"uid": "u2", "name": "李四"}, {"uid": "u3", "name": "王五"}],
}
_ONE: Final = {"requesterUid": "u1", "meetingInviteId": "111234"}
_ANSWERED_DETAIL: Final[dict[str, Any]] = {
    "meetingInviteId": 111234,
    "orgId": 85161,
    "createrId": "u1",
    "createrName": "张三",
    "pushStatus": 1,
    "sequence": 0,
    "detail": {
        "createTime": 1_799_990_000_000,
        "content": "下季度预算讨论",
        "address": "三楼会议室",
        "beginTime": 1_800_000_000_000,
        "endTime": 1_800_003_600_000,
        "remindMin": 15,
        "remindType": 0,
        "members": [
            {"uid": "u2", "name": "李四", "msgStatus": 2, "remind": True, "isRemind": True},
            {"uid": "u3", "name": "王五", "msgStatus": 0, "remind": True, "isRemind": True},
        ],
    },
}


def calls(max_members: int) -> tuple[Call, ...]:
    """The table of these calls."""

    def call(name: str, handle: Any, form: Object[Any], **rest: Any) -> Call:
        return Call(
            name=PREFIX + name, method="POST", style=Style.WORKBENCH, handle=handle, body=form, **rest
        )

    return (
        call(
            "create",
            create,
            requests.create(max_members),
            repeatable=True,
            summary="Create a meeting invitation",
            example={"requesterUid": "u1", "requesterName": "张三", "detail": _DETAIL},
            answer={"meetingInviteId": 111234},
            answer_schema=answers.Created,
            refusals=(errors.UnknownPerson, errors.KeyReused),
        ),
        call(
            "cancel",
            cancel,
            requests.CANCEL,
            summary="Call a meeting off (creator only)",
            description="Repeating it answers 0.",
            example=_ONE,
            refusals=(errors.NoSuchMeeting, errors.NotCreator, errors.SequenceChanged),
        ),
        call(
            "delete",
            delete,
            requests.ONE_MEETING,
            summary="Remove the card from the requester's own workbench",
            description="Nobody else's card goes, and the meeting is not cancelled.",
            example=_ONE,
            refusals=(errors.NoSuchMeeting,),
        ),
        call(
            "update",
            update,
            requests.update(max_members),
            summary="Replace the whole detail (creator only)",
            description="Where begin or end changes, all answers go back to 0.",
            example={"requesterUid": "u1", "meetingInviteId": "111234", "detail": _DETAIL},
            refusals=(
                errors.UnknownPerson,
                errors.NoSuchMeeting,
                errors.NotCreator,
                errors.MeetingCancelled,
                errors.SequenceChanged,
            ),
        ),
        call(
            "detail",
            detail,
            requests.ONE_MEETING,
            summary="Get a meeting invitation with its members",
            description="For the creator and the members; changes nothing.",
            example=_ONE,
            answer=_ANSWERED_DETAIL,
            answer_schema=answers.MeetingInvite,
            refusals=(errors.NoSuchMeeting,),
        ),
        call(
            "read",
            read,
            requests.ONE_MEETING,
            summary="Mark the invitation as read",
            description="msgStatus 0 becomes 1; otherwise nothing happens.",
            example=_ONE,
            refusals=(errors.NoSuchMeeting,),
        ),
        call(
            "respond",
            respond,
            requests.RESPOND,
            summary="Accept or decline",
            example=_ONE | {"msgStatus": 2, "reply": "准时到"},
            refusals=(errors.NoSuchMeeting, errors.MeetingCancelled, errors.SequenceChanged),
        ),
        call(
            "remind",
            remind,
            requests.REMIND,
            summary="Turn the requester's own reminders on or off",
            example=_ONE | {"remind": False},
            refusals=(errors.NoSuchMeeting,),
        ),
        call(
            "remindagain",
            remindagain,
            requests.ONE_MEETING,
            summary="Nudge the members who have not answered (creator only)",
            description="At most once per 5 minutes per meeting.",
            example=_ONE,
            refusals=(errors.NoSuchMeeting, errors.NotCreator, errors.MeetingCancelled),
        ),
    )
