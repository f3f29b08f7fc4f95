"""What only SQLite can suffer: its one writer thread, its one file, and whoever else holds or fills that file."""

import asyncio
import resource
import shutil
import sqlite3
import stat
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from huiyao import errors
from huiyao.errors import OperatorError
from huiyao.rules import commands, organize
from huiyao.rules.change import Change
from huiyao.storage.contract import Committed, Verdict
from huiyao.storage.sqlite import Sqlite, checkpoints, open_sqlite, reads, writer
from huiyao.storage.sqlite.expand import _PEEK
from huiyao.storage.sqlite.writer import connect
from tests.storage.node import APP, BOSS, HOUR, NOW, ORG, Node, StoppedClock, detail


@pytest.fixture
def file(sqlite_template: Path, tmp_path: Path) -> Path:
    """A fresh migrated database file."""
    return Path(shutil.copy(sqlite_template, tmp_path / "huiyao.db"))


@pytest.fixture
async def storage(file: Path) -> AsyncIterator[Sqlite]:
    storage = await open_sqlite(str(file), max_waiting=50)
    await storage.put_org(ORG)
    await storage.put_app(APP)
    yield storage
    await storage.close()


@pytest.fixture
def node(storage: Sqlite) -> Node:
    return Node(storage, StoppedClock())


async def creation(node: Node, *uids: str, key: str | None = None) -> Change:
    """A create that is decided and not yet committed."""
    command = commands.Create(
        requester_name="boss", detail=detail(*uids), repeat_key=key, repeat_for=HOUR, fingerprint=b"one"
    )
    ids = await node.services.ids.take(organize.IDS_NEEDED)
    return organize.create(command, org_id=ORG.id, app_id=APP.id, uid=BOSS, ids=ids, now=NOW)


async def moving(node: Node, meeting_id: int, *uids: str) -> Change:
    """A move by an hour that is decided and not yet committed."""
    found = await node.storage.whole_meeting(ORG.id, meeting_id)
    assert found
    change = organize.update(
        commands.Update(detail=detail(*uids, begin_at=found[0].begin_at + HOUR)),
        before=found[0],
        attendees=found[1],
        app_id=APP.id,
        uid=BOSS,
        ids=await node.services.ids.take(organize.IDS_NEEDED),
        now=NOW,
    )
    assert change
    return change


async def commit_all(node: Node, changes: Sequence[Change]) -> list[Verdict | BaseException]:
    async with asyncio.timeout(20):
        return await asyncio.gather(*map(node.storage.commit, changes), return_exceptions=True)


def count(file: Path, query: str) -> int:
    with closing(sqlite3.connect(file)) as connection:
        found: int = connection.execute(query).fetchone()[0]
        return found


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def with_meeting(change: Change, **fields: object) -> Change:
    assert change.meeting
    return msgspec.structs.replace(change, meeting=msgspec.structs.replace(change.meeting, **fields))


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(lambda change: msgspec.structs.replace(change, org_id=99), id="an unknown organisation"),
        pytest.param(lambda change: with_meeting(change, content="\ud800"), id="a lone surrogate"),
        pytest.param(lambda change: with_meeting(change, create_time=2**70), id="a number too large"),
        pytest.param(lambda change: with_meeting(change, address=object()), id="no value of a database"),
    ],
)
async def test_what_cannot_be_stored_fails_alone_and_neither_ends_the_writer_nor_reaches_the_log(
    node: Node, file: Path, fault: Callable[[Change], Change]
) -> None:
    changes = [await creation(node, "ann") for _ in range(9)]
    changes[4] = fault(changes[4])
    with capture_logs() as logs:
        verdicts = await commit_all(node, changes)
    assert isinstance(verdicts.pop(4), errors.SystemFailure)
    assert verdicts == [Committed()] * 8
    assert [one["meeting_id"] for one in logs if one["event"] == "change refused"] == [changes[4].meeting_id]
    assert "content" not in str(logs)
    assert await commit_all(node, [await creation(node, "bob")]) == [Committed()]
    assert count(file, "SELECT count(*) FROM meeting") == 9


async def test_a_job_that_breaks_leaves_the_writer_working(storage: Sqlite, node: Node) -> None:
    def broken(_: sqlite3.Connection) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await storage._writer.run(broken)
    assert await commit_all(node, [await creation(node, "ann")]) == [Committed()]


