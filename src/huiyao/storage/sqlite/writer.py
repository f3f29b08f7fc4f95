"""The one writer: a thread that commits what waits together.

What calls wait for goes first: small jobs they cannot go on without, then their Changes, then the dispatcher's work,
which gets its turn between them once it has waited long enough. A commit costs as much for one as for many, so jobs
that wait share a transaction, as Changes do; the dispatcher's are large and have theirs alone.
"""

import asyncio
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import structlog

from huiyao import errors
from huiyao.rules.change import Change
from huiyao.storage.contract import Committed, Verdict
from huiyao.storage.sqlite import checkpoints, commit
from huiyao.storage.sqlite.checkpoints import Checkpoints

T = TypeVar("T")
Outcome = Verdict | errors.ApiError
Waiting = tuple[Change, "asyncio.Future[Verdict]"]
Job = tuple[Callable[[sqlite3.Connection], Any], "asyncio.Future[Any]"]

LARGEST_BATCH: Final = 500  # Changes, or jobs; keeps the wait of the first one short
BATCH_ROWS: Final = 5_000  # attendee rows, after which a batch takes no more: jobs wait as long as it lasts
BACKGROUND_SECONDS: Final = 0.1  # without rest, calls let the dispatcher have a turn this often
BUSY_SECONDS: Final = 3.0  # how long another process (a command beside `serve`) may hold the database

log = structlog.get_logger(__name__)


class Done(NamedTuple):
    """What a job answered."""

    result: Any


