"""Reading requests' bodies, within the limit the operator set for one, and a multiple of it for all together."""

from typing import Final

from huiyao import errors
from huiyao.openapi.request import Receive

LARGEST_TOGETHER: Final = 8  # so many of the largest bodies allowed may be held at a time


class ClientGone(Exception):
    """The client went away before its request was complete; nobody is there to be answered."""


class Body:
    """One request's body: `read` once, `release` once the call is over."""

    __slots__ = ("_bodies", "_held")

    def __init__(self, bodies: "Bodies") -> None:
        self._bodies = bodies
        self._held = 0

    async def read(self, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        """All of it. Raises BodyTooLarge and Overloaded as soon as that is known, and ClientGone.

        What the client still sends after an error is thrown away by the server, so that it can read the answer.
        """
        limit_bytes = self._bodies.limit_bytes
        announced = headers.get(b"content-length")
        if announced is None:
            if b"transfer-encoding" not in headers:
                return b""
        elif announced == b"0":
            return b""
        elif int(announced) > limit_bytes:  # the server has checked that these are digits
            raise errors.BodyTooLarge(limit_bytes)
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        body: bytes = message.get("body", b"")
        if not message.get("more_body", False) and len(body) <= limit_bytes:
            return body  # nearly all: in one piece, which is never long
        parts, size = [body], len(body)
        while size <= limit_bytes:
            self._hold(len(parts[-1]))
            if not message.get("more_body", False):
                return b"".join(parts)
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            parts.append(message.get("body", b""))
            size += len(parts[-1])
        raise errors.BodyTooLarge(limit_bytes)

    def _hold(self, size: int) -> None:
        self._held += size
        self._bodies.held_bytes += size
        if self._bodies.held_bytes > self._bodies.limit_bytes * LARGEST_TOGETHER:
            raise errors.Overloaded

    def release(self) -> None:
        self._bodies.held_bytes -= self._held
        self._held = 0


class Bodies:
    """What a process holds of bodies that come in more than one piece."""

    def __init__(self, *, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes  # of one
        self.held_bytes = 0
