"""A server that speaks Kannel's sendsms and misbehaves as it is told: what the real Kannel cannot be made to do."""

import socket
import struct
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, urlsplit

Manner = Callable[["Handler"], None]


def answering(status: int, body: str = "", **headers: str) -> Manner:
    def manner(handler: "Handler") -> None:
        handler.send_response(status)
        for name, value in {"content-length": str(len(body.encode())), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body.encode())

    return manner


ACCEPTING = answering(202, "0: Accepted for delivery")


def slowly(seconds: float, then: Manner = ACCEPTING) -> Manner:
    """Answers late, or not at all where the server is stopped before."""

    def manner(handler: "Handler") -> None:
        if not handler.gateway.stopped.wait(seconds):
            then(handler)

    return manner


def first(action: Callable[[dict[str, str]], None], then: Manner = ACCEPTING) -> Manner:
    """Does something with the request's parameters before it answers."""

    def manner(handler: "Handler") -> None:
        action(handler.gateway.requests[-1])
        then(handler)

    return manner


def saying(raw: bytes) -> Manner:
    """Writes these bytes, which need not be HTTP, and closes."""

    def manner(handler: "Handler") -> None:
        handler.close_connection = True
        handler.wfile.write(raw)

    return manner


def cutting(handler: "Handler") -> None:
    """The request has come, and the connection is reset."""
    handler.close_connection = True
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


class Handler(BaseHTTPRequestHandler):
    gateway: "SlowGateway"
    protocol_version = "HTTP/1.1"  # a connection lasts as long as the client likes

    def setup(self) -> None:
        super().setup()
        self.gateway.connections += 1

    def do_GET(self) -> None:
        self.gateway.note(self.path)
        try:
            self.gateway.manner(self)
        except OSError:  # the client has lost patience
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a test looks at `requests`."""


class SlowGateway:
    """Each request is kept as it comes, before anything is answered."""

    def __init__(self, manner: Manner = ACCEPTING) -> None:
        self.manner = manner
        self.requests: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.connections = 0
        self.stopped = threading.Event()
        handler = type("BoundHandler", (Handler,), {"gateway": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def authority(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        """For HUIYAO_SMS_URL."""
        return f"kannel://huiyao:secret@{self.authority}"

    def note(self, target: str) -> None:
        parts = urlsplit(target)
        self.paths.append(parts.path)
        self.requests.append(dict(parse_qsl(parts.query, keep_blank_values=True)))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopped.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
