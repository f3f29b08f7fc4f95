"""The contract of inboxes, the directory, tokens and the rest, on both databases."""

import asyncio
import sqlite3
from pathlib import Path

import msgspec
import pytest

from huiyao.errors import OperatorError
from huiyao.model import App, Generation, MsgStatus, Org, Person, Session, Ticket
from huiyao.rules import commands
from huiyao.service import meetings
from huiyao.storage import migrate
from huiyao.storage.contract import Position
from tests.storage.node import APP, BOSS, NOW, ORG, Node, caller
from tests.storage.rows import fetch


async def test_an_inbox_without_cursor_gives_the_newest_oldest_first(node: Node) -> None:
    made = []
    for _ in range(5):
        made.append(await node.create("ann"))
        await node.expand_all()
    page = await node.storage.inbox(ORG.id, "ann", after=None, size=3)
    assert [one.meeting_id for one in page.messages] == made[2:]
    assert page.unread == 5
    behind = await node.storage.inbox(ORG.id, "ann", after=page.end, size=3)
    assert (behind.messages, behind.end) == ((), page.end)


async def test_pages_follow_each_other_without_gap_or_repetition(node: Node) -> None:
    made = []
    for _ in range(4):
        made += [await node.create("ann") for _ in range(2)]
        await node.expand_all()
    found = await node.inbox("ann")
    assert sorted(one.meeting_id for one in found) == made
    newest = await node.storage.inbox(ORG.id, "ann", after=None, size=200)
    assert list(newest.messages) == found


async def test_an_empty_inbox_has_an_end_to_start_from(node: Node) -> None:
    page = await node.storage.inbox(ORG.id, "ann", after=None, size=3)
    assert (page.messages, page.unread, page.end) == ((), 0, Position(0, 0))
    await node.create("ann")
    await node.expand_all()
    assert len((await node.storage.inbox(ORG.id, "ann", after=page.end, size=3)).messages) == 1


async def test_marking_as_read_reaches_that_message_and_those_before_it(node: Node) -> None:
    for _ in range(3):
        await node.create("ann", "bob")
        await node.expand_all()
    messages = await node.inbox("ann")
    assert await node.storage.mark_inbox_read(ORG.id, "ann", message_id=messages[1].id, now=NOW + 5)
    assert [one.read_at for one in await node.inbox("ann")] == [NOW + 5, NOW + 5, None]
    assert await node.storage.mark_inbox_read(ORG.id, "ann", message_id=messages[1].id, now=NOW + 9)
    assert [one.read_at for one in await node.inbox("ann")] == [NOW + 5, NOW + 5, None]
    assert (await node.storage.inbox(ORG.id, "ann", after=None, size=1)).unread == 1
    assert (await node.storage.inbox(ORG.id, "bob", after=None, size=1)).unread == 3


async def test_marking_a_meeting_as_read_reaches_all_this_person_was_told_of_it_and_nothing_else(
    node: Node,
) -> None:
    meeting_id = await node.create("ann", "bob")
    other = await node.create("ann")
    await node.expand_all()
    await node.update(meeting_id, "ann", "bob", address="hall")
    await node.expand_all()
    assert await node.storage.mark_meeting_read(ORG.id + 1, "ann", meeting_id, now=NOW + 5) == 0
    assert await node.storage.mark_meeting_read(ORG.id, "ann", meeting_id, now=NOW + 5) == 2
    assert await node.storage.mark_meeting_read(ORG.id, "ann", meeting_id, now=NOW + 9) == 0
    read = {(one.meeting_id, one.read_at) for one in await node.inbox("ann")}
    assert read == {(meeting_id, NOW + 5), (other, None)}
    assert (await node.storage.inbox(ORG.id, "bob", after=None, size=1)).unread == 2


async def test_nobody_marks_another_persons_message(node: Node) -> None:
    await node.create("ann", "bob")
    await node.expand_all()
    (message,) = await node.inbox("bob")
    assert not await node.storage.mark_inbox_read(ORG.id, "ann", message_id=message.id, now=NOW)
    assert not await node.storage.mark_inbox_read(ORG.id + 1, "bob", message_id=message.id, now=NOW)


async def test_requests_teach_new_people_and_change_nobody(node: Node) -> None:
    imported = Person(org_id=ORG.id, uid="ann", name="Ann as imported", mobile="+8613800138000", locale="en")
    await node.storage.import_people([imported])
    await node.create("ann", "bob")
    assert await node.storage.person(ORG.id, "ann") == imported
    assert await node.storage.person(ORG.id, "bob") == Person(org_id=ORG.id, uid="bob", name="name of bob")
    assert await node.storage.unknown_people(ORG.id, ["z", "bob", "y", "ann"]) == ["z", "y"]
    assert await node.storage.unknown_people(ORG.id + 1, ["bob"]) == ["bob"]


