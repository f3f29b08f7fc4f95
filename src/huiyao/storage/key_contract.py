"""What the rest of Huiyao may ask of a database about the server key: a part of `contract.Storage`.

Whatever is sealed is written only where the database still has the key it was sealed with, in the transaction that
writes it; so a rotation, which seals everything anew in one transaction, leaves nothing behind.
"""

from collections.abc import Callable
from typing import Final, Protocol

import msgspec

KEY_CHECK: Final = "key_check"  # the setting by which a database knows its server key
FORMER_KEYS: Final = "former_keys"  # what is kept of those before it


class KeyState(msgspec.Struct, frozen=True):
    """What the database says of the server key."""

    check: str | None  # of the key everything is sealed with; None: there is none yet
    former: str  # what `service.keyring` keeps of those before it; "" where there are none


# (app, what is sealed for it) → the same under another key.
Reseal = Callable[[int, bytes], bytes]


class KeyStorage(Protocol):
    """As `contract.Storage` says of errors."""

    async def key_state(self) -> KeyState: ...

    async def last_expiry(self) -> int:
        """When the last of all tokens that were ever issued and may still be good expires; 0: there is none."""

    async def rotate_key(self, *, known: KeyState, then: KeyState, reseal: Reseal) -> bool:
        """One transaction: seal every secret of every app anew and write the new state; what `reseal` raises ends it.

        False, and nothing is written, where the state is not `known` any more.
        """

    async def put_former_keys(self, *, known: KeyState, former: str) -> bool:
        """Write what is kept of earlier keys; False, with nothing written, where the state is not `known` any more."""

    async def put_secret(self, app_id: int, sealed: bytes, *, check: str) -> bool:
        """The app's secret, sealed with the key of this check.

        False, and nothing is written, where the database has another key by now.
        """
