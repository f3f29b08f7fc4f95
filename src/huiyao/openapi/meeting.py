"""The calls of the client's later generation: the requester in headers, the meeting in the query (section 5)."""

from typing import Any, Final

from huiyao import errors
from huiyao.openapi.call import Call, Style
from huiyao.openapi.repeating import repetition
from huiyao.openapi.request import Request
from huiyao.rules import commands
from huiyao.service import meetings
from huiyao.wire import answers, requests

PREFIX: Final = "meeting/"


async def create(request: Request) -> bytes:
    given: requests.MeetingBody = request.given
    key, lives_ms, fingerprint = repetition(request, request.name, given.client_token)
    command = commands.Create(
        requester_name=request.name,
        detail=given.detail,
        repeat_key=key,
        repeat_for=lives_ms,
        fingerprint=fingerprint,
    )
    return answers.created_meeting(await meetings.create(request.services, request.caller, command))


async def update(request: Request) -> None:
    given: requests.MeetingBody = request.given
    command = commands.Update(detail=given.detail)
    await meetings.update(request.services, request.caller, request.meeting_id, command)


async def cancel(request: Request) -> None:
    await meetings.cancel(request.services, request.caller, request.meeting_id, commands.Cancel())


async def delete(request: Request) -> None:
    await meetings.delete(request.services, request.caller, request.meeting_id)


async def detail(request: Request) -> bytes:
    meeting, attendees = await meetings.detail(request.services, request.caller, request.meeting_id)
    return answers.later_meeting(meeting, attendees, timezone=request.caller.org.timezone)


_BODY: Final[dict[str, Any]] = {
    "content": "下季度预算讨论",
    "address": "三楼会议室",
    "beginTime": 1_800_000_000_000,
    "endTime": 1_800_003_600_000,
    "remindMin": 15,
    "remindType": 0,
    "createTime": 0,
    "members": [{"uid": "u2", "name": "李四", "isRemind": True}, {"uid": "u3", "name": "王五"}],
}
_ANSWERED: Final[dict[str, Any]] = {
    "creator": {"uid": "u1", "name": "张三", "isRemind": True, "isDelete": False, "isBindingMail": False},
    "status": 1,
    "detail": {
        "createTime": 1_799_990_000_000,
        "content": "下季度预算讨论",
        "address": "三楼会议室",
        "beginTime": 1_800_000_000_000,
        "endTime": 1_800_003_600_000,
        "remindMin": 15,
        "remindType": 0,
        "members": [
            {
                "uid": "u2",
                "name": "李四",
                "status": 2,
                "isRemind": True,
                "gmtReply": "2027-01-15 10:20:30",
                "isDelete": False,
                "isBindingMail": False,
                "reply": "准时到",
            }
        ],
        "orgId": 85161,
        "voiceLength": 0,
        "comments": 0,
        "signs": 0,
        "meetingRoomId": 0,
        "roomOrgId": 0,
        "roomAddrId": 0,
        "meetRoomApproveStatus": -1,
        "isPermitOtherSign": 0,
    },
    "remindAgainTime": 0,
    "signModel": 0,
    "isSign": False,
}


def calls(max_members: int) -> tuple[Call, ...]:
    """The table of these calls."""
    form = requests.meeting_body(max_members)

    def call(name: str, handle: Any, **rest: Any) -> Call:
        return Call(name=PREFIX + name, style=Style.MEETING, handle=handle, **{"method": "POST"} | rest)

    return (
        call(
            "create",
            create,
            body=form,
            named=True,
            repeatable=True,
            summary="Create a meeting invitation",
            example=_BODY,
            answer={"meetingInviteId": 111234, "meetingId": 111234},
            answer_schema=answers.CreatedMeeting,
            refusals=(errors.UnknownPerson, errors.KeyReused),
        ),
        call(
            "cancel",
            cancel,
            query=requests.QUERY,
            summary="Call a meeting off (creator only)",
            description="Repeating it answers 0.",
            refusals=(errors.NoSuchMeeting, errors.NotCreator),
        ),
        call(
            "delete",
            delete,
            query=requests.QUERY,
            summary="Remove the card from the requester's own workbench",
            description="Nobody else's card goes, and the meeting is not cancelled.",
            refusals=(errors.NoSuchMeeting,),
        ),
        call(
            "update",
            update,
            query=requests.QUERY,
            body=form,
            summary="Replace the whole detail (creator only)",
            description="Where begin or end changes, all answers go back to 0.",
            example=_BODY,
            refusals=(
                errors.UnknownPerson,
                errors.NoSuchMeeting,
                errors.NotCreator,
                errors.MeetingCancelled,
            ),
        ),
        call(
            "detail",
            detail,
            method="GET",
            query=requests.QUERY,
            summary="Get a meeting invitation with its members",
            description="For the creator and the members; changes nothing.",
            answer=_ANSWERED,
            answer_schema=answers.LaterMeeting,
            refusals=(errors.NoSuchMeeting,),
        ),
    )
