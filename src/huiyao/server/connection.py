"""One HTTP connection: uvicorn's, watched for silence and for who does not read, its early answers readable.

There are no timers per request; `Watch` looks at every connection twice a second.
"""

import asyncio
from collections.abc import Iterable
from enum import Enum
from time import monotonic
from typing import Any, Final

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

SWEEP_SECONDS: Final = 0.5
# Longer than the usual 60 s of a load balancer, so that it closes first and never sends into a closing connection.
KEEP_ALIVE_SECONDS: Final = 75.0
# While stopping, how long a kept connection may still bring a request that was on its way.
LAST_CALL_SECONDS: Final = 0.5
# How long the rest of a body is taken in and thrown away after an early answer.
DRAIN_SECONDS: Final = 30.0
STOPPING_DRAIN_SECONDS: Final = 2.0
LONGEST_HEAD_BYTES: Final = 65_536

_INTERIM: Final = b"HTTP/1.1 1"  # 100 Continue: the client waits for it, and the answer is still to come
_REFUSAL: Final = (
    b"HTTP/1.1 %b\r\ncontent-type: application/json;charset=UTF-8\r\ncontent-length: %d\r\n"
    b"connection: close\r\n\r\n%b"
)
_MALFORMED: Final = '{"status":-1,"message":"HTTP请求格式错误"}'.encode()
_HEAD_TOO_LONG: Final = '{"status":-1,"message":"HTTP请求头过长"}'.encode()


class State(Enum):
    """How much of a request has come."""

    BETWEEN = 0  # nothing of the next one
    HEAD = 1
    BODY = 2


class Connection(HttpToolsProtocol):
    """uvicorn's protocol. It is its requests' transport too, to see them close."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        watch: "Watch",
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.watch = watch
        self.state = State.BETWEEN
        self.heard_at = self.answered_at = monotonic()
        self.last = False  # to be closed once the body that comes in is at its end
        self._head_bytes = 0
        self._head = b""  # of the answer, not yet written
        self._answer_begins = True
        self._newest: RequestResponseCycle | None = None  # the request whose head came last
        self._written = self._taken = 0  # bytes of answers, and how many of them have left us
        self._taken_at = self.heard_at

    # What uvicorn's requests do with their transport

    def write(self, data: bytes) -> None:
        """The head of an answer waits for the beginning of its body, or its end: one system call instead of two.

        Of requests sent without waiting, uvicorn tells only the last that the client has gone; others still write.
        """
        if self.transport.is_closing():
            return
        if self._head:
            data, self._head = self._head + data, b""
        elif self._answer_begins and not data.startswith(_INTERIM):
            self._answer_begins = False
            self._head = data
            return
        self._written += len(data)
        self.transport.write(data)

    def _flush(self) -> None:
        if self._head:
            head, self._head = self._head, b""
            if not self.transport.is_closing():
                self._written += len(head)
                self.transport.write(head)

    def is_closing(self) -> bool:
        return self.transport.is_closing()

    def close(self) -> None:
        """Closed with unread data, a socket is reset and the client never sees the answer: read on (RFC 9112, 9.6)."""
        self._flush()
        if self.state is State.BODY:
            self.last = True
        else:
            self.transport.close()

    # What the socket and the parser tell

    def data_received(self, data: bytes) -> None:
        self.heard_at = monotonic()
        super().data_received(data)
        if self.state is State.HEAD:
            self._head_bytes += len(data)
            if self._head_bytes > LONGEST_HEAD_BYTES:
                self._refuse(b"431 Request Header Fields Too Large", _HEAD_TOO_LONG)

    def on_message_begin(self) -> None:
        self.state = State.HEAD
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self.state = State.BODY
        super().on_headers_complete()
        cycle = self._newest = self.cycle
        cycle.transport = self  # type: ignore[assignment]
        if self.watch.stopping:
            cycle.keep_alive = False

    def on_message_complete(self) -> None:
        self.state = State.BETWEEN
        if self.last:
            self.transport.close()
        else:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """As uvicorn's, but without a timer for each kept connection."""
        self._flush()
        self.server_state.total_requests += 1
        self._answer_begins = True
        self.heard_at = self.answered_at = monotonic()
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)

    def send_400_response(self, msg: str) -> None:
        self._refuse(b"400 Bad Request", _MALFORMED)

    def shutdown(self) -> None:
        """The server stops: the request under way is the last one; `Watch` closes the connection if there is none."""
        if self._newest is not None:
            self._newest.keep_alive = False

    def _unsupported_upgrade_warning(self) -> None:
        """Java's client offers HTTP/2 with every request; HTTP/1.1 is the answer, and nothing to log."""

    def _refuse(self, status: bytes, answer: bytes) -> None:
        self._flush()
        if self.last:  # it has its answer
            self.transport.close()
        elif not self.transport.is_closing():
            self.transport.write(_REFUSAL % (status, len(answer), answer))
            self.transport.close()

    # What Watch asks

    def expired(self, now: float, *, silence_seconds: float) -> bool:
        """Whether nothing more is to be waited for."""
        if self._unread(now) > silence_seconds:
            return True
        silent = now - self.heard_at > silence_seconds
        answered = self._newest is None or self._newest.response_complete
        if self.state is State.BODY and answered:
            drained = STOPPING_DRAIN_SECONDS if self.watch.stopping else DRAIN_SECONDS
            return silent or now - self.answered_at > drained
        if self.state is not State.BETWEEN:
            return silent and not self.flow.read_paused
        patience = LAST_CALL_SECONDS if self.watch.stopping else KEEP_ALIVE_SECONDS
        return answered and not self.pipeline and now - self.heard_at > patience

    def _unread(self, now: float) -> float:
        """For how many seconds the client has taken nothing of an answer that fills our memory."""
        waiting = self.transport.get_write_buffer_size()
        if not waiting or self._written - waiting != self._taken:
            self._taken = self._written - waiting
            self._taken_at = now
        return now - self._taken_at


class Watch:
    """Looks at all connections of a process."""

    def __init__(self, *, silence_seconds: float) -> None:
        self.stopping = False
        self._silence_seconds = silence_seconds

    async def run(self, connections: Iterable[object]) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            await asyncio.sleep(0)  # what came in while the process was busy is to be heard first
            self.sweep(connections)

    def sweep(self, connections: Iterable[object]) -> None:
        now = monotonic()
        for one in list(connections):
            if isinstance(one, Connection) and one.expired(now, silence_seconds=self._silence_seconds):
                one.transport.abort()
