"""Every error a caller can be told of, one class per fact, each with its return code and two messages.

HuiyaoError
├── ApiError                      answered in the envelope (contract section 3)
│   ├── SystemFailure      -1
│   │   ├── OutcomeUnknown -1, HTTP 503
│   │   └── Overloaded     -1, HTTP 503
│   ├── UnknownPath        -1, HTTP 404
│   ├── BadToken           4002
│   │   └── ForgedToken    4002
│   ├── ExpiredToken       4003
│   ├── TooOften           4006
│   │   └── QuotaSpent     4006
│   ├── BadCredentials     4007
│   ├── MissingToken       4008
│   ├── GetNeeded          4009
│   ├── PostNeeded         4010
│   ├── HttpsNeeded        4011
│   ├── EmptyBody          4012
│   ├── Forbidden          4013
│   ├── AddressNotListed   4014
│   ├── NotAuthorised      4016
│   ├── UnknownPerson      4500
│   ├── RequesterMissing   4501
│   ├── BadParameter       4600
│   │   ├── NotListed      4600
│   │   ├── NudgedLately   4600
│   │   ├── NoSuchMessage  4600
│   │   └── BodyTooLarge   4600, HTTP 413
│   ├── NoSuchMeeting      4601
│   ├── NotCreator         4602
│   ├── MeetingCancelled   4603
│   │   └── MeetingOver    4603
│   ├── KeyReused          4604
│   └── SequenceChanged    4605
└── OperatorError                 told to an operator in one line: a wrong setting, an old schema, a taken file
    └── CallbackRefused           no call sets a callback, so none answers its code
"""

from typing import ClassVar


class HuiyaoError(Exception):
    """Root of every error that Huiyao raises on purpose."""


class OperatorError(HuiyaoError):
    """Something only the operator can put right; its text is one complete sentence in English."""


class CallbackRefused(OperatorError):
    """A callback URL is not acceptable; `reason` completes "The callback URL …"."""

    code: ClassVar[int] = 4015

    def __init__(self, reason: str) -> None:
        super().__init__(f"The callback URL {reason} ({self.code}).")


class ApiError(HuiyaoError):
    """A call refused. `zh` and `en` are the messages, formatted with the error's attributes in `facts`."""

    code: ClassVar[int] = -1
    http_status: ClassVar[int] = 200
    zh: ClassVar[str] = "系统错误"
    en: ClassVar[str] = "system error"
    remedy: ClassVar[str] = ""
    retry_after_seconds: int | None = None

    def __init__(self, **facts: object) -> None:
        super().__init__(self.en.format(**facts) if facts else self.en)
        self.facts = facts

    def message(self, *, english: bool = False) -> str:
        """The text for the envelope, without a full stop at its end."""
        return (self.en if english else self.zh).format(**self.facts)


class SystemFailure(ApiError):
    """Nothing was changed; the call can be repeated as it is."""

    remedy = "Nothing was changed. Repeat the call; if it persists, look at the server's log by X-Request-Id."


class OutcomeUnknown(SystemFailure):
    """The database went away during COMMIT and could not be asked again (contract section 3, -1 with HTTP 503)."""

    http_status = 503
    zh = "系统错误: 结果未知，请稍后重试"
    en = "system error: the outcome is unknown, please try again later"
    remedy = "Repeat create with its Idempotency-Key, other calls as they are."
    retry_after_seconds = 2


class Overloaded(SystemFailure):
    """More calls are waiting than the server wants to hold; nothing was changed."""

    http_status = 503
    zh = "系统繁忙，请稍后重试"
    en = "the server is busy, please try again later"
    remedy = "Wait for Retry-After seconds and repeat the call."
    retry_after_seconds = 1


class UnknownPath(ApiError):
    http_status = 404
    zh = "接口不存在"
    en = "there is no such call"
    remedy = "Check the path; the base URL ends with /openapi/ and every call is listed in openapi.json."


class BadToken(ApiError):
    """Malformed, forged or unknown; also every token of a disabled app."""

    code = 4002
    zh = "accessToken无效"
    en = "accessToken is not valid"
    remedy = "Get a new token with token/get."


class ForgedToken(BadToken):
    """No token that this installation's key ever made."""


class ExpiredToken(ApiError):
    code = 4003
    zh = "accessToken超时，请重新获取"
    en = "accessToken has expired, please get a new one"
    remedy = "Get a new token with token/get."


class TooOften(ApiError):
    """The app calls more often than its rate allows, or somebody guesses (contract sections 1 to 3)."""

    code = 4006
    zh = "调用过于频繁，请在{seconds}秒后重试"
    en = "called too often, please try again in {seconds} seconds"
    remedy = "Wait for Retry-After seconds; the operator raises an app's rate with `huiyao app set APP_ID --rate N`."

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds=seconds)
        self.retry_after_seconds = seconds


class QuotaSpent(TooOften):
    zh = "今日调用次数已用完，请在{seconds}秒后重试"
    en = "the app has used up its calls of today, please try again in {seconds} seconds"
    remedy = (
        "Wait for midnight UTC; the operator raises an app's quota with `huiyao app set APP_ID --quota N`."
    )


