"""One process that serves: its socket, uvicorn on uvloop, and a stop that loses nothing."""

import asyncio
import contextlib
import ctypes
import functools
import signal
import socket
import sys
from collections.abc import Callable, Generator
from typing import Any, Final

from uvicorn import Config
from uvicorn import Server as UvicornServer

from huiyao.errors import OperatorError
from huiyao.server.connection import Connection, Watch

BACKLOG: Final = 2048
# The loop accepts one connection a turn from each socket it was given, however many wait: from a crowd that took
# seconds, in which /healthz was not heard either. So a process that accepts alone is given the same one several times.
DOORS: Final = 8
# Calls end within seconds of their own; whatever is left then is cut off.
STOP_SECONDS: Final = 10
# For handshakes that have begun to come to their end.
HANDSHAKE_SECONDS: Final = 0.1
SO_ATTACH_FILTER: Final = 26  # of Linux; Python does not name it
SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises OperatorError."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(BACKLOG)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise OperatorError(f"Cannot listen on {host} port {port}: {error.strerror or error}.") from error
    listener.setblocking(False)
    return listener


def turn_away(listener: socket.socket) -> None:
    """Let no new connection begin, while those that have begun can still be accepted.

    Closing a listener resets what the kernel has accepted for it in the meantime; a client whose request was in there
    cannot know whether it was done. Linux alone can prevent that: a filter drops every SYN, and when the client sends
    it again, the port is closed and it is refused.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # forbidden, in some sandbox: then that moment's risk remains
            listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, bytes(_Program(len(_NO_SYN), _NO_SYN)))


class _Instruction(ctypes.Structure):
    """struct sock_filter of linux/filter.h."""

    _fields_ = (
        ("code", ctypes.c_uint16),
        ("jt", ctypes.c_uint8),
        ("jf", ctypes.c_uint8),
        ("k", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    """struct sock_fprog of linux/filter.h."""

    _fields_ = (("length", ctypes.c_uint16), ("filter", ctypes.POINTER(_Instruction)))


# A packet begins with its TCP header; byte 13 holds the flags, 0x02 is SYN and 0x10 is ACK.
_NO_SYN: Final = (_Instruction * 5)(
    _Instruction(0x30, 0, 0, 13),  # load that byte
    _Instruction(0x54, 0, 0, 0x12),
    _Instruction(0x15, 1, 0, 0x02),  # a SYN without ACK: go on with the last instruction
    _Instruction(0x06, 0, 0, 0xFFFFFFFF),  # let it pass
    _Instruction(0x06, 0, 0, 0),  # drop it
)


async def run(
    application: Any,
    listener: socket.socket,
    *,
    silence_seconds: float,
    shared: bool = False,
    ending: Callable[[], None] | None = None,
) -> None:
    """Serve an ASGI application until SIGTERM or SIGINT, then answer what was accepted and return.

    `shared`: other processes accept from the listener too, and may go on with it. `ending` is called as the stop
    begins, to end answers that would go on for ever.
    """
    watch = Watch(silence_seconds=silence_seconds)
    server = Server(application, watch, shared=shared, ending=ending)
    sweeper = asyncio.create_task(watch.run(server.server_state.connections))
    try:
        doors = 1 if shared else DOORS
        await server.serve(sockets=[listener, *(listener.dup() for _ in range(doors - 1))])
    finally:
        sweeper.cancel()


class Server(UvicornServer):
    def __init__(
        self,
        application: Any,
        watch: Watch,
        *,
        shared: bool = False,
        ending: Callable[[], None] | None = None,
    ) -> None:
        config = Config(
            application,
            http=functools.partial(Connection, watch=watch),  # type: ignore[arg-type]
            ws="none",
            lifespan="on",
            interface="asgi3",
            log_config=None,
            access_log=False,  # it would log query strings
            proxy_headers=False,  # the application knows which proxies to trust
            server_header=False,
            timeout_graceful_shutdown=STOP_SECONDS,
        )
        super().__init__(config)
        self._watch = watch
        self._shared = shared
        self._ending = ending

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """uvicorn would raise the signal once more at the end, and the process would not exit with 0."""
        loop = asyncio.get_running_loop()
        for one in SIGNALS:
            loop.add_signal_handler(one, self.handle_exit, one, None)
        try:
            yield
        finally:
            for one in SIGNALS:
                loop.remove_signal_handler(one)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take what the kernel accepted for us already, close the door, then uvicorn's way out."""
        self._watch.stopping = True
        if self._ending:
            self._ending()
        if not self._shared:
            for listener in sockets or []:
                turn_away(listener)
            await asyncio.sleep(HANDSHAKE_SECONDS)
        accepted = [one for listener in sockets or [] for one in _accept_all(listener)]
        for server in self.servers:
            server.close()
        loop = asyncio.get_running_loop()
        for one in accepted:
            await loop.connect_accepted_socket(self._connection, one)
        await super().shutdown(sockets)

    def _connection(self) -> Connection:
        return Connection(self.config, self.server_state, self.lifespan.state, watch=self._watch)


def _accept_all(listener: socket.socket) -> list[socket.socket]:
    accepted: list[socket.socket] = []
    while True:
        try:
            one, _ = listener.accept()
        except OSError:  # BlockingIOError: nobody is left
            return accepted
        one.setblocking(False)
        accepted.append(one)
