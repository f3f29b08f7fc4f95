"""The envelope around every answer (contract section 1)."""

import msgspec

_encode = msgspec.json.Encoder().encode

_DONE = b'{"status":0}'
_DONE_SDK = b'{"status":0,"success":true}'


def success(data: bytes | None, *, sdk: bool) -> bytes:
    """`data` is JSON already; `sdk`: the client's first generation believes nothing but the key `success`."""
    if data is None:
        return _DONE_SDK if sdk else _DONE
    return b'{"status":0,"data":%b%b' % (data, b',"success":true}' if sdk else b"}")


def failure(code: int, message: str, *, sdk: bool) -> bytes:
    answer: dict[str, object] = {"status": code, "message": message}
    if sdk:
        answer["success"] = False
    return _encode(answer)
