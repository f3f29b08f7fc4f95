"""Another server key, as two nodes of one database see it: what was made with the old one, and who still has it."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from huiyao import errors, keys
from huiyao.errors import OperatorError
from huiyao.model import App, Org
from huiyao.service import installation, keyring, operate, rotation
from huiyao.service.access import Access
from huiyao.service.caller import Clock
from huiyao.service.keyring import Keyring
from huiyao.settings import Settings
from huiyao.storage.contract import Storage
from huiyao.storage.opening import open_storage

OLD, NEW, NEWEST = (f"the {name} server key of the tests of rotation" for name in ("old", "new", "newest"))
SECRET = "an-app-secret-of-the-tests"
DAY_MS = 86_400_000
APP_ID = 7


def wall() -> int:
    return time.time_ns() // 1_000_000


class MovedClock(Clock):
    """The wall's, moved."""

    ahead = 0

    def now(self) -> int:
        return wall() + self.ahead


class Node:
    """A process that was started with some key."""

    def __init__(self, storage: Storage, settings: Settings, keyring: Keyring) -> None:
        self.storage = storage
        self.keyring = keyring
        self.clock = MovedClock()
        self.access = Access(storage, keyring, self.clock, settings)

    async def app(self) -> App:
        return await self.access.authenticate(APP_ID, SECRET)

    async def token(self) -> str:
        token, _ = await self.access.token(await self.app(), force=False)
        return token

    async def takes(self, token: str) -> bool:
        try:
            return (await self.access.verify(token)).id == APP_ID
        except errors.ForgedToken:
            return False