def connect(path: str) -> sqlite3.Connection:
    """A connection with our settings to a file that is there. An acknowledged commit is on the disk
    (synchronous=FULL). Raises sqlite3.Error.
    """
    connection = sqlite3.connect(
        f"{Path(path).absolute().as_uri()}?mode=rw",  # a path with a slip in it makes no empty database
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA cache_size = -32000")
        connection.execute(f"PRAGMA wal_autocheckpoint = {checkpoints.TOO_MANY}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


class Writer:
    """Call its methods on the event loop; what they answer is committed."""

    def __init__(self, path: str, *, max_waiting: int) -> None:
        self._connection = connect(path)
        self._max_waiting = max_waiting
        self._loop = asyncio.get_running_loop()
        self._changes: deque[Waiting] = deque()
        self._jobs: deque[Job] = deque()
        self._background: deque[Job] = deque()
        self._background_ran_at = 0.0
        self._work = threading.Condition()
        self._stopping = False
        self._finishing = False  # the rest of a checkpoint is to be done
        self._checkpoints = Checkpoints(connect(path), finish=self._finish)
        self._on_tasks: Callable[[], None] | None = None
        self._on_commits: Callable[[], None] | None = None
        self._thread = threading.Thread(target=self._run, name="sqlite-writer", daemon=True)
        self._thread.start()

    def on_tasks(self, call: Callable[[], None]) -> None:
        """Call this on the event loop after each commit of tasks."""
        self._on_tasks = call

    def on_commits(self, call: Callable[[], None]) -> None:
        """Call this on the event loop after each commit of Changes."""
        self._on_commits = call

    async def commit(self, change: Change) -> Verdict:
        """Raises Overloaded, and SystemFailure where the Change fails even alone."""
        if len(self._changes) >= self._max_waiting:
            raise errors.Overloaded
        done: asyncio.Future[Verdict] = self._loop.create_future()
        with self._work:
            self._refuse_if_stopped()
            self._changes.append((change, done))
            self._work.notify()
        return await done

    async def run(self, job: Callable[[sqlite3.Connection], T], *, background: bool = False) -> T:
        """Run a job; where it raises, nothing of it is committed. Raises SystemFailure where SQLite refuses."""
        done: asyncio.Future[T] = self._loop.create_future()
        with self._work:
            self._refuse_if_stopped()
            (self._background if background else self._jobs).append((job, done))
            self._work.notify()
        return await done

    async def close(self) -> None:
        """Finish everything accepted, then end."""
        with self._work:
            self._stopping = True
            self._work.notify()
        await asyncio.to_thread(self._thread.join)
        await asyncio.to_thread(self._checkpoints.close)
        self._connection.close()

    def _refuse_if_stopped(self) -> None:
        if self._stopping:
            raise errors.SystemFailure

    def _run(self) -> None:
        while True:
            with self._work:
                while not (
                    self._changes or self._jobs or self._background or self._stopping or self._finishing
                ):
                    self._work.wait()
                finishing, self._finishing = self._finishing, False
                jobs = self._take_jobs()
                batch = [] if jobs else self._take_batch()
            if finishing:
                self._finish_checkpoint()
            if jobs:
                self._loop.call_soon_threadsafe(_answer, jobs, self._run_jobs(jobs))
                self._checkpoints.written()
            elif batch:
                outcomes = self._commit_batch([change for change, _ in batch])
                self._loop.call_soon_threadsafe(self._settle, batch, outcomes)
                self._checkpoints.written()
            elif not finishing:
                return

    def _finish(self) -> None:
        with self._work:
            self._finishing = True
            self._work.notify()

    def _finish_checkpoint(self) -> None:
        """Nobody writes meanwhile, so the log can be begun anew behind it."""
        try:
            checkpoints.carry_over(self._connection)
        except sqlite3.Error as error:
            log.error("checkpoint failed", error=name(error))

    def _take_jobs(self) -> list[Job]:
        """Those that go together."""
        if self._jobs:
            return [self._jobs.popleft() for _ in range(min(LARGEST_BATCH, len(self._jobs)))]
        now = time.monotonic()
        if self._background and (not self._changes or now - self._background_ran_at > BACKGROUND_SECONDS):
            self._background_ran_at = now
            return [self._background.popleft()]
        return []

    def _take_batch(self) -> list[Waiting]:
        """The Changes that go together: nothing in one batch depends on another of it.

        An organizer's Change has its meeting to itself, an attendee's its row, a create its idempotency key.
        """
        batch: list[Waiting] = []
        left: list[Waiting] = []
        taken: set[object] = set()
        rows = 0
        while self._changes and len(batch) < LARGEST_BATCH and rows < BATCH_ROWS:
            one = self._changes.popleft()
            change = one[0]
            meeting = (change.org_id, change.meeting_id)
            if change.attendee:
                keys: list[object] = [(*meeting, change.attendee.uid)]
                blocked = meeting in taken or keys[0] in taken
                keys.append((*meeting, None))
            else:
                keys = [meeting]
                blocked = meeting in taken or (*meeting, None) in taken
            record = change.idempotency
            if record:
                keys.append((change.org_id, record.app_id, record.uid, record.key, "key"))
                blocked = blocked or keys[-1] in taken
            if blocked:
                left.append(one)
            else:
                taken.update(keys)
                batch.append(one)
                rows += _rows(change)
        self._changes.extendleft(reversed(left))
        return batch

    def _commit_batch(self, changes: list[Change]) -> list[Outcome]:
        try:
            return list(commit.apply(self._connection, changes))
        except sqlite3.OperationalError as error:
            # The database is locked, full or broken: no Change would fare better alone.
            log.error("commit failed", error=name(error), changes=len(changes))
            return [_failure(error) for _ in changes]
        except Exception as error:  # the loop's edge: a value that cannot be bound raises no sqlite3.Error
            if len(changes) > 1:
                return [outcome for change in changes for outcome in self._commit_batch([change])]
            (change,) = changes
            log.error("change refused", error=name(error), org_id=change.org_id, meeting_id=change.meeting_id)
            return [_failure(error)]

    def _settle(self, batch: list[Waiting], outcomes: list[Outcome]) -> None:
        tasks = False
        for (change, done), outcome in zip(batch, outcomes, strict=True):
            tasks = tasks or (bool(change.tasks) and isinstance(outcome, Committed))
            if done.done():  # its caller was cancelled meanwhile
                continue
            if isinstance(outcome, errors.ApiError):
                done.set_exception(outcome)
            else:
                done.set_result(outcome)
        if tasks and self._on_tasks:
            self._on_tasks()
        if self._on_commits and any(isinstance(outcome, Committed) for outcome in outcomes):
            self._on_commits()

    def _run_jobs(self, jobs: list[Job]) -> list[Done | Exception]:
        """What each came to. One that fails leaves nothing behind, and the others as they are."""
        try:
            return commit.in_transaction(
                self._connection, lambda inside: [_alone(inside, work) for work, _ in jobs]
            )
        except sqlite3.Error as error:
            # The database is locked, full or broken: no job would fare better alone.
            log.error("job failed", error=name(error), jobs=len(jobs))
            return [_failure(error) for _ in jobs]


def _alone(connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], Any]) -> Done | Exception:
    """Raises sqlite3.OperationalError where the transaction as a whole cannot go on."""
    connection.execute("SAVEPOINT job")
    try:
        done = Done(work(connection))
    except sqlite3.OperationalError:
        raise
    except Exception as error:  # the loop's edge: the caller gets it, the others are done
        connection.execute("ROLLBACK TO job")
        connection.execute("RELEASE job")
        if isinstance(error, sqlite3.Error):
            log.error("job failed", error=name(error))
            return _failure(error)
        return error
    connection.execute("RELEASE job")
    return done


def name(error: Exception) -> str:
    """What a log may say of it; a message could quote a request."""
    found: str = getattr(error, "sqlite_errorname", type(error).__name__)
    return found


def _failure(cause: Exception) -> errors.SystemFailure:
    # Where the disk failed a write or a sync of the log, what was asked may yet be found done after a crash.
    broken = getattr(cause, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_IOERR
    failure = errors.OutcomeUnknown() if broken else errors.SystemFailure()
    failure.__cause__ = cause
    return failure


def _rows(change: Change) -> int:
    """About how many attendee rows a Change writes."""
    rows = len(change.added) + len(change.placed) + len(change.removed)
    return rows + change.meeting.size if change.reset and change.meeting else rows


def _answer(jobs: list[Job], outcomes: list[Done | Exception]) -> None:
    for (_, done), outcome in zip(jobs, outcomes, strict=True):
        if done.done():  # its caller was cancelled meanwhile
            continue
        if isinstance(outcome, Done):
            done.set_result(outcome.result)
        else:
            done.set_exception(outcome)
