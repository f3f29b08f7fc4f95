"""One call from its parameters to its answer: token, repetitions, deadline. No I/O of its own: `Ground` has that.

What is repeated: a request that was never sent, always; one whose outcome nobody knows, where the call is safe to
repeat; one refused for its token, with another token; one refused for the app's rate, after Retry-After.
"""

import random
from collections.abc import Iterator
from types import NoneType
from typing import Final

import msgspec

from huiyao.client import reading
from huiyao.client.answers import Token
from huiyao.client.calls import Call, P, T
from huiyao.client.errors import (
    ApiError,
    BadToken,
    ExpiredToken,
    HuiyaoError,
    TooOften,
    TransportError,
    Unanswered,
    Unavailable,
    Unreachable,
    refusal,
)
from huiyao.client.ground import Answer, Ground, Request
from huiyao.client.tokens import Tokens

FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 2.0

_encode: Final = msgspec.json.Encoder().encode
_NOTHING: Final = b"null"  # of a call that answers nothing, whatever a newer server may add


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How long a call goes on trying."""

    deadline_seconds: float = 30.0  # in all
    attempt_seconds: float = 10.0  # each request
    longest_wait_seconds: float = 10.0  # for the app's rate (4006); a longer Retry-After is raised at once


class Session:
    """An app's calls to one server."""

    def __init__(
        self, ground: Ground, *, app_id: int, app_secret: str, patience: Patience, agent: str, language: str
    ) -> None:
        self._ground = ground
        self._patience = patience
        self._headers = {"User-Agent": agent, "Accept-Language": language}
        # In headers, and not in the query: no proxy's log gets to see them.
        self._token_request = Request(
            "GET",
            "token/get?flags=0",
            {**self._headers, "appId": str(app_id), "appSecret": app_secret},
        )
        self._tokens = Tokens(ground, self._fetch_token)

    async def token(self) -> str:
        """A token for a call that this library does not have."""
        return await self._tokens.current(refused="", until=self._until())

    async def run(self, call: Call[P, T], given: P, *, org_id: int | None = None, key: str = "") -> T:
        """The answer. Raises HuiyaoError."""
        until = self._until()
        headers = self._headers | {"Content-Type": "application/json"}
        if org_id is not None:
            headers["orgId"] = str(org_id)
        if key:
            headers["Idempotency-Key"] = key
        body = _encode(given)  # once: a repetition is the same to the byte, or its key would be refused
        token = ""
        pauses = _pauses()
        wait = 0.0  # a token is replaced at once; one that did not last as long as a call, a little later each time
        while True:
            refused, token = token, await self._tokens.current(refused=token, until=until)
            request = Request("POST", call.path, {**headers, "accessToken": token}, body)
            try:
                return _read(await self._answered(request, safe=call.safe, until=until), call.answer)
            except (BadToken, ExpiredToken):
                if token == refused or self._ground.now() + wait >= until:
                    raise
            if wait:
                await self._ground.sleep(wait)
            wait = next(pauses)

    def _until(self) -> float:
        return self._ground.now() + self._patience.deadline_seconds

    async def _fetch_token(self, until: float) -> Token:
        return _read(await self._answered(self._token_request, safe=True, until=until), Token)

    async def _answered(self, request: Request, *, safe: bool, until: float) -> msgspec.Raw:
        """The data of a success, after as many attempts as it may take. Raises HuiyaoError."""
        pauses = _pauses()
        given_up: HuiyaoError
        wait: float | None
        lost: Unanswered | None = None  # an attempt that may have been done
        while True:
            left = until - self._ground.now()
            if left <= 0:
                raise lost or Unreachable("the deadline passed before the request could be sent")
            try:
                return _opened(
                    await self._ground.send(request, seconds=min(left, self._patience.attempt_seconds))
                )
            except Unanswered as error:
                if not safe:
                    raise
                lost, given_up, wait = error, error, next(pauses)
            except Unreachable as error:
                given_up, wait = lost or error, next(pauses)
            except ApiError as error:
                error.after_unanswered = lost is not None
                given_up, wait = error, self._wait(error, safe=safe, pause=next(pauses))
            if wait is None or self._ground.now() + wait >= until:
                raise given_up
            await self._ground.sleep(wait)

    def _wait(self, error: ApiError, *, safe: bool, pause: float) -> float | None:
        """How long to wait before the call is repeated; None: it is not."""
        if isinstance(error, Unavailable) and safe:
            return (error.retry_after or 0) + pause
        if not isinstance(error, TooOften) or error.retry_after is None:
            return None
        longest = self._patience.longest_wait_seconds
        return error.retry_after + pause if error.retry_after <= longest else None


def _pauses() -> Iterator[float]:
    """Doubling, each somewhere between nothing and all of it, so that many clients do not come back at once."""
    longest = FIRST_PAUSE_SECONDS
    while True:
        yield random.uniform(0, longest)  # noqa: S311
        longest = min(2 * longest, LONGEST_PAUSE_SECONDS)


def _opened(answer: Answer) -> msgspec.Raw:
    """What is in the envelope. Raises ApiError, or TransportError where the answer is not Huiyao's."""
    try:
        envelope = reading.read(answer.body, reading.Envelope)
    except msgspec.DecodeError as error:
        said = f"HTTP {answer.http_status} whose body is not Huiyao's"
        # A proxy that lost its server says so in words of its own, and does not know either what became of the call.
        raise (Unanswered if answer.http_status >= 500 else TransportError)(said) from error
    if envelope.status == 0:
        return envelope.data
    after = answer.headers.get("Retry-After", "")
    raise refusal(
        envelope.status,
        envelope.message,
        http_status=answer.http_status,
        request_id=answer.headers.get("X-Request-Id", ""),
        retry_after=int(after) if after.isascii() and after.isdigit() else None,
    )


def _read(data: msgspec.Raw, kind: type[T]) -> T:
    try:
        return reading.read(data if kind is not NoneType else _NOTHING, kind)
    except msgspec.DecodeError as error:
        raise TransportError(f"an answer that is not understood: {error}") from error