class House:
    """One database, and the nodes on it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._storages: list[Storage] = []

    def settings(self, key: str | None) -> Settings:
        return Settings(database_url=self.url, key=key)

    async def storage(self) -> Storage:
        self._storages.append(await open_storage(self.url))
        return self._storages[-1]

    async def node(self, key: str | None) -> Node:
        storage = await self.storage()
        return Node(storage, self.settings(key), await installation.open_keys(storage, self.settings(key)))

    async def rotate(self, key: str | None, to: str, *, revoke: bool = False, ago_ms: int = 0) -> bool:
        storage = await self.storage()
        return await rotation.rotate(storage, self.settings(key), to, revoke=revoke, now=wall() - ago_ms)

    async def finish(self, key: str | None, *, revoke: bool = False) -> int:
        return await rotation.finish(await self.storage(), self.settings(key), revoke=revoke)

    async def close(self) -> None:
        for storage in self._storages:
            await storage.close()


@pytest.fixture
async def house(url: str) -> AsyncIterator[House]:
    made = House(url)
    first = await made.node(OLD)
    await operate.add_org(first.storage, Org(id=1, name="org"))
    await operate.add_app(first.storage, first.keyring, name="app", orgs=(1,), app_id=APP_ID, secret=SECRET)
    yield made
    await made.close()


async def test_a_node_with_the_old_key_gets_on_and_so_do_its_tokens(house: House) -> None:
    node = await house.node(OLD)
    before = await node.token()
    assert await house.rotate(OLD, NEW)
    other = await house.node(NEW)
    assert await other.takes(before)
    assert await node.takes(before)
    assert await node.token() == before, (
        "made with the old key until every node has had time to learn of the new one"
    )
    assert await other.token() == before
    assert node.keyring.current.check == other.keyring.current.check


async def test_tokens_made_with_the_new_key_are_good_where_the_old_one_was_started(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = await house.node(OLD)
    await house.rotate(OLD, NEW, ago_ms=keyring.SIGNS_AFTER_MS)
    other = await house.node(NEW)
    after = await other.token()
    assert not await node.takes(after), (
        "it has looked a moment ago; it would have learned of the key long before"
    )
    monkeypatch.setattr(keyring, "STALE_SECONDS", 0)
    assert await node.takes(after)


async def test_the_old_key_makes_no_token_that_is_good_for_longer(house: House) -> None:
    await house.rotate(OLD, NEW)
    node = await house.node(NEW)
    fresh = node.access._keyring.earlier[0]
    for ahead, good in ((0, True), (1, False)):
        claim = f"{APP_ID}_0_{fresh.tokens_until + ahead}"
        signer = fresh.keys.token_signer.copy()
        signer.update(claim.encode())
        read = node.access._read(f"{claim}_{signer.hexdigest()}")
        assert (read is not None) == good


async def test_a_token_found_genuine_is_looked_at_again_under_another_key(house: House) -> None:
    node = await house.node(OLD)
    before = await node.token()
    assert await node.takes(before)
    await house.rotate(OLD, NEW)
    await node.keyring.refresh()
    assert await node.takes(before)
    await house.finish(NEW, revoke=True)
    await node.keyring.refresh()
    assert not await node.takes(before)


async def test_few_tokens_are_remembered_and_all_that_are_genuine_are_taken(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huiyao.service.access.TOKENS_REMEMBERED", 2)
    node = await house.node(OLD)
    app = await node.app()
    tokens = [(await node.access.token(app, force=True))[0] for _ in range(5)]
    for token in [*tokens, *tokens]:
        assert await node.takes(token)
        assert len(node.access._genuine) <= 2


async def test_a_secret_that_is_written_with_the_old_key_in_hand_is_sealed_with_the_new_one(
    house: House,
) -> None:
    node = await house.node(OLD)
    await house.rotate(OLD, NEW)
    fresh = await operate.rotate_secret(node.storage, node.keyring, APP_ID, secret=None, revoke=False)
    other = await house.node(NEW)
    assert (await other.access.authenticate(APP_ID, fresh)).id == APP_ID


async def test_after_two_rotations_the_first_key_still_leads_to_the_last(house: House) -> None:
    node = await house.node(OLD)
    before = await node.token()
    await house.rotate(OLD, NEW)
    assert await house.rotate(OLD, NEWEST), "with the oldest key in hand"
    for key in (OLD, NEW, NEWEST):
        started = await house.node(key)
        assert await started.takes(before)
        assert started.keyring.superseded == (key != NEWEST)
    assert await node.takes(await node.token())


async def test_the_same_rotation_again_changes_nothing(house: House) -> None:
    assert await house.rotate(OLD, NEW)
    assert not await house.rotate(OLD, NEW)
    assert not await house.rotate(NEW, NEW)
    assert len((await house.node(NEW)).keyring.former) == 1
    with pytest.raises(OperatorError, match="in force before"):
        await house.rotate(NEW, OLD)


async def test_an_end_is_put_to_the_old_key_and_not_to_its_work(house: House) -> None:
    node = await house.node(OLD)
    before = await node.token()
    await house.rotate(OLD, NEW)
    with pytest.raises(OperatorError, match="before the present one"):
        await house.finish(OLD)
    assert await house.finish(NEW) == 1
    assert await house.finish(NEW) == 0
    with pytest.raises(OperatorError, match="another server key"):
        await house.node(OLD)
    assert await (await house.node(NEW)).takes(before)
    assert await house.finish(NEW, revoke=True) == 1
    assert not await (await house.node(NEW)).takes(before)


async def test_after_thirty_days_the_old_key_opens_nothing_and_after_400_nothing_is_left_of_it(
    house: House,
) -> None:
    await house.rotate(OLD, NEW, ago_ms=30 * DAY_MS + 1000)
    with pytest.raises(OperatorError, match="another server key"):
        await house.node(OLD)
    node = await house.node(NEW)
    assert len(list(node.keyring.verifying(wall()))) == 2
    assert len(list(node.keyring.verifying(wall() + 370 * DAY_MS))) == 1
    assert [one.onward is None for one in node.keyring.former] == [False]
    await node.keyring._forget()
    await node.keyring.refresh()
    assert [one.onward is None for one in node.keyring.former] == [True], "not even in the database"


async def test_a_stolen_key_is_good_for_nothing_at_once(house: House) -> None:
    node = await house.node(OLD)
    before = await node.token()
    await house.rotate(OLD, NEW, revoke=True)
    assert not await (await house.node(NEW)).takes(before)
    with pytest.raises(OperatorError, match="another server key"):
        await house.node(OLD)
    with pytest.raises(errors.SystemFailure):
        await node.app()
    assert node.keyring.lost


async def test_links_and_addresses_of_the_old_key_are_good_for_their_time(house: House) -> None:
    node = await house.node(OLD)
    made = node.keyring.signing(wall()).link_key
    await house.rotate(OLD, NEW)
    other = await house.node(NEW)
    assert await other.keyring.verify(lambda one: one.link_key == made, now=wall())
    assert not await other.keyring.verify(lambda one: one.link_key == made, now=wall() + keyring.KEPT_MS)
    assert other.keyring.signing(wall()).link_key == made
    assert other.keyring.signing(wall() + keyring.SIGNS_AFTER_MS).link_key != made


@pytest.mark.parametrize("text", ["short", "x" * 31, "schlüssel " * 5, "with a blank behind it " * 5])
async def test_what_is_no_key_is_refused(house: House, text: str) -> None:
    with pytest.raises(OperatorError, match="printable ASCII"):
        await house.rotate(OLD, text)


class Embedded(House):
    """The key is in the file beside the database."""

    @property
    def file(self) -> Path:
        return keys.key_file(self.settings(None))


@pytest.fixture
async def embedded(sqlite_url: str) -> AsyncIterator[Embedded]:
    made = Embedded(sqlite_url)
    first = await made.node(None)
    await operate.add_org(first.storage, Org(id=1, name="org"))
    await operate.add_app(first.storage, first.keyring, name="app", orgs=(1,), app_id=APP_ID, secret=SECRET)
    yield made
    await made.close()


@pytest.mark.parametrize("revoke", [False, True])
async def test_a_process_at_work_on_a_file_gets_on_whatever_is_said_of_the_old_key(
    embedded: Embedded, revoke: bool
) -> None:
    node = await embedded.node(None)
    before = await node.token()
    await embedded.rotate(None, NEW, revoke=revoke)
    assert embedded.file.read_text() == f"{NEW}\n"
    assert embedded.file.stat().st_mode & 0o777 == 0o600
    assert (await node.app()).id == APP_ID
    assert await node.takes(before) == (not revoke)
    assert not node.keyring.lost


async def test_a_file_that_was_not_written_is_mended_at_the_next_start(
    embedded: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OperatorError("the disk is full")

    for revoke, text in ((False, NEW), (True, NEWEST)):
        with monkeypatch.context() as patched:
            patched.setattr(keys, "replace", full)
            with pytest.raises(OperatorError, match="full"):
                await embedded.rotate(None, text, revoke=revoke)
        assert embedded.file.read_text() != f"{text}\n"
        node = await embedded.node(None)
        assert embedded.file.read_text() == f"{text}\n"
        assert (await node.app()).id == APP_ID
