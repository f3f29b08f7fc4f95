"""The examples of the return codes: for each error class a call that is answered with it, on one stage."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from huiyao import errors
from tests.api.world import HOUR, NOW
from tests.documentation.scenes import BEGIN, creation, detail, one, post
from tests.documentation.stage import CLOSED_ORG, ORG, Stage

Prepare = Callable[[Stage], Awaitable[dict[str, str]]]


class Provoked(msgspec.Struct, frozen=True):
    """A call and the error it is answered with; `prepare` answers what it needs in its environment.

    `note` says in English and Chinese under what circumstances, where the call does not show them.
    """

    error: type[errors.ApiError]
    script: str
    prepare: Prepare | None = None
    note: tuple[str, str] = ("", "")


async def _expired(stage: Stage) -> dict[str, str]:
    """A token of three hours ago."""
    stage.world.clock.at -= 3 * HOUR
    token = await _token(stage, 10002)
    stage.world.clock.at += 3 * HOUR
    return token


async def _token(stage: Stage, app_id: int, **limits: Any) -> dict[str, str]:
    await stage.world.add_app(app_id, orgs=(ORG.id,), **limits)
    return {"TOKEN": await stage.world.get_token(app_id)}


async def _unlisted(stage: Stage) -> dict[str, str]:
    given = await _token(stage, 10003)
    await stage.world.add_app(10003, orgs=(ORG.id,), generation=1, ip_list=("203.0.113.0/24",))
    return given


async def _hurried(stage: Stage) -> dict[str, str]:
    given = await _token(stage, 10004, rate=1)
    await stage.run(_DETAIL, **given)
    stage.world.clock.at -= 60_000  # at the same moment
    return given


async def _spent(stage: Stage) -> dict[str, str]:
    given = await _token(stage, 10005, quota=1)
    await stage.run(_DETAIL, **given)
    return given


async def _disabled(stage: Stage) -> dict[str, str]:
    given = await _token(stage, 10007)
    await stage.world.add_app(10007, orgs=(ORG.id,), generation=1, disabled=True)
    return given


async def _unpermitted(stage: Stage) -> dict[str, str]:
    return await _token(stage, 10006)


async def _https(stage: Stage) -> dict[str, str]:
    return {"HUIYAO": await stage.other(require_https=True)}


async def _busy(stage: Stage) -> dict[str, str]:
    return {"HUIYAO": await stage.other(max_waiting=0)}


async def _small(stage: Stage) -> dict[str, str]:
    return {"HUIYAO": await stage.other(max_body_bytes=100)}


async def _unknown(stage: Stage) -> dict[str, str]:
    return {"HUIYAO": await stage.broken("commit", errors.OutcomeUnknown())}


async def _defective(stage: Stage) -> dict[str, str]:
    return {"HUIYAO": await stage.broken("whole_meeting", RuntimeError("a defect of the examples"))}


async def _over(stage: Stage) -> dict[str, str]:
    """The second meeting, which is over."""
    await stage.run(post("create", creation(beginTime=NOW - 2 * HOUR, endTime=NOW - HOUR)))
    return {}


_DETAIL: Final = post("detail", one("u1001"))
_NUDGE: Final = post("remindagain", one("u1001"))
_KEY: Final = "Idempotency-Key: order-4711"
PROVOKED: Final = (
    Provoked(
        errors.MeetingOver,
        post("respond", {"requesterUid": "u1002", "meetingInviteId": 5, "msgStatus": 2}),
        _over,
        ("Meeting 5 ended an hour ago.", "会议 5 已在一小时前结束。"),
    ),
    Provoked(errors.SystemFailure, _DETAIL, _defective, ("The server has a defect.", "服务器出现故障。")),
    Provoked(
        errors.OutcomeUnknown,
        post("create", creation(), _KEY),
        _unknown,
        ("The database goes away while it commits.", "数据库在提交时断开。"),
    ),
    Provoked(
        errors.Overloaded,
        _DETAIL,
        _busy,
        ("More calls are under way than `max_waiting`.", "正在处理的调用超过 `max_waiting`。"),
    ),
    Provoked(errors.UnknownPath, post("details", one("u1001"))),
    Provoked(errors.BadToken, _DETAIL, _disabled, ("The app has been disabled.", "应用已停用。")),
    Provoked(errors.ForgedToken, post("detail", one("u1001"), token="10001_1_1795507200000_AAAA")),
    Provoked(
        errors.ExpiredToken, _DETAIL, _expired, ("The token is three hours old.", "令牌是三小时前获取的。")
    ),
    Provoked(
        errors.TooOften,
        _DETAIL,
        _hurried,
        (
            "The app has `--rate 1`, and this is the second call within the second.",
            "应用设有 `--rate 1`，这是同一秒内的第二次调用。",
        ),
    ),
    Provoked(
        errors.QuotaSpent,
        _DETAIL,
        _spent,
        (
            "The app has `--quota 1`, and this is the second call of the day.",
            "应用设有 `--quota 1`，这是当天的第二次调用。",
        ),
    ),
    Provoked(errors.BadCredentials, 'curl "$HUIYAO/token/get" -H "appId: $APP_ID" -H "appSecret: wrong"'),
    Provoked(
        errors.MissingToken,
        """curl "$HUIYAO/workbench/meetinginvite/detail" -d '{"requesterUid": "u1001", "meetingInviteId": 1}'""",
    ),
    Provoked(
        errors.GetNeeded, 'curl -X POST "$HUIYAO/token/get" -H "appId: $APP_ID" -H "appSecret: $APP_SECRET"'
    ),
    Provoked(errors.PostNeeded, 'curl "$HUIYAO/workbench/meetinginvite/detail" -H "accessToken: $TOKEN"'),
    Provoked(
        errors.HttpsNeeded,
        _DETAIL,
        _https,
        ("`require_https` is set, and the call comes by http.", "设置了 `require_https`，而调用来自 http。"),
    ),
    Provoked(
        errors.EmptyBody, 'curl -X POST "$HUIYAO/workbench/meetinginvite/detail" -H "accessToken: $TOKEN"'
    ),
    Provoked(
        errors.Forbidden,
        post("ticket", {"requesterUid": "u1002"}),
        _unpermitted,
        ("The app was not granted `ticket`.", "应用未获 `ticket` 权限。"),
    ),
    Provoked(
        errors.AddressNotListed,
        _DETAIL,
        _unlisted,
        (
            "The app has `--ip 203.0.113.0/24`, and calls from elsewhere.",
            "应用设有 `--ip 203.0.113.0/24`，而调用来自别处。",
        ),
    ),
    Provoked(errors.NotAuthorised, post("detail", one("u1001"), "orgId: 99999")),
    Provoked(
        errors.UnknownPerson,
        post("create", creation(), f"orgId: {CLOSED_ORG.id}"),
        note=("The directory of 85162 is closed and empty.", "85162 的通讯录是封闭的，其中没有人。"),
    ),
    Provoked(errors.RequesterMissing, post("detail", {"meetingInviteId": 1})),
    Provoked(errors.BadParameter, post("create", creation(endTime=BEGIN - HOUR))),
    Provoked(errors.NotListed, post("respond", one("u1001", msgStatus=2))),
    Provoked(errors.NudgedLately, f"{_NUDGE}\n{_NUDGE}"),
    Provoked(errors.NoSuchMessage, post("inboxread", {"requesterUid": "u1002", "messageId": 999999})),
    Provoked(
        errors.BodyTooLarge,
        post("create", creation()),
        _small,
        ("`max_body_bytes` is smaller than this body.", "这个消息体超过了 `max_body_bytes`。"),
    ),
    Provoked(errors.NoSuchMeeting, post("detail", {"requesterUid": "u1001", "meetingInviteId": 999999})),
    Provoked(errors.NotCreator, post("cancel", one("u1002"))),
    Provoked(
        errors.KeyReused,
        f"{post('create', creation(), _KEY)}\n{post('create', creation(address='五楼会议室'), _KEY)}",
    ),
    Provoked(errors.SequenceChanged, post("update", one("u1001", sequence=7, detail=detail()))),
    Provoked(
        errors.MeetingCancelled,
        f"{post('cancel', one('u1001'))}\n{post('update', one('u1001', detail=detail()))}",
    ),
)