async def test_jobs_that_wait_share_a_commit_and_one_that_breaks_takes_no_other_along(
    storage: Sqlite, file: Path
) -> None:
    begun, goes_on = threading.Event(), threading.Event()

    def hold(_: sqlite3.Connection) -> None:
        begun.set()
        goes_on.wait(10)

    def beat(number: int) -> Callable[[sqlite3.Connection], int]:
        def job(connection: sqlite3.Connection) -> int:
            connection.execute("INSERT INTO heartbeat (node, at) VALUES (?, ?)", (f"n{number}", NOW))
            if number == 3:
                raise ZeroDivisionError
            if number == 5:
                connection.execute("INSERT INTO heartbeat (node, at) VALUES ('n1', 1)")
            return number

        return job

    statements: list[str] = []
    holding = asyncio.create_task(storage._writer.run(hold))
    await asyncio.to_thread(begun.wait, 10)
    storage._writer._connection.set_trace_callback(statements.append)
    waiting = [asyncio.create_task(storage._writer.run(beat(number))) for number in range(8)]
    await asyncio.sleep(0)
    goes_on.set()
    async with asyncio.timeout(10):
        await holding
        found = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(one) if isinstance(one, Exception) else one for one in found] == [
        *(0, 1, 2, ZeroDivisionError, 4, errors.SystemFailure, 6, 7)
    ]
    assert (
        count(file, "SELECT count(*) FROM heartbeat WHERE node IN ('n0', 'n1', 'n2', 'n4', 'n6', 'n7')") == 6
    )
    assert count(file, "SELECT count(*) FROM heartbeat WHERE node IN ('n3', 'n5') OR at = 1") == 0
    assert statements.count("COMMIT") == 2  # of what held them up, and theirs


async def test_calls_go_before_the_dispatchers_work(storage: Sqlite, node: Node) -> None:
    change = await creation(node, "ann")
    begun, goes_on = threading.Event(), threading.Event()
    ran: list[str] = []

    def hold(_: sqlite3.Connection) -> None:
        begun.set()
        goes_on.wait(10)

    def look(name: str) -> Callable[[sqlite3.Connection], None]:
        def job(connection: sqlite3.Connection) -> None:
            made = connection.execute("SELECT count(*) FROM meeting").fetchone()[0]
            ran.append(f"{name} after {made} creates")

        return job

    holding = asyncio.create_task(storage._writer.run(hold))
    await asyncio.to_thread(begun.wait, 10)
    storage._writer._background_ran_at = time.monotonic()
    waiting = [
        asyncio.create_task(storage._writer.run(look("dispatcher"), background=True)),
        asyncio.create_task(storage.commit(change)),
        asyncio.create_task(storage._writer.run(look("call"))),
    ]
    await asyncio.sleep(0)
    goes_on.set()
    async with asyncio.timeout(10):
        await asyncio.gather(holding, *waiting)
    assert ran == ["call after 0 creates", "dispatcher after 1 creates"]


async def test_a_large_meeting_is_read_beside_the_event_loop_and_a_small_one_on_it(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reads, "LARGE_MEETING", 3)
    for uids, beside in ((("ann", "bob"), False), (("ann", "bob", "cat"), True)):
        meeting_id = await node.create(*uids)
        turned = asyncio.Event()
        asyncio.get_running_loop().call_soon(turned.set)
        found = await node.storage.whole_meeting(ORG.id, meeting_id)
        assert found
        assert [one.uid for one in found[1]] == [BOSS, *uids]
        assert turned.is_set() == beside


async def test_messages_of_one_transaction_stand_in_the_order_of_their_tasks(node: Node) -> None:
    made = [await node.create("ann") for _ in range(5)]
    await node.expand()
    assert [one.meeting_id for one in await node.inbox("ann")] == made


async def test_while_another_process_holds_the_file_calls_fail_in_time_and_change_nothing(
    node: Node, file: Path
) -> None:
    changes = [await creation(node, "ann") for _ in range(10)]
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        verdicts = await commit_all(node, changes)
        assert {type(one) for one in verdicts} == {errors.SystemFailure}
        # Readers are not kept waiting.
        assert await node.storage.whole_meeting(ORG.id, changes[0].meeting_id) is None
        other.execute("ROLLBACK")
    assert await commit_all(node, changes) == [Committed()] * 10


