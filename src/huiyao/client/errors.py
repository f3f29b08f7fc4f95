"""Every error a call can raise, one class per fact; those of Huiyao itself carry its return code.

HuiyaoError
├── TransportError                no answer of Huiyao came
│   ├── Unreachable               no request was sent: nothing was done
│   └── Unanswered                one was sent, and nobody knows whether it was done
├── ApiError                      Huiyao answered, and refused
│   ├── SystemFailure      -1
│   │   └── Unavailable    -1, HTTP 503
│   ├── UnknownPath        -1, HTTP 404
│   ├── BadToken           4002
│   ├── ExpiredToken       4003
│   ├── TooOften           4006
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
│   │   └── BodyTooLarge   4600, HTTP 413
│   ├── NoSuchMeeting      4601
│   ├── NotCreator         4602
│   ├── MeetingCancelled   4603
│   ├── KeyReused          4604
│   └── SequenceChanged    4605
└── BadCallback                   not from Huiyao, or not now (huiyao.client.callbacks)

Which code is a class of its own here is told by code and HTTP status alone: a meeting that is over is a
MeetingCancelled, as on the wire. A code that this version does not know is an ApiError.
"""


class HuiyaoError(Exception):
    """Root of every error that the client raises on purpose, but for a wrong argument (ValueError)."""


class TransportError(HuiyaoError):
    """No answer that is Huiyao's came. `__cause__` is what httpx said."""


class Unreachable(TransportError):
    """No request reached the server before the deadline; nothing was done."""


class Unanswered(TransportError):
    """A request was sent and its answer lost, and no repetition was answered: it may have been done or not."""


class ApiError(HuiyaoError):
    """Huiyao refused the call; docs/return-codes.md says what each code means and what to do."""

    code: int = -1
    http_status: int = 200
    request_id: str = ""  # what the server's log calls this call
    retry_after: int | None = None  # seconds
    # An earlier attempt of the same call was sent and not answered. It may be what this one came upon: a
    # SequenceChanged may be the caller's own update.
    after_unanswered: bool = False

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        request = f", request {self.request_id}" if self.request_id else ""
        return f"{self.message} (code {self.code}{request})"


class SystemFailure(ApiError):
    """Nothing was changed."""


class Unavailable(SystemFailure):
    """Overload, or a commit of unknown outcome: it may have been done or not."""

    http_status = 503


class UnknownPath(ApiError):
    """Most likely the base URL is wrong; it ends with /openapi/."""

    http_status = 404


class BadToken(ApiError):
    """The token is unknown, and so was a new one."""

    code = 4002


class ExpiredToken(ApiError):
    """The token expired or was superseded, and so were all the new ones: the server's grace period is too short."""

    code = 4003


class TooOften(ApiError):
    """The app's rate or quota is used up for longer than the client waits; `retry_after` says how long."""

    code = 4006


class BadCredentials(ApiError):
    code = 4007


class MissingToken(ApiError):
    code = 4008


class GetNeeded(ApiError):
    code = 4009


class PostNeeded(ApiError):
    code = 4010


class HttpsNeeded(ApiError):
    code = 4011


class EmptyBody(ApiError):
    code = 4012


class Forbidden(ApiError):
    """The call needs an API permission that the operator gives: ticket, freebusy, changes."""

    code = 4013


class AddressNotListed(ApiError):
    """The caller's IP address is not on the app's list."""

    code = 4014


class NotAuthorised(ApiError):
    """The organisation has not authorised the app."""

    code = 4016


class UnknownPerson(ApiError):
    """A uid is not in the organisation's closed directory."""

    code = 4500


class RequesterMissing(ApiError):
    code = 4501


class BadParameter(ApiError):
    """The message names the field, as it is called on the wire."""

    code = 4600


class BodyTooLarge(BadParameter):
    http_status = 413


class NoSuchMeeting(ApiError):
    """No such meeting, or of another organisation, or the requester is no part of it."""

    code = 4601


class NotCreator(ApiError):
    code = 4602


class MeetingCancelled(ApiError):
    """The meeting is cancelled, or over."""

    code = 4603


class KeyReused(ApiError):
    """The key was used before with another request."""

    code = 4604


class SequenceChanged(ApiError):
    """The meeting has changed since it was read; call detail and look."""

    code = 4605


class BadCallback(HuiyaoError):
    """A callback that is not to be believed: signature wrong, too old, or not of the documented form."""


def _every(kind: type[ApiError]) -> list[type[ApiError]]:
    return [kind, *(found for one in kind.__subclasses__() for found in _every(one))]


_BY_CODE = {(kind.code, kind.http_status): kind for kind in _every(ApiError) if kind is not ApiError}


def refusal(
    code: int, message: str, *, http_status: int, request_id: str, retry_after: int | None
) -> ApiError:
    """The error that an answer of Huiyao tells of."""
    kind = _BY_CODE.get((code, http_status)) or _BY_CODE.get((code, 200), ApiError)
    error = kind(message)
    error.code, error.http_status = code, http_status
    error.request_id, error.retry_after = request_id, retry_after
    return error