async def test_an_erased_person_leaves_only_a_mark_without_a_name(node: Node, url: str) -> None:
    meeting_id = await node.create("ann")
    await node.expand_all()
    answer = commands.Respond(msg_status=MsgStatus.ACCEPTED, reply="my secret reason")
    await meetings.respond(node.services, caller("ann"), meeting_id, answer)
    assert await node.storage.erase_person(ORG.id, "ann")
    found = await node.storage.meeting(ORG.id, meeting_id, "ann")
    assert found
    assert (found[1].name, found[1].reply) == ("-", "")
    assert await node.inbox("ann") == []
    assert await node.storage.person(ORG.id, "ann") is None
    lines = await fetch(url, "SELECT kind, actor_uid, change FROM history ORDER BY xid, id")
    assert lines == [("created", BOSS, "{}"), ("responded", "ann", "{}")]
    assert not await node.storage.erase_person(ORG.id, "nobody")
    assert await node.storage.erase_person(ORG.id, BOSS)
    found = await node.storage.meeting(ORG.id, meeting_id, BOSS)
    assert found
    assert found[0].organizer_name == "-"


async def test_an_erased_person_is_signed_out_and_found_no_more(node: Node, url: str) -> None:
    await node.people("ann", "bob")
    for uid in ("ann", "bob"):
        session = Session(
            org_id=ORG.id, hash=uid.encode(), uid=uid, app_id=None, created_at=NOW, expires_at=NOW + 9
        )
        assert await node.storage.open_session(session, None)
        ticket = Ticket(org_id=ORG.id, hash=b"t", uid=uid, app_id=None, created_at=NOW, expires_at=NOW + 9)
        await node.storage.put_ticket(msgspec.structs.replace(ticket, hash=uid.encode()))
    mine = await node.create("ann", "bob")
    assert await node.storage.erase_person(ORG.id, "ann")
    assert await fetch(url, "SELECT uid FROM session") == [("bob",)]
    assert await fetch(url, "SELECT uid FROM ticket") == [("bob",)]
    found = await node.storage.search_people(ORG.id, ["name"], mobile=None, after_uid="", size=9)
    assert [one.uid for one in found] == ["bob", BOSS]
    names = await fetch(url, f"SELECT uid, name FROM attendee WHERE meeting_id = {mine} ORDER BY uid")
    assert names == [("ann", "-"), ("bob", "name of bob"), (BOSS, "name of boss")]


async def test_organisations_are_kept_and_replaced(node: Node) -> None:
    other = Org(id=2, name="other", timezone="Europe/Berlin", closed=True)
    await node.storage.put_org(other)
    assert await node.storage.org(2) == other
    await node.storage.put_org(msgspec.structs.replace(other, closed=False))
    assert [one.closed for one in await node.storage.orgs()] == [False, False]
    assert await node.storage.org(3) is None


async def test_an_app_is_replaced_with_its_grants_but_keeps_its_generation_and_secret(node: Node) -> None:
    await node.storage.put_org(Org(id=2, name="other"))
    await node.storage.issue_generation(APP.id, now=NOW, expires_at=NOW + 10)
    app = App(
        id=APP.id,
        name="new",
        secret=b"s",
        orgs=(1, 2),
        default_org=2,
        disabled=True,
        grants=frozenset({"x", "y"}),
    )
    await node.storage.put_app(app)
    assert await node.storage.app(APP.id) == msgspec.structs.replace(app, generation=1, secret=APP.secret)
    assert [one.id for one in await node.storage.apps()] == [APP.id]
    assert await node.storage.app(404) is None


async def test_generations_rise_by_one_each_however_many_are_asked_for_at_once(node: Node) -> None:
    issue = node.storage.issue_generation
    issued = await asyncio.gather(*(issue(APP.id, now=NOW, expires_at=NOW + 10) for _ in range(20)))
    assert sorted(one.number for one in issued) == list(range(1, 21))
    assert await node.storage.generation(APP.id, 7) == Generation(
        app_id=APP.id, number=7, issued_at=NOW, expires_at=NOW + 10
    )
    await issue(APP.id, now=NOW + 10, expires_at=NOW + 20)
    assert await node.storage.generation(APP.id, 7) is None


async def test_what_the_installation_remembers_is_said_once(node: Node) -> None:
    assert await node.storage.setting("x") is None
    assert await node.storage.keep_setting("x", "first") == "first"
    assert await node.storage.keep_setting("x", "second") == "first"
    assert await node.storage.setting("x") == "first"


async def test_the_newest_beat_of_any_dispatcher_counts(node: Node) -> None:
    assert await node.storage.last_beat() is None
    await node.storage.beat("one", now=NOW)
    await node.storage.beat("two", now=NOW + 5)
    await node.storage.beat("one", now=NOW + 3)
    assert await node.storage.last_beat() == NOW + 5


async def test_the_schema_is_the_newest_and_the_database_answers(node: Node) -> None:
    await node.storage.ping()
    assert await node.storage.schema_version() == migrate.newest()


async def test_committed_tasks_wake_the_dispatcher(node: Node) -> None:
    woken = asyncio.Event()
    await node.storage.listen(woken.set)
    await node.create("ann")
    async with asyncio.timeout(5):
        await woken.wait()


async def test_a_backup_is_a_whole_database_and_overwrites_nothing(node: Node, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    if node.storage.backend == "postgresql":
        with pytest.raises(OperatorError, match="pg_dump"):
            await node.storage.backup(str(target))
        return
    meeting_id = await node.create("ann")
    await node.storage.backup(str(target))
    with sqlite3.connect(target) as copy:
        assert copy.execute("SELECT id FROM meeting").fetchall() == [(meeting_id,)]
    copy.close()
    with pytest.raises(OperatorError, match="exists already"):
        await node.storage.backup(str(target))
