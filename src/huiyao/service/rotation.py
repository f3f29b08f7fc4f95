"""Another server key for an installation that is at work, and the end of the one before it.

Everything sealed is sealed anew in one transaction, so a stop at any moment leaves the old key in force or the new one.
Tickets, sessions and cursors have nothing to do with the server key.
"""

import time
from collections.abc import Callable
from typing import Final

import msgspec

from huiyao import keys
from huiyao.errors import OperatorError
from huiyao.keys import Keys
from huiyao.service import installation, keyring
from huiyao.service.keyring import Former, Found
from huiyao.settings import SHORTEST_KEY, Settings
from huiyao.storage.contract import Storage
from huiyao.storage.key_contract import KeyState

SLACK_MS: Final = 60_000  # nodes make tokens with the old key a little longer, and their clocks differ


async def rotate(
    storage: Storage,
    settings: Settings,
    text: str,
    *,
    revoke: bool,
    now: int,
    before: Callable[[], None] = lambda: None,
) -> bool:
    """Make `text` the server key; False where it is already. Raises OperatorError.

    Tokens, links and addresses made with the old key stay good for their time, and processes that have it get on;
    `revoke`: neither. `before` is called as soon as nothing can stand in the way any more.
    """
    new = Keys.from_text(checked(text))
    old, state = await _open(storage, settings)
    if new.check == old.keys.check:
        if settings.key is None:
            keys.replace(keys.key_file(settings), text)
        return False
    kept = keyring.still_kept(keyring.read_former(state), now)
    if any(one.check == new.check for one in kept):
        raise OperatorError("This key was in force before; take one that never was.")
    before()
    in_file = settings.key is None
    former = [] if revoke else [_carried(one, old.keys, new) for one in kept]
    if in_file or not revoke:
        retired = Former(
            check=old.keys.check,
            retired_at=now,
            tokens_until=max(await storage.last_expiry(), now + settings.token_seconds * 1000) + SLACK_MS,
            key=None if revoke else new.seal_key(old.text),
            onward=old.keys.seal_key(text),  # mends a key file, should we be stopped before it is written
        )
        former.append(retired)
    then = KeyState(new.check, keyring.write_former(former))

    def reseal(app_id: int, sealed: bytes) -> bytes:
        return new.seal(old.keys.unseal(sealed, app_id=app_id), app_id=app_id)

    if not await storage.rotate_key(known=state, then=then, reseal=reseal):
        raise OperatorError("Somebody else rotated the server key meanwhile; look at `huiyao doctor`.")
    if in_file:
        keys.replace(keys.key_file(settings), text)
        if revoke:
            await _end(storage, then, former, revoke=True)
    return True


async def finish(storage: Storage, settings: Settings, *, revoke: bool) -> int:
    """The keys before the present one open nothing any more; `revoke`: nor is anything made with them good.

    How many there were of which something was good. Raises OperatorError.
    """
    found, state = await _open(storage, settings)
    if found.superseded:
        raise OperatorError(
            "HUIYAO_KEY is the key before the present one here; set it to the present one, on every node first."
        )
    former = keyring.read_former(state)
    return await _end(storage, state, former, revoke=revoke)


async def _open(storage: Storage, settings: Settings) -> tuple[Found, KeyState]:
    await installation.open_keys(storage, settings)  # makes a first one, mends the file
    text, state = keys.find(settings), await storage.key_state()
    assert text is not None
    return keyring.follow(text, state, now=time.time_ns() // 1_000_000), state


def _carried(one: Former, old: Keys, new: Keys) -> Former:
    """As it is kept under the new key."""
    if one.key is None:
        return one
    return msgspec.structs.replace(one, key=new.seal_key(old.unseal_key(one.key)))


async def _end(storage: Storage, state: KeyState, former: list[Former], *, revoke: bool) -> int:
    left = [] if revoke else [msgspec.structs.replace(one, onward=None) for one in former]
    if left != former and not await storage.put_former_keys(known=state, former=keyring.write_former(left)):
        raise OperatorError("Somebody else rotated the server key meanwhile; look at `huiyao doctor`.")
    return len(former) if revoke else sum(1 for one in former if one.onward is not None)


def checked(text: str) -> str:
    """Raises OperatorError for what is no server key."""
    if len(text) < SHORTEST_KEY or not text.isascii() or not text.isprintable() or text != text.strip():
        raise OperatorError(f"A server key has {SHORTEST_KEY} or more printable ASCII characters.")
    return text