async def test_a_full_disk_fails_what_was_asked_and_changes_nothing(storage: Sqlite, node: Node) -> None:
    large = await creation(node, *(f"p{number}" for number in range(3000)))

    def room(pages: int) -> Callable[[sqlite3.Connection], object]:
        return lambda connection: connection.execute(f"PRAGMA max_page_count = {pages}").fetchone()

    await storage._writer.run(room(1))  # SQLite keeps it at the size the file has
    assert [type(one) for one in await commit_all(node, [large])] == [errors.SystemFailure]
    assert await node.storage.whole_meeting(ORG.id, large.meeting_id) is None
    await storage._writer.run(room(1_000_000))
    assert await commit_all(node, [large]) == [Committed()]


async def test_a_disk_that_fails_a_write_leaves_the_outcome_unknown(
    file: Path, storage: Sqlite, node: Node
) -> None:
    large = await creation(node, *(f"p{number}" for number in range(3000)))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.with_name("huiyao.db-wal").stat().st_size, hard))
    try:
        outcomes = await commit_all(node, [large])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [type(one) for one in outcomes] == [errors.OutcomeUnknown]
    assert await node.storage.whole_meeting(ORG.id, large.meeting_id) is None
    assert await commit_all(node, [large]) == [Committed()]


async def test_more_than_so_many_waiting_are_refused_at_once(node: Node) -> None:
    changes = [await creation(node, "ann") for _ in range(200)]
    verdicts = await commit_all(node, changes)
    refused = [one for one in verdicts if isinstance(one, errors.Overloaded)]
    assert len(refused) >= 100
    assert verdicts.count(Committed()) == 200 - len(refused) >= 50


async def test_closing_commits_what_was_accepted_and_takes_no_more(file: Path, node: Node) -> None:
    changes = [await creation(node, "ann") for _ in range(40)]
    other = await open_sqlite(str(file), max_waiting=50)
    committing = [asyncio.create_task(other.commit(change)) for change in changes]
    await asyncio.sleep(0)
    await other.close()
    assert [await one for one in committing] == [Committed()] * 40
    with pytest.raises(errors.SystemFailure):
        await other.commit(changes[0])


async def test_changes_that_come_at_once_share_a_few_transactions(node: Node, file: Path) -> None:
    assert await commit_all(node, [await creation(node, "ann") for _ in range(50)]) == [Committed()] * 50
    assert count(file, "SELECT count(DISTINCT xid) FROM history") <= 4


async def test_changes_of_many_rows_do_not_all_share_one_transaction(node: Node, file: Path) -> None:
    uids = [f"p{number}" for number in range(writer.BATCH_ROWS)]
    creates = [await creation(node, *uids) for _ in range(3)]
    assert await commit_all(node, creates) == [Committed()] * 3
    assert count(file, "SELECT count(DISTINCT xid) FROM history") == 3
    # A move names nobody, but starts everybody's answer anew.
    moves = [await moving(node, change.meeting_id, *uids) for change in creates]
    assert await commit_all(node, moves) == [Committed()] * 3
    assert count(file, "SELECT count(DISTINCT xid) FROM history") == 6


async def test_a_task_that_waits_for_one_due_later_is_no_reason_to_spin(node: Node) -> None:
    meeting_id = await node.create("ann")
    node.clock.moment -= 5_000  # the clock was set back
    await node.update(meeting_id, "ann", "bob")
    done = await node.expand()
    assert (done.tasks, done.more, done.next_due_at) == (0, False, NOW)
    node.clock.moment = NOW
    assert await node.expand_all() == 2
    assert [await node.kinds(uid) for uid in ("ann", "bob")] == [["invited"], ["invited"]]


def test_looking_for_due_tasks_never_sorts_all_that_are_due(sqlite_template: Path) -> None:
    with closing(connect(str(sqlite_template))) as connection:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {_PEEK}", (NOW, 2000))]
    assert plan[0] == "SEARCH t USING INDEX ix_task_due_at (due_at<?)", plan
    assert not any("TEMP B-TREE" in step for step in plan), plan


async def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="cannot be opened"):
        await open_sqlite(f"{tmp_path}/mistyped.db", max_waiting=50)
    assert names(tmp_path) == []


