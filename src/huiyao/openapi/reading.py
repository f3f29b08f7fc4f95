"""Reading a request's body, within the limit the operator set."""

from huiyao import errors
from huiyao.openapi.request import Receive


class ClientGone(Exception):
    """The client went away before its request was complete; nobody is there to be answered."""


async def read_body(headers: dict[bytes, bytes], receive: Receive, *, limit_bytes: int) -> bytes:
    """The whole body. Raises BodyTooLarge as soon as that is known, and ClientGone.

    What the client still sends after BodyTooLarge is thrown away by the server, so that it can read the answer.
    """
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
        return body
    parts, size = [body], len(body)
    while size <= limit_bytes:
        if not message.get("more_body", False):
            return b"".join(parts)
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        parts.append(message.get("body", b""))
        size += len(parts[-1])
    raise errors.BodyTooLarge(limit_bytes)
