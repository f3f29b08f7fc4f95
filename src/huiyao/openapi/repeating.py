"""By what a create that comes again is recognised (contract section 4)."""

import hashlib
from typing import Final

from huiyao.openapi.request import Request

KEY_LIVES_MS: Final = 24 * 3_600_000
RESENDS_LAST_MS: Final = 30_000  # the Java client sends a POST again by itself when a connection breaks


def repetition(
    request: Request, requester_name: str, client_token: str | None
) -> tuple[str | None, int, bytes]:
    """The key a repetition carries, how long it is remembered (milliseconds), and the fingerprint of the request.

    Given keys begin with "=", those derived for the Java client with "~": neither can be taken for the other.
    """
    key = request.idempotency_key or client_token
    if key is None and not request.sdk:
        return None, 0, b""
    whole = b"\0".join((request.path.encode(), requester_name.encode(), request.body))
    fingerprint = hashlib.sha256(whole)
    if key is not None:
        return f"={key}", KEY_LIVES_MS, fingerprint.digest()
    return f"~{fingerprint.hexdigest()}", RESENDS_LAST_MS, fingerprint.digest()
