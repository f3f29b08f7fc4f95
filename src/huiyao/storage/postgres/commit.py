"""Group commit: the Changes of many calls gathered into one transaction, and what becomes of them when it fails.

What arrives while a batch is in flight forms the next. A batch that fails is taken apart, so that only the Change at
fault fails its caller; where a COMMIT's outcome is unknown, the database is asked before anything is tried again.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Final

import asyncpg
import structlog

from huiyao import errors
from huiyao.rules.change import Change
from huiyao.storage.contract import Committed, Verdict
from huiyao.storage.postgres.connections import (
    ATTEMPTS,
    DRIVER_ERRORS,
    PAUSE_SECONDS,
    TRANSIENT,
    Connection,
    Reach,
    close,
    facts,
    is_lost,
)

BATCH_CHANGES: Final = 256
BATCH_ROWS: Final = 2_000  # attendee rows; a Change of more goes alone or last
BATCH_SECONDS: Final = 4.0  # for all statements of one batch
APART_SECONDS: Final = 3.0  # for trying the Changes of a failed batch one by one
OUTCOME_SECONDS: Final = 6.0  # for a COMMIT, and for learning what became of it
STUCK_SECONDS: Final = 1.0  # of looks, after which our own abandoned transaction is ended

Write = Callable[[Connection, Sequence[Change]], Awaitable[tuple[list[Verdict], int | None]]]
log = structlog.get_logger(__name__)


class Waiting:
    """A Change whose caller waits for the verdict."""

    __slots__ = ("change", "keys", "rows", "verdict")

    def __init__(self, change: Change, verdict: "asyncio.Future[Verdict]") -> None:
        self.change = change
        self.verdict = verdict
        self.rows = 1 + len(change.added) + len(change.placed) + len(change.removed)
        if change.reset and change.meeting is not None:
            self.rows += change.meeting.size
        self.keys = _keys(change)

    def answer(self, verdict: Verdict) -> None:
        if not self.verdict.done():  # the caller may have gone away
            self.verdict.set_result(verdict)

    def fail(self, error: errors.SystemFailure, cause: BaseException | None) -> None:
        if not self.verdict.done():
            error.__cause__ = cause
            self.verdict.set_exception(error)


def _keys(change: Change) -> tuple[Hashable, ...]:
    """What two Changes of one batch may not have in common."""
    if change.attendee_before is not None:
        return ((change.org_id, change.meeting_id, change.attendee_before.uid),)
    meeting = (change.org_id, change.meeting_id)
    record = change.idempotency
    return (meeting, (change.org_id, record.app_id, record.uid, record.key)) if record else (meeting,)


class Queue:
    """Changes waiting for one of the committers."""

    def __init__(self, max_waiting: int) -> None:
        self._max_waiting = max_waiting
        self._waiting: deque[Waiting] = deque()
        self._arrived = asyncio.Event()
        self._closing = False

    def put(self, change: Change) -> "asyncio.Future[Verdict]":
        """Raises Overloaded, and SystemFailure where the storage is closed."""
        if self._closing:
            raise errors.SystemFailure
        if len(self._waiting) >= self._max_waiting:
            raise errors.Overloaded
        verdict: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self._waiting.append(Waiting(change, verdict))
        self._arrived.set()
        return verdict

    async def take(self) -> list[Waiting]:
        """The next batch, in order of arrival; an empty one once all is done and no more will come."""
        while True:
            batch = self._gather()
            if batch or self._closing:
                return batch
            self._arrived.clear()
            await self._arrived.wait()

    def take_all(self) -> list[Waiting]:
        everyone = list(self._waiting)
        self._waiting.clear()
        return everyone

    def close(self) -> None:
        self._closing = True
        self._arrived.set()

    def _gather(self) -> list[Waiting]:
        batch: list[Waiting] = []
        deferred: list[Waiting] = []
        seen: set[Hashable] = set()
        rows = 0
        while self._waiting and len(batch) < BATCH_CHANGES and rows < BATCH_ROWS:
            one = self._waiting.popleft()
            if one.verdict.done():  # the caller has gone away before anything was begun
                continue
            if not seen.isdisjoint(one.keys):
                # What it shares stays reserved, so that no later Change overtakes it.
                deferred.append(one)
            else:
                batch.append(one)
                rows += one.rows
            seen.update(one.keys)
        self._waiting.extendleft(reversed(deferred))
        return batch


class Lost(Exception):
    """The connection was lost, and nothing was changed: the transaction can be tried again."""


class Unreachable(Exception):
    """No connection was to be had in time; nothing was changed."""


class Unknown(Exception):
    """COMMIT was sent, and what became of it could not be learned."""

    def __init__(self, verdicts: Sequence[Verdict]) -> None:
        super().__init__()
        self.verdicts = verdicts


class Committer:
    """Takes batches from a queue and commits them, on a connection of its own."""

    def __init__(
        self, url: str, queue: Queue, *, write: Write, committed: Callable[[Sequence[Change]], None]
    ) -> None:
        self._reach = Reach(url)
        self._queue = queue
        self._write = write
        self._committed = committed
        self._connection: Connection | None = None

    async def run(self) -> None:
        """Until the queue is closed and empty."""
        while batch := await self._queue.take():
            try:
                await self._settle(batch)
            except Exception as error:
                log.error("batch failed", changes=len(batch), **facts(error))
                self._drop()
                for one in batch:  # of a failure nobody has thought of, nobody knows where it struck
                    one.fail(errors.OutcomeUnknown(), error)
        if self._connection is not None:
            await close(self._connection)

    async def _settle(self, batch: Sequence[Waiting], *, hurried: bool = False) -> None:
        """Give every Change of the batch its verdict or its error."""
        try:
            verdicts = await self._commit([one.change for one in batch], hurried=hurried)
        except Unknown as error:
            for one, verdict in zip(batch, error.verdicts, strict=True):
                if isinstance(verdict, Committed):
                    one.fail(errors.OutcomeUnknown(), error)
                else:
                    one.answer(verdict)
        except (Lost, Unreachable) as error:
            log.error("database lost", changes=len(batch), **facts(error.__cause__ or error))
            _fail(batch, error)
        except DRIVER_ERRORS as error:
            if len(batch) == 1:
                log.error("change failed", meeting_id=batch[0].change.meeting_id, **facts(error))
                _fail(batch, error)
            else:
                log.warning("batch taken apart", changes=len(batch), **facts(error))
                await self._take_apart(batch, error)
        else:
            self._answer(batch, verdicts)

    async def _take_apart(self, batch: Sequence[Waiting], cause: BaseException) -> None:
        """Each Change alone; those whose turn does not come in time fail, or a few locks could hold up everybody."""
        clock = asyncio.get_running_loop()
        deadline = clock.time() + APART_SECONDS
        for one in batch:
            if clock.time() < deadline:
                await self._settle([one], hurried=True)
            else:
                _fail([one], cause)

    def _answer(self, batch: Sequence[Waiting], verdicts: Sequence[Verdict]) -> None:
        done = []
        for one, verdict in zip(batch, verdicts, strict=True):
            one.answer(verdict)
            if isinstance(verdict, Committed):
                done.append(one.change)
        if done:
            self._committed(done)

    async def _commit(self, changes: Sequence[Change], *, hurried: bool) -> list[Verdict]:
        """The verdicts, after as many attempts as the failure allows.

        Raises Lost and Unreachable, Unknown, and DRIVER_ERRORS where the database refuses.
        """
        deadlocked = False
        losses = 0
        while True:
            try:
                return await self._attempt(changes, hurried=hurried)
            except Lost:
                losses += 1
                if losses == ATTEMPTS:
                    raise
            except TRANSIENT as error:
                log.warning("batch repeated", changes=len(changes), **facts(error))
                if deadlocked:
                    raise
                deadlocked = True

    async def _attempt(self, changes: Sequence[Change], *, hurried: bool) -> list[Verdict]:
        """One transaction. Whatever it raises but Unknown, nothing was changed."""
        connection = await self._connected()
        begun = False
        try:
            async with asyncio.timeout(BATCH_SECONDS):
                await connection.execute(_BEGIN_HURRIED if hurried else "BEGIN")
                begun = True
                verdicts, xid = await self._write(connection, changes)
                if xid is None:
                    await connection.execute("ROLLBACK")
                    return verdicts
        except DRIVER_ERRORS as error:
            if not is_lost(error, connection):
                await self._roll_back(connection)
                raise
            self._drop()
            if begun and isinstance(error, TimeoutError):
                raise  # not the connection's fault but too much work, or a lock
            raise Lost from error
        sent_at = asyncio.get_running_loop().time()
        try:
            await connection.execute("COMMIT")
        except DRIVER_ERRORS as error:
            if not is_lost(error, connection):
                raise  # the database itself refused
            log.warning("commit interrupted", changes=len(changes), **facts(error))
            self._drop()
            if not await self._landed(changes, verdicts, xid, sent_at=sent_at):
                raise Lost from error
        return verdicts

    async def _landed(
        self, changes: Sequence[Change], verdicts: Sequence[Verdict], xid: int, *, sent_at: float
    ) -> bool:
        """Whether the batch was committed after all. Raises Unknown OUTCOME_SECONDS after COMMIT was sent.

        A batch is one transaction, so the history entry of any of its Changes tells for all of them. It is looked up
        after the transaction's status: the other way round, a commit could slip in between.
        """
        change = next(
            change
            for change, verdict in zip(changes, verdicts, strict=True)
            if isinstance(verdict, Committed)
        )
        try:
            async with asyncio.timeout_at(sent_at + OUTCOME_SECONDS):
                return await self._learn(change, xid)
        except TimeoutError as error:
            self._drop()  # it may be in the middle of a statement
            log.error("outcome unknown", changes=len(changes))
            raise Unknown(verdicts) from error

    async def _learn(self, change: Change, xid: int) -> bool:
        """Whether this Change was committed by this transaction; asks until there is an answer."""
        clock = asyncio.get_running_loop()
        start = clock.time()
        while True:
            try:
                connection = await self._connected()
                status = await _status(connection, xid)
                if await connection.fetchval(_FIND_ENTRY, change.org_id, change.entry.id):
                    # Where a standby is waited for, an interrupted COMMIT is done here and may not have got there.
                    # What is written behind it gets there behind it.
                    await connection.execute(_WRITE_BEHIND)
                    return True
                if status != "in progress":
                    return False
                if clock.time() - start > STUCK_SECONDS:
                    # The server waits for a COMMIT that will never come, and holds our locks.
                    await connection.execute(_END_STUCK, str(xid))
            except Unreachable:
                pass
            except DRIVER_ERRORS as error:
                self._drop()
                log.warning("outcome not yet known", **facts(error))
            if clock.time() - start > STUCK_SECONDS:
                _fail(self._queue.take_all(), Unreachable())  # nobody is kept waiting behind it
            await asyncio.sleep(PAUSE_SECONDS)

    async def _connected(self) -> Connection:
        """The committer's connection. While there is none to be had, nobody is kept waiting in the queue."""
        if self._connection is None or self._connection.is_closed():
            self._connection = None
            try:
                self._connection = await self._reach.connect()
            except DRIVER_ERRORS as error:
                _fail(self._queue.take_all(), error)
                raise Unreachable from error
        return self._connection

    async def _roll_back(self, connection: Connection) -> None:
        try:
            await connection.execute("ROLLBACK")
        except DRIVER_ERRORS:
            self._drop()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None


# Whoever holds the locks has been waited for already.
_BEGIN_HURRIED: Final = "BEGIN; SET LOCAL lock_timeout = '100ms'"
_FIND_ENTRY: Final = "SELECT EXISTS (SELECT FROM history WHERE org_id = $1 AND id = $2)"
_WRITE_BEHIND: Final = "SELECT pg_logical_emit_message(true, 'huiyao', '')"
# One that waits for a standby is not stuck: ended, it would be visible here alone.
_END_STUCK: Final = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE backend_xid = $1::text::xid8::xid AND wait_event IS DISTINCT FROM 'SyncRep'
"""


async def _status(connection: Connection, xid: int) -> str | None:
    """committed, aborted, in progress; None where this server never knew the transaction."""
    try:
        status: str | None = await connection.fetchval("SELECT pg_xact_status($1::text::xid8)", str(xid))
    except asyncpg.InvalidParameterValueError:
        return None  # "in the future": lost in a crash or failover
    return status


def _fail(batch: Sequence[Waiting], cause: BaseException) -> None:
    for one in batch:
        one.fail(errors.SystemFailure(), cause)