class BadCredentials(ApiError):
    """Wrong appId or appSecret, or the app is disabled. token/get never answers 4001 to 4005 (contract section 2)."""

    code = 4007
    zh = "appId或appSecret错误"
    en = "appId or appSecret is wrong"
    remedy = "Check appId and appSecret with the operator; `huiyao app rotate` makes a new secret."


class MissingToken(ApiError):
    code = 4008
    zh = "缺少accessToken"
    en = "accessToken is missing"
    remedy = "Send the token as query parameter or header accessToken."


class GetNeeded(ApiError):
    code = 4009
    zh = "请使用GET请求"
    en = "use GET"
    remedy = "Repeat the call with method GET."


class PostNeeded(ApiError):
    code = 4010
    zh = "请使用POST请求"
    en = "use POST"
    remedy = "Repeat the call with method POST."


class HttpsNeeded(ApiError):
    code = 4011
    zh = "请使用https请求"
    en = "use https"
    remedy = "Call the https address; behind a proxy, the operator lists it in trusted_proxies."


class EmptyBody(ApiError):
    code = 4012
    zh = "POST消息体不能为空"
    en = "the POST body is empty"
    remedy = "Send the JSON body of the call."


class Forbidden(ApiError):
    """The call needs an API permission that this app does not have (contract section 2)."""

    code = 4013
    zh = "应用无权调用该接口"
    en = "the app may not call this API"
    remedy = "Ask the operator for the permission: `huiyao app set APP_ID --grant NAME`, or --api NAME for usual calls."


class AddressNotListed(ApiError):
    """The client's address is in none of the app's networks, or cannot be known (contract section 3)."""

    code = 4014
    zh = "调用方IP不在应用的白名单中"
    en = "the caller's IP address is not on the app's list"
    remedy = "Call from a listed address; the operator lists it with `huiyao app set APP_ID --ip NETWORK`."


class NotAuthorised(ApiError):
    code = 4016
    zh = "企业未授权该应用"
    en = "the organisation has not authorised this app"
    remedy = "Check orgId or orgSecret; the operator grants organisations with `huiyao app set`."


class UnknownPerson(ApiError):
    code = 4500
    zh = "用户不存在: {uid}"
    en = "no such person in the directory: {uid}"
    remedy = "Import the person with `huiyao person import`, or open the organisation's directory."


class RequesterMissing(ApiError):
    code = 4501
    zh = "请求者不能为空: {field}"
    en = "the requester is missing: {field}"
    remedy = "Send requesterUid (or header uid on the meeting/ calls)."


class BadParameter(ApiError):
    """`field` is the path of the parameter at fault, `zh`/`en` the fault itself, both given by `wire`."""

    code = 4600
    zh = "参数错误: {field} {fault_zh}"
    en = "invalid parameter: {field} {fault_en}"
    remedy = "Correct the parameter that the message names."

    def __init__(self, field: str, fault_zh: str, fault_en: str) -> None:
        super().__init__(field=field, fault_zh=fault_zh, fault_en=fault_en)
        self.field = field


class NotListed(BadParameter):
    """A creator who is no member has nothing to read or answer (contract section 4)."""

    remedy = "Only members read and respond; the creator may be one of them."

    def __init__(self) -> None:
        super().__init__("requesterUid", "不是会议成员", "is the creator and not a member of the meeting")


class NudgedLately(BadParameter):
    """remindagain within 5 minutes of the last time (contract section 6)."""

    remedy = "Wait as long as the message says."

    def __init__(self, wait_seconds: int) -> None:
        super().__init__(
            "meetingInviteId",
            f"请在{wait_seconds}秒后再提醒",
            f"can be nudged again in {wait_seconds} seconds",
        )


class NoSuchMessage(BadParameter):
    remedy = "Take messageId from an answer of inbox."

    def __init__(self) -> None:
        super().__init__("messageId", "不存在", "does not exist")


class BodyTooLarge(BadParameter):
    http_status = 413
    remedy = "Send a smaller body; the operator's limit is max_body_bytes."

    def __init__(self, limit_bytes: int) -> None:
        super().__init__("body", f"不能超过{limit_bytes}字节", f"must not exceed {limit_bytes} bytes")


class NoSuchMeeting(ApiError):
    """One answer for unknown, another organisation's and not part of it: nobody learns what exists."""

    code = 4601
    zh = "会议邀请不存在"
    en = "no such meeting invitation"
    remedy = "Check meetingInviteId, the organisation and the requester."


class NotCreator(ApiError):
    code = 4602
    zh = "仅限会议创建者调用"
    en = "only the creator may do this"
    remedy = "Call as the meeting's creator."


class MeetingCancelled(ApiError):
    code = 4603
    zh = "会议已取消"
    en = "the meeting is cancelled"
    remedy = "A cancelled meeting stays cancelled; create a new one."


class MeetingOver(MeetingCancelled):
    zh = "会议已结束"
    en = "the meeting is over"
    remedy = "Answers and nudges end with the meeting."


class KeyReused(ApiError):
    code = 4604
    zh = "Idempotency-Key已被不同的请求使用"
    en = "the Idempotency-Key was used before with another request"
    remedy = "Use a new key for each new request."


class SequenceChanged(ApiError):
    code = 4605
    zh = "会议已被修改，当前sequence为{sequence}"
    en = "the meeting has changed meanwhile, its sequence is now {sequence}"
    remedy = "Call detail, look at the change, and repeat with the new sequence."
