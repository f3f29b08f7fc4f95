"""One connection that calls the Open API and tells apart what a client can know afterwards of a call.

Done; failed, so that nothing was changed; or unknown: 503, or a connection that broke, or no answer in time.
"""

import asyncio
import time
from enum import Enum, auto
from typing import Any, Final

import msgspec

PATH: Final = b"/openapi/workbench/meetinginvite/"
HANGS_SECONDS: Final = 15.0  # a call that is not answered for so long hangs, and nothing may


class Outcome(Enum):
    DONE = auto()
    REFUSED = auto()  # with another status: the call is wrong, or its moment is
    FAILED = auto()  # -1 with HTTP 200: nothing was changed
    UNKNOWN = auto()  # HTTP 503, or the connection broke behind the request
    AWAY = auto()  # nobody took the connection: nothing was sent
    HUNG = auto()  # unknown too


UNCERTAIN: Final = frozenset({Outcome.UNKNOWN, Outcome.HUNG})


class Answer(msgspec.Struct, frozen=True):
    outcome: Outcome
    status: int
    data: dict[str, Any]
    started: float  # time.monotonic()
    ended: float
    said: str = ""

    @property
    def seconds(self) -> float:
        return self.ended - self.started


class Reply(msgspec.Struct):
    status: int
    data: dict[str, Any] = {}
    message: str = ""


_decode = msgspec.json.Decoder(Reply).decode


class Connection:
    """Opened when first used, and again after it broke. `port` may be changed in between calls."""

    def __init__(self, port: int, token: str) -> None:
        self.port = port
        self.token = token
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def call(self, name: str, body: dict[str, Any]) -> Answer:
        started = time.monotonic()
        sent = False
        try:
            async with asyncio.timeout(HANGS_SECONDS):
                if self._reader is None or self._writer is None:
                    self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self.port)
                sent = True
                self._writer.write(self._request(name, msgspec.json.encode(body)))
                http, reply = await self._answer(self._reader)
        except (OSError, asyncio.IncompleteReadError) as error:
            self.close()
            outcome = Outcome.UNKNOWN if sent else Outcome.AWAY
            if isinstance(error, TimeoutError):
                outcome = Outcome.HUNG
            return Answer(outcome, -1, {}, started, time.monotonic(), type(error).__name__)
        outcome = _outcome(http, reply.status)
        return Answer(outcome, reply.status, reply.data, started, time.monotonic(), reply.message)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None

    def _request(self, name: str, body: bytes) -> bytes:
        return b"POST %b%b HTTP/1.1\r\nHost: x\r\naccessToken: %b\r\nContent-Length: %d\r\n\r\n%b" % (
            PATH,
            name.encode(),
            self.token.encode(),
            len(body),
            body,
        )

    async def _answer(self, reader: asyncio.StreamReader) -> tuple[int, Reply]:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
        reply = _decode(await reader.readexactly(length))
        if b"connection: close" in head:
            self.close()
        return int(head.split(b" ", 2)[1]), reply


def _outcome(http: int, status: int) -> Outcome:
    if http == 503:
        return Outcome.UNKNOWN
    if status == 0:
        return Outcome.DONE
    return Outcome.FAILED if status == -1 else Outcome.REFUSED