async def test_a_file_with_any_letters_in_its_name_is_opened(sqlite_template: Path, tmp_path: Path) -> None:
    path = shutil.copy(sqlite_template, tmp_path / "会邀 50%?mode=ro#1.db")
    storage = await open_sqlite(str(path), max_waiting=50)
    await storage.put_org(ORG)
    assert await storage.org(ORG.id) == ORG
    await storage.close()


async def test_a_file_that_is_no_database_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "letter.db").write_text("Dear operator, " * 500)
    with pytest.raises(OperatorError, match=r"cannot be opened: .*\.$"):
        await open_sqlite(f"{tmp_path}/letter.db", max_waiting=50)


async def test_a_backup_is_for_its_owner_only_and_what_cannot_be_written_leaves_nothing(
    storage: Sqlite, tmp_path: Path
) -> None:
    target = tmp_path / "copy.db"
    await storage.backup(str(target))
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    with pytest.raises(OperatorError, match=r"cannot be written: .*\.$"):
        await storage.backup(f"{tmp_path}/no/such/folder/copy.db")


async def test_half_a_backup_is_removed(storage: Sqlite, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(
        resource.RLIMIT_FSIZE, (100_000, most[1])
    )  # bytes of one file; an empty database has more
    try:
        with pytest.raises(OperatorError, match="cannot be written"):
            await storage.backup(str(target))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, most)
    assert not target.exists()


@pytest.fixture
def small_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log is begun anew after 100 pages rather than 16,000, and looked at without rest."""
    monkeypatch.setattr(checkpoints, "ENOUGH", 100)
    monkeypatch.setattr(checkpoints, "PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(checkpoints, "FAILED_PAUSE_SECONDS", 0.001)


async def write_much(node: Node) -> None:
    """About 3,000 pages, in a hundred commits."""
    for number in range(100):
        changes = [await creation(node, *(f"p{number}-{place}" for place in range(50))) for _ in range(2)]
        assert await commit_all(node, changes) == [Committed()] * 2


def pages_of_the_log(file: Path) -> int:
    return Path(f"{file}-wal").stat().st_size // 4096


@pytest.mark.usefixtures("small_log")
async def test_under_load_the_log_is_carried_over_and_begun_anew(node: Node, file: Path) -> None:
    await write_much(node)
    assert 100 <= pages_of_the_log(file) < 1000
    assert count(file, "SELECT count(*) FROM meeting") == 200


@pytest.mark.usefixtures("small_log")
async def test_what_could_not_be_carried_over_is_later(
    node: Node, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failures = checkpoints.carry_over, iter(range(10))

    def failing(connection: sqlite3.Connection) -> int:
        if next(failures, None) is not None:
            raise sqlite3.OperationalError
        return real(connection)

    monkeypatch.setattr(checkpoints, "carry_over", failing)
    with capture_logs() as logs:
        await write_much(node)
    assert [one["event"] for one in logs] == ["checkpoint failed"] * 10
    assert pages_of_the_log(file) < 1000


def test_a_thread_that_is_told_to_end_just_after_it_looked_ends(file: Path) -> None:
    looked, goes_on = threading.Event(), threading.Event()

    class Late(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            found = self.is_set()
            looked.set()
            goes_on.wait(10)
            return found

    made = checkpoints.Checkpoints(connect(str(file)), finish=lambda: None)
    made._stopping = Late()
    made.written()
    assert looked.wait(10)
    closing = threading.Thread(target=made.close, daemon=True)
    closing.start()
    while not (made._stopping.is_set() and made._written.is_set()):
        time.sleep(0.001)
    goes_on.set()
    closing.join(10)
    assert not closing.is_alive()


async def test_a_log_that_nobody_carries_over_is_by_the_writer(
    sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "TOO_MANY", 300)
    monkeypatch.setattr(checkpoints, "PAUSE_SECONDS", 60)
    file = Path(shutil.copy(sqlite_template, tmp_path / "other.db"))
    storage = await open_sqlite(str(file), max_waiting=50)
    await storage.put_org(ORG)
    await storage.put_app(APP)
    await write_much(Node(storage, StoppedClock()))
    assert 100 <= pages_of_the_log(file) < 1000
    await storage.close()
