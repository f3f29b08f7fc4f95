"""What the client stands on: HTTP by httpx, waiting, taking turns; once for asyncio and once for threads.

The logic above is written once, as coroutines over `Ground`. On `SyncGround` nothing in them ever suspends, so one
step runs them to their end.
"""

import asyncio
import threading
import time
from collections.abc import Coroutine, Mapping
from typing import Any, Final, Protocol, TypeVar

import httpx
import msgspec

from huiyao.client.errors import TransportError, Unanswered, Unreachable

T = TypeVar("T")

# httpx bounds each step of a request; asyncio bounds them together, later, so that httpx says first which step it was.
LEEWAY_SECONDS: Final = 1.0
# Raised before a byte of the request is written.
_BEFORE: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
# Raised when it may have been written, whole or in part.
_AFTER: Final = (httpx.NetworkError, httpx.TimeoutException, httpx.RemoteProtocolError)


class Request(msgspec.Struct, frozen=True):
    method: str
    path: str  # below the base URL
    headers: Mapping[str, str]
    body: bytes = b""


class Answer(msgspec.Struct, frozen=True):
    http_status: int
    headers: Mapping[str, str]
    body: bytes


class Turn(Protocol):
    """Held by one at a time."""

    async def take(self, seconds: float) -> bool:
        """Whether the turn came within that time."""

    def give_back(self) -> None: ...

    def taken(self) -> bool: ...


class Ground(Protocol):
    def now(self) -> float:
        """Seconds on a clock that only goes forward."""

    def turn(self) -> Turn: ...

    async def send(self, request: Request, *, seconds: float) -> Answer:
        """Raises TransportError."""

    async def sleep(self, seconds: float) -> None: ...


class AsyncGround:
    """asyncio. An `http` that was given is left open; its base URL does not count."""

    def __init__(self, base_url: str, http: httpx.AsyncClient | None = None) -> None:
        self._base_url = base_url
        self._own = http is None
        self._http = httpx.AsyncClient() if http is None else http

    def now(self) -> float:
        return time.monotonic()

    def turn(self) -> Turn:
        return _AsyncTurn()

    async def send(self, request: Request, *, seconds: float) -> Answer:
        try:
            async with asyncio.timeout(seconds + LEEWAY_SECONDS):
                answer = await self._http.request(
                    request.method,
                    self._base_url + request.path,
                    headers=request.headers,
                    content=request.body or None,
                    timeout=seconds,
                    follow_redirects=False,
                )
        except TimeoutError as late:
            raise Unanswered(f"no whole answer within {seconds:.1f} s") from late
        except httpx.RequestError as error:
            raise _translated(error) from error
        return Answer(answer.status_code, answer.headers, answer.content)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def drive(self, work: Coroutine[Any, Any, T]) -> T:
        return await work

    async def close(self) -> None:
        if self._own:
            await self._http.aclose()


class SyncGround:
    """Threads. An `http` that was given is left open; its base URL does not count."""

    def __init__(self, base_url: str, http: httpx.Client | None = None) -> None:
        self._base_url = base_url
        self._own = http is None
        self._http = httpx.Client() if http is None else http

    def now(self) -> float:
        return time.monotonic()

    def turn(self) -> Turn:
        return _SyncTurn()

    async def send(self, request: Request, *, seconds: float) -> Answer:
        try:
            answer = self._http.request(
                request.method,
                self._base_url + request.path,
                headers=request.headers,
                content=request.body or None,
                timeout=seconds,
                follow_redirects=False,
            )
        except httpx.RequestError as error:
            raise _translated(error) from error
        return Answer(answer.status_code, answer.headers, answer.content)

    async def sleep(self, seconds: float) -> None:
        time.sleep(seconds)  # noqa: ASYNC251 - no event loop runs this

    def drive(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            work.send(None)
        except StopIteration as done:
            found: T = done.value
            return found
        work.close()
        raise RuntimeError("a coroutine over SyncGround suspended")

    def close(self) -> None:
        if self._own:
            self._http.close()


class _AsyncTurn:
    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    async def take(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                return await self._lock.acquire()
        except TimeoutError:
            return False

    def give_back(self) -> None:
        self._lock.release()

    def taken(self) -> bool:
        return self._lock.locked()


class _SyncTurn:
    def __init__(self) -> None:
        self._lock = threading.Lock()

    async def take(self, seconds: float) -> bool:
        return self._lock.acquire(timeout=max(0.0, seconds))

    def give_back(self) -> None:
        self._lock.release()

    def taken(self) -> bool:
        return self._lock.locked()


def _translated(error: httpx.RequestError) -> TransportError:
    said = str(error) or type(error).__name__
    if isinstance(error, _BEFORE):
        return Unreachable(said)
    return Unanswered(said) if isinstance(error, _AFTER) else TransportError(said)
