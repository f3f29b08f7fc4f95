"""What every database says of the server key: everything sealed is sealed anew at once, and nothing is left behind."""

import asyncio

import msgspec
import pytest

from huiyao.errors import OperatorError
from huiyao.keys import Keys
from huiyao.model import App, Callback
from huiyao.storage.contract import Storage
from huiyao.storage.key_contract import KEY_CHECK, KeyState
from huiyao.storage.opening import open_storage
from tests.storage.node import APP, Node

OLD, NEW, NEWEST = (
    Keys.from_text(f"the {name} server key of the storage's tests") for name in ("o", "n", "m")
)
URL = "https://hooks.example.com/"


@pytest.fixture
async def sealed(node: Node) -> Storage:
    """A database of the key OLD, with an app that has secrets of every kind and one with only what every app has."""
    storage = node.storage
    await storage.keep_setting(KEY_CHECK, OLD.check)
    await storage.put_app(App(id=8, name="plain", secret=OLD.seal("secret of 8", app_id=8)))
    assert await storage.put_secret(APP.id, OLD.seal("secret", app_id=APP.id), check=OLD.check)
    callback = Callback(
        style="standard",
        secret=OLD.seal("whsec", app_id=APP.id),
        old_secret=OLD.seal("old whsec", app_id=APP.id),
        old_until=1,
    )
    assert await storage.put_callback(APP.id, URL, callback, check=OLD.check)
    return storage


def from_old(app_id: int, one: bytes) -> bytes:
    return NEW.seal(OLD.unseal(one, app_id=app_id), app_id=app_id)


async def rotate(storage: Storage) -> bool:
    return await storage.rotate_key(
        known=KeyState(OLD.check, ""), then=KeyState(NEW.check, "former"), reseal=from_old
    )


async def secrets(storage: Storage, keys: Keys) -> list[str]:
    """Everything sealed. Raises OperatorError where another key sealed it."""
    found = []
    for app in await storage.apps():
        callback = app.callback
        for one in (app.secret, *((callback.secret, callback.old_secret) if callback else ())):
            if one is not None:
                found.append(keys.unseal(one, app_id=app.id))
    return found


async def test_a_rotation_seals_everything_anew_and_leaves_nothing_of_the_old_key(sealed: Storage) -> None:
    everything = ["secret", "whsec", "old whsec", "secret of 8"]
    assert await secrets(sealed, OLD) == everything
    assert await rotate(sealed)
    assert await sealed.key_state() == KeyState(NEW.check, "former")
    assert await secrets(sealed, NEW) == everything
    with pytest.raises(OperatorError):
        await secrets(sealed, OLD)


async def test_of_two_rotations_at_once_one_is_done(sealed: Storage) -> None:
    assert sorted(await asyncio.gather(rotate(sealed), rotate(sealed))) == [False, True]
    assert len(await secrets(sealed, NEW)) == 4


async def test_a_rotation_that_fails_at_one_secret_changes_nothing(sealed: Storage) -> None:
    await sealed.put_secret(8, NEWEST.seal("of another key", app_id=8), check=OLD.check)
    with pytest.raises(OperatorError, match="app 8"):
        await rotate(sealed)
    assert await sealed.key_state() == KeyState(OLD.check, "")
    app = await sealed.app(APP.id)
    assert app is not None
    assert OLD.unseal(app.secret, app_id=APP.id) == "secret"


async def test_what_is_sealed_with_an_earlier_key_is_not_written(sealed: Storage) -> None:
    await rotate(sealed)
    late = Callback(style="platform", secret=OLD.seal("late", app_id=APP.id))
    assert not await sealed.put_secret(APP.id, OLD.seal("late", app_id=APP.id), check=OLD.check)
    assert not await sealed.put_callback(APP.id, URL, late, check=OLD.check)
    assert "late" not in await secrets(sealed, NEW)
    assert await sealed.put_callback(APP.id, "", None, check=OLD.check), "nothing sealed is in it"


async def test_what_is_put_of_an_app_leaves_its_secret_alone(sealed: Storage) -> None:
    app = await sealed.app(APP.id)
    assert app is not None
    await rotate(sealed)
    await sealed.put_app(msgspec.structs.replace(app, name="read before, written after"))
    assert (await secrets(sealed, NEW))[0] == "secret"


async def test_what_is_kept_of_earlier_keys_is_written_over_what_was_read_only(sealed: Storage) -> None:
    await rotate(sealed)
    assert not await sealed.put_former_keys(known=KeyState(OLD.check, "former"), former="x")
    assert not await sealed.put_former_keys(known=KeyState(NEW.check, ""), former="x")
    assert await sealed.put_former_keys(known=KeyState(NEW.check, "former"), former="x")
    assert await sealed.key_state() == KeyState(NEW.check, "x")


async def test_the_last_expiry_is_that_of_the_last_token(sealed: Storage) -> None:
    assert await sealed.last_expiry() == 0
    for app_id, expires_at in ((APP.id, 7000), (8, 9000), (APP.id, 8000)):
        await sealed.issue_generation(app_id, now=1, expires_at=expires_at)
    assert await sealed.last_expiry() == 9000


async def test_secrets_written_during_rotations_are_all_of_the_key_that_is_in_force(
    sealed: Storage, url: str
) -> None:
    """Writers take whatever key the database has, and rotations go to and fro between two."""
    other, keys = await open_storage(url), [OLD, NEW]

    async def turn() -> None:
        now, then = keys

        def reseal(app_id: int, one: bytes) -> bytes:
            return then.seal(now.unseal(one, app_id=app_id), app_id=app_id)

        state = await sealed.key_state()
        assert await sealed.rotate_key(known=state, then=KeyState(then.check, ""), reseal=reseal)
        keys.reverse()

    async def turn_often() -> None:
        for _ in range(20):
            await turn()

    async def write() -> None:
        mine, written = OLD, 0
        while written < 20 or not turning.done():
            if await other.put_secret(8, mine.seal(f"secret {written}", app_id=8), check=mine.check):
                written += 1
            else:
                mine = NEW if mine is OLD else OLD

    turning = asyncio.create_task(turn_often())
    await asyncio.gather(write(), write(), turning)
    assert (await sealed.key_state()).check == keys[0].check
    assert len(await secrets(sealed, keys[0])) == 4
    await other.close()
