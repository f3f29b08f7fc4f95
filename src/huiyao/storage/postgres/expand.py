"""Due tasks become messages, a chunk in one transaction; any number of dispatchers do it side by side.

Locks are taken in the same order as in `write`: first the chunk's meetings, then its tasks. The chunk is therefore
chosen by a look without locks, and looked at again under them.
"""

import asyncio
from collections.abc import Container, Mapping, Sequence
from typing import Any, Final, NamedTuple

import asyncpg
import msgspec
import structlog

from huiyao import errors, telemetry
from huiyao.model import Kind, Meeting, MsgStatus, PushStatus, Task, TaskKind, Topic
from huiyao.rules import callbacks, timing
from huiyao.rules.announce import Answer, Audience, Notice
from huiyao.rules.callbacks import Happening
from huiyao.storage import events as shared
from huiyao.storage.contract import NOTHING_DUE, Decide, Expanded, Missed
from huiyao.storage.postgres import rows, telling
from huiyao.storage.postgres.connections import DRIVER_ERRORS, TRANSIENT, Connection, Connections, columns
from huiyao.storage.postgres.ids import Ids

PEEKED_TASKS: Final = 1_000
# Dispatchers share the due tasks out by slot, a number drawn from the meeting's id; a chunk is of one slot. Without
# it all of them would go for the same most urgent tasks. Only for that: what is right rests on the row locks.
SLOTS: Final = 4
_SLOT_LOCK: Final = 0x48_59_02
FIRST_ANSWERS: Final = 3
CONNECTIONS: Final = 2

# An announcement waits for the earlier ones of its meeting, however long those are put off. OFFSET 0 keeps the planner
# from hashing the whole table.
_FREE: Final = f"""NOT (t.kind = '{TaskKind.ANNOUNCE}' AND EXISTS (
        SELECT FROM task earlier
        WHERE earlier.org_id = t.org_id AND earlier.meeting_id = t.meeting_id
            AND earlier.kind = '{TaskKind.ANNOUNCE}' AND earlier.sequence < t.sequence
        OFFSET 0
    ))"""
# Ordered by due_at alone, as the index is: with a hundred thousand due at one moment a second column would mean
# sorting them all for each chunk.
_PEEK: Final = f"""
    SELECT t.org_id, t.id, t.due_at, t.kind, t.meeting_id, t.sequence, t.topic, m.size
    FROM task t JOIN meeting m ON m.org_id = t.org_id AND m.id = t.meeting_id
    WHERE t.due_at <= $1 AND {_FREE} ORDER BY t.due_at LIMIT {PEEKED_TASKS}
"""
_TRY_SLOT: Final = "SELECT pg_try_advisory_xact_lock($1, $2)"
_WAIT_FOR_SLOT: Final = "SELECT pg_advisory_xact_lock($1, $2)"
_WAIT_SHORTLY: Final = "SET LOCAL lock_timeout = '200ms'"
_BUSY: Final = (asyncpg.LockNotAvailableError,)  # all that is due is locked by others, longer than that
_LOCK_MEETINGS: Final = f"""
    SELECT {rows.MEETING}
    FROM {rows.unnest(("org_id", "id"))} JOIN meeting m ON m.org_id = given.org_id AND m.id = given.id
    ORDER BY m.org_id, m.id FOR {{strength}} OF m
"""
# Pushing a create moves push_status, so its meeting is locked for that at once: SHARE first and more later would
# deadlock with an attendee's Change.
_LOCK_TO_PUSH: Final = _LOCK_MEETINGS.format(strength="NO KEY UPDATE")
_LOCK_TO_TELL: Final = _LOCK_MEETINGS.format(strength="SHARE")
# due_at again: the reminder may just have moved. A row that an attendee's Change holds is taken in another chunk.
_CLAIM: Final = f"""
    SELECT {rows.TASK}
    FROM {rows.unnest(("org_id", "id"), first=2)} JOIN task t ON t.org_id = given.org_id AND t.id = given.id
    WHERE t.due_at <= $1 ORDER BY t.due_at, t.id FOR UPDATE OF t SKIP LOCKED
"""
_ANSWERS: Final = f"""
    SELECT given.id, answer.name, answer.msg_status, answer.reply, answer.total
    FROM {rows.unnest(("org_id", "meeting_id", "id", "since_at"))}, LATERAL (
        SELECT a.name, a.msg_status, a.reply, a.answered_at, a.uid, count(*) OVER () AS total
        FROM attendee a
        WHERE a.org_id = given.org_id AND a.meeting_id = given.meeting_id AND a.answered_at >= given.since_at
            AND a.msg_status IN ({MsgStatus.ACCEPTED:d}, {MsgStatus.DECLINED:d})
            AND a.organizer = 0 AND a.removed_at IS NULL
        ORDER BY a.answered_at, a.uid COLLATE "C" LIMIT {FIRST_ANSWERS}
    ) AS answer
    ORDER BY given.id, answer.answered_at, answer.uid COLLATE "C"
"""
# Where a part of a large meeting ends. One collation everywhere, whatever the database's own.
_PART: Final = """
    SELECT uid FROM attendee
    WHERE org_id = $1 AND meeting_id = $2 AND uid COLLATE "C" > $3
    ORDER BY uid COLLATE "C" OFFSET $4 LIMIT 1
"""
_LISTED: Final = "a.position >= 0 AND a.removed_at IS NULL"
_TOLD: Final = """(a.quiet = 1 OR EXISTS (
    SELECT FROM message told
    WHERE told.org_id = a.org_id AND told.meeting_id = a.meeting_id AND told.uid = a.uid
        AND told.kind = 'invited' AND told.occasion = a.invited_sequence::text
    OFFSET 0
))"""
_NOT_YET_SHOWN: Final = """NOT EXISTS (
    SELECT FROM message shown
    WHERE shown.org_id = a.org_id AND shown.meeting_id = a.meeting_id AND shown.uid = a.uid
        AND shown.kind IN ('invited', 'updated') AND shown.as_of >= given.sequence
    OFFSET 0
)"""
_REMAINING: Final = (
    f"{_LISTED} AND a.organizer = 0 AND a.invited_sequence < given.sequence AND {_NOT_YET_SHOWN}"
)
# The rules of rules.announce.Audience, one condition each.
_AUDIENCES: Final = {
    Audience.INVITED: (f"{_LISTED} AND a.organizer = 0 AND a.invited_sequence = given.sequence"),
    Audience.REMOVED: (
        "a.removed_at IS NOT NULL AND a.removed_sequence = given.sequence"
        f" AND a.msg_status <> {MsgStatus.DECLINED:d} AND {_TOLD}"
    ),
    Audience.REMAINING: _REMAINING,
    Audience.REMAINING_NOT_DECLINED: f"a.msg_status <> {MsgStatus.DECLINED:d} AND {_REMAINING}",
    Audience.EVERYONE: f"{_LISTED} AND a.organizer = 0 AND {_TOLD}",
    Audience.WANTING_REMINDER: (
        f"(a.organizer = 1 OR ({_LISTED})) AND a.remind = 1 AND a.msg_status <> {MsgStatus.DECLINED:d}"
    ),
    Audience.UNANSWERED: (
        f"{_LISTED} AND a.organizer = 0 AND a.msg_status IN ({MsgStatus.UNREAD:d}, {MsgStatus.READ:d})"
    ),
    Audience.ORGANIZER: "a.organizer = 1",
    Audience.EVERYONE_NOT_DECLINED: (
        f"{_LISTED} AND a.organizer = 0 AND a.msg_status <> {MsgStatus.DECLINED:d} AND {_TOLD}"
    ),
}
_NOTICE_FIELDS: Final = (
    *("place", "org_id", "meeting_id", "kind", "audience", "sms", "occasion", "params"),
    *("sequence", "as_of", "after_uid", "last_uid", "due_at"),
)
_SMS: Final = _NOTICE_FIELDS.index("sms")
_CASES: Final = " ".join(f"WHEN {audience:d} THEN {condition}" for audience, condition in _AUDIENCES.items())
# $1 and $2 are the first id of the messages and now, $16 and $17 the first id of the deliveries and the meetings whose
# apps are to be told who is reminded.
_TO_ALL: Final = f"""
    FROM {rows.unnest(_NOTICE_FIELDS, first=3)}
    JOIN attendee a ON a.org_id = given.org_id AND a.meeting_id = given.meeting_id
    WHERE (given.after_uid = '' OR a.uid COLLATE "C" > given.after_uid)
        AND (given.last_uid IS NULL OR a.uid COLLATE "C" <= given.last_uid)
"""
_TELL: Final = f"""
    INSERT INTO message
        (org_id, uid, xid, id, meeting_id, kind, occasion, as_of, params, created_at, read_at)
    SELECT given.org_id, a.uid, pg_current_xact_id()::text::bigint,
        $1::bigint - 1 + row_number() OVER (ORDER BY given.place),
        given.meeting_id, given.kind, given.occasion, given.as_of, given.params, $2::bigint, NULL
    {_TO_ALL} AND CASE given.audience {_CASES} END
    ON CONFLICT DO NOTHING
"""
# One statement, so that both see one moment: who declines meanwhile gets both the text and the message or neither.
_TELL_AND_REPORT: Final = f"""
    WITH texted AS (
        INSERT INTO delivery
            (org_id, id, channel, uid, meeting_id, kind, occasion, sequence, created_at, due_at, give_up_at, state,
            attempt, failures, uncertain, as_of, address, text, provider_id, reason)
        SELECT given.org_id, $16::bigint - 1 + row_number() OVER (ORDER BY given.place), 'sms', a.uid, given.meeting_id,
            given.kind, given.occasion, given.sequence, $2::bigint, given.due_at, $2::bigint + {timing.DAY_MS},
            'pending', 0, 0, 0, -1, '', '', '', ''
        {_TO_ALL} AND given.sms > 0 AND CASE given.sms {_CASES} END
        ON CONFLICT DO NOTHING
        RETURNING 1
    ), told AS ({_TELL} RETURNING org_id, meeting_id, uid, kind), reminded AS (
        SELECT told.org_id, told.meeting_id, told.uid, (
            SELECT a.msg_status FROM attendee a
            WHERE a.org_id = told.org_id AND a.meeting_id = told.meeting_id AND a.uid = told.uid
        ) AS msg_status
        FROM told WHERE told.kind = '{Kind.REMINDER}' AND told.meeting_id = ANY($17::bigint[])
    )
    SELECT counted.texts, counted.messages, reminded.org_id, reminded.meeting_id, reminded.uid, reminded.msg_status
    FROM (SELECT (SELECT count(*) FROM texted) AS texts, (SELECT count(*) FROM told) AS messages) AS counted
    LEFT JOIN reminded ON true
"""
_PUSHED: Final = f"""
    UPDATE meeting m SET push_status = {PushStatus.PUSHED:d} FROM {rows.unnest(("org_id", "id"))}
    WHERE m.org_id = given.org_id AND m.id = given.id AND m.push_status = {PushStatus.PENDING:d}
"""
_MISSED: Final = f"""
    INSERT INTO history (org_id, meeting_id, id, at, app_id, actor_uid, kind, change, xid)
    SELECT org_id, meeting_id, id, at, NULL, '', 'missed', '{{}}', pg_current_xact_id()::text::bigint
    FROM {rows.unnest(("org_id", "meeting_id", "id", "at"))}
"""
_FINISHED: Final = f"""
    DELETE FROM task t USING {rows.unnest(("org_id", "id"))} WHERE t.org_id = given.org_id AND t.id = given.id
"""
_PUT_OFF: Final = "UPDATE task SET due_at = $3, attempt = attempt + 1 WHERE org_id = $1 AND id = $2"
_RESUME: Final = "UPDATE task SET resume_uid = $3 WHERE org_id = $1 AND id = $2"
_NEXT: Final = f"SELECT t.due_at FROM task t WHERE {_FREE} ORDER BY t.due_at LIMIT 1"


log = structlog.get_logger(__name__)


class Due(NamedTuple):
    """A task as it looked before it was locked."""

    org_id: int
    id: int
    due_at: int
    kind: str
    meeting_id: int
    sequence: int
    topic: str
    size: int

    @property
    def slot(self) -> int:
        return (self.meeting_id * 0x9E3779B1 >> 16) % SLOTS

    @property
    def cost(self) -> int:
        """How many attendee rows are looked at to tell it."""
        return 1 if self.kind == TaskKind.ANSWERED or self.topic == Topic.SILENT else self.size


class Expander:
    """The dispatcher's work in the database, one chunk at a time: a second at once made 100,000 messages slower.

    Needs CONNECTIONS: one for the chunk, and one by which ids come meanwhile.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._ids = Ids(connections)
        self._one_at_a_time = asyncio.Lock()

    async def expand(self, *, now: int, rows: int, decide: Decide, missed: Missed) -> Expanded:
        at_most = PEEKED_TASKS
        async with self._one_at_a_time:
            while True:
                try:
                    return await self._expand(now, rows, at_most, decide, missed)
                except Exception as failure:
                    if at_most == 1 or not _is_own_fault(failure):
                        raise
                    at_most //= 2  # down to the one at fault, which is then put off

    async def _expand(self, now: int, rows: int, at_most: int, decide: Decide, missed: Missed) -> Expanded:
        for last in (False, True):
            passing = _BUSY if last else (*_BUSY, *TRANSIENT)
            try:
                async with self._connections.transaction(passing=passing) as connection:
                    return await _Chunk(connection, self._ids, now).expand(rows, at_most, decide, missed)
            except _BUSY:
                return msgspec.structs.replace(NOTHING_DUE, more=True, next_due_at=now)
            except TRANSIENT:
                continue
        raise AssertionError("unreachable")


def _is_own_fault(failure: BaseException) -> bool:
    """Whether a task or its data is at fault, not the database: SQLSTATE classes 22, 23 and 54, or our own code."""
    cause = failure.__cause__ if isinstance(failure, errors.SystemFailure) else failure
    if not isinstance(cause, DRIVER_ERRORS):
        return True
    return (getattr(cause, "sqlstate", None) or "")[:2] in ("22", "23", "54")


class _Chunk:
    """What one transaction does."""

    def __init__(self, connection: Connection, ids: Ids, now: int) -> None:
        self._connection = connection
        self._ids = ids
        self._now = now
        self._messages = 0
        self._deliveries = 0

    async def expand(self, budget: int, at_most: int, decide: Decide, missed: Missed) -> Expanded:
        chosen, meetings = await self._choose(budget, at_most)
        if not chosen:
            return await self._report([])
        tasks = [
            task
            for task in map(rows.task, await self._run(_CLAIM, self._now, given=[one[:2] for one in chosen]))
            if (task.org_id, task.meeting_id) in meetings
        ]
        part_end = await self._part_end(chosen, tasks, budget)
        if at_most > 1 or not tasks:
            return await self._work(tasks, meetings, part_end, decide, missed)
        (task,) = tasks
        await self._connection.execute("SAVEPOINT alone")
        try:
            return await self._work(tasks, meetings, part_end, decide, missed)
        except Exception as failure:
            if not _is_own_fault(failure):
                raise
            await self._connection.execute("ROLLBACK TO alone")
            await self._connection.execute(
                _PUT_OFF, task.org_id, task.id, timing.put_off(task, now=self._now)
            )
            log.error("task put off", org_id=task.org_id, task_id=task.id, error=telemetry.frames(failure))
            self._messages = self._deliveries = 0
            return msgspec.structs.replace(await self._report([]), failed=1)

    async def _work(
        self,
        tasks: Sequence[Task],
        meetings: Mapping[tuple[int, int], Meeting],
        part_end: str | None,
        decide: Decide,
        missed: Missed,
    ) -> Expanded:
        answers = await self._answers(tasks)
        notices: list[tuple[Any, ...]] = []
        late: list[Task] = []
        for task in tasks:
            meeting = meetings[task.org_id, task.meeting_id]
            if missed(task, meeting):
                late.append(task)
                continue
            first, count = answers.get(task.id, ([], 0))
            notices += (
                _row(task, meeting, notice, part_end) for notice in decide(task, meeting, first, count)
            )
        heard = await self._heard(tasks, meetings)
        told = await self._tell(notices, meetings, heard)
        await self._record(late)
        if part_end is not None and notices:
            await self._connection.execute(_RESUME, tasks[0].org_id, tasks[0].id, part_end)
            await self._tell_apps(told)
            return await self._report([])
        await self._finish(tasks)
        pushed = (meetings[task.org_id, task.meeting_id] for task in tasks if _pushes(task))
        pending = (one for one in pushed if one.push_status == PushStatus.PENDING)
        await self._tell_apps(
            [*(callbacks.pushed(one) for one in pending if (one.org_id, one.app_id) in heard), *told]
        )
        return await self._report(tasks)

    async def _heard(
        self, tasks: Sequence[Task], meetings: Mapping[tuple[int, int], Meeting]
    ) -> set[tuple[int, int]]:
        """The (org, app) of these tasks' meetings where the app is to be told of what they do."""
        telling_ones = (
            meetings[task.org_id, task.meeting_id]
            for task in tasks
            if _pushes(task) or task.kind == TaskKind.REMIND
        )
        return await telling.heard(self._connection, ((one.org_id, one.app_id) for one in telling_ones))

    async def _tell_apps(self, told: Sequence[Happening]) -> None:
        """The last locks of the transaction."""
        await telling.write(self._connection, [shared.new(one, at=self._now) for one in told])

    async def _choose(self, budget: int, at_most: int) -> tuple[list[Due], dict[tuple[int, int], Meeting]]:
        """Due tasks of one slot that no other dispatcher is at, with their meetings, locked; the most urgent first.

        What a node that has frozen keeps locked holds up nothing but itself.
        """
        due = await self._peek()
        for slot in dict.fromkeys(one.slot for one in due):
            if await self._connection.fetchval(_TRY_SLOT, _SLOT_LOCK, slot):
                chosen = _within([one for one in due if one.slot == slot], budget)[:at_most]
                meetings = await self._lock(chosen, waiting=False)
                if meetings:
                    return chosen, meetings
        if not due:
            return [], {}
        await self._connection.execute(_WAIT_SHORTLY)
        slot = due[0].slot
        await self._connection.execute(_WAIT_FOR_SLOT, _SLOT_LOCK, slot)
        chosen = _within([one for one in await self._peek() if one.slot == slot], budget)[:at_most]
        return chosen, await self._lock(chosen, waiting=True)

    async def _peek(self) -> list[Due]:
        found = [Due(*row) for row in await self._connection.fetch(_PEEK, self._now)]
        return sorted(found, key=lambda one: (one.due_at, one.id))

    async def _lock(self, chosen: Sequence[Due], *, waiting: bool) -> dict[tuple[int, int], Meeting]:
        pushing = any(one.kind == TaskKind.ANNOUNCE and one.sequence == 0 for one in chosen)
        statement = _LOCK_TO_PUSH if pushing else _LOCK_TO_TELL
        keys = sorted({(one.org_id, one.meeting_id) for one in chosen})
        found = await self._run(statement if waiting else f"{statement} SKIP LOCKED", given=keys)
        return {(row[0], row[1]): rows.meeting(row) for row in found}

    async def _answers(self, tasks: Sequence[Task]) -> dict[int, tuple[list[Answer], int]]:
        """The first answers that each `answered` task has to report, and how many there are."""
        asked = [
            (task.org_id, task.meeting_id, task.id, task.since_at)
            for task in tasks
            if task.kind == TaskKind.ANSWERED
        ]
        found: dict[int, tuple[list[Answer], int]] = {}
        for task_id, name, msg_status, reply, total in await self._run(_ANSWERS, given=asked):
            found.setdefault(task_id, ([], total))[0].append(Answer(name, msg_status, reply))
        return found

    async def _part_end(self, chosen: Sequence[Due], tasks: Sequence[Task], budget: int) -> str | None:
        """The uid up to which a task that is too much for one transaction is told now; None: to the end."""
        if len(chosen) != 1 or chosen[0].cost <= budget or not tasks:
            return None
        task = tasks[0]
        end: str | None = await self._connection.fetchval(
            _PART, task.org_id, task.meeting_id, task.resume_uid, budget - 1
        )
        return end

    async def _tell(
        self,
        notices: Sequence[tuple[Any, ...]],
        meetings: Mapping[tuple[int, int], Meeting],
        heard: Container[tuple[int, int]],
    ) -> list[Happening]:
        """Write the deliveries and messages of all notices, and count them; who is reminded of meetings whose apps
        are to be told.
        """
        if not notices:
            return []
        at_most = sum(meetings[row[0], row[1]].size for row in notices)
        # Messages of one transaction stand in a person's inbox in the order of the tasks that caused them.
        given = columns([(place, *notice) for place, notice in enumerate(notices)])
        reported = {
            notice[:2]: meetings[notice[:2]]
            for notice in notices
            if notice[2] == Kind.REMINDER and (notice[0], meetings[notice[:2]].app_id) in heard
        }
        texted = any(given[_SMS])
        first = (await self._ids.take(at_most)).start
        if not texted and not reported:
            self._messages = _count(await self._connection.execute(_TELL, first, self._now, *given))
            return []
        first_text = (await self._ids.take(at_most)).start if texted else 0
        found = await self._connection.fetch(
            _TELL_AND_REPORT, first, self._now, *given, first_text, [meeting_id for _, meeting_id in reported]
        )
        self._deliveries, self._messages = found[0][:2]
        return shared.reminded((row[2:] for row in found), reported)

    async def _record(self, late: Sequence[Task]) -> None:
        """Reminders that came too late to be of use go into the history."""
        ids = await self._ids.take(len(late)) if late else range(0)
        await self._run(
            _MISSED,
            given=[
                (task.org_id, task.meeting_id, number, self._now)
                for task, number in zip(late, ids, strict=True)
            ],
        )

    async def _finish(self, tasks: Sequence[Task]) -> None:
        pushed = {(task.org_id, task.meeting_id) for task in tasks if _pushes(task)}
        await self._run(_PUSHED, given=sorted(pushed))
        await self._run(_FINISHED, given=[(task.org_id, task.id) for task in tasks])

    async def _report(self, finished: Sequence[Task]) -> Expanded:
        next_due_at: int | None = await self._connection.fetchval(_NEXT)
        return Expanded(
            tasks=len(finished),
            messages=self._messages,
            deliveries=self._deliveries,
            failed=0,
            more=next_due_at is not None and next_due_at <= self._now,
            next_due_at=next_due_at,
            lateness_ms=tuple((task.kind, self._now - task.due_at) for task in finished),
        )

    async def _run(self, statement: str, *arguments: object, given: Sequence[Sequence[Any]]) -> Sequence[Any]:
        return await self._connection.fetch(statement, *arguments, *columns(given)) if given else ()


def _within(due: Sequence[Due], budget: int) -> list[Due]:
    """The first of them that cost no more than the budget together, at least one."""
    chosen: list[Due] = []
    for one in due:
        budget -= one.cost
        if chosen and budget < 0:
            break
        chosen.append(one)
    return chosen


def _pushes(task: Task) -> bool:
    """Whether pushStatus becomes 1 when it is finished."""
    return task.kind == TaskKind.ANNOUNCE and task.sequence == 0


def _row(task: Task, meeting: Meeting, notice: Notice, part_end: str | None) -> tuple[Any, ...]:
    return (
        task.org_id,
        task.meeting_id,
        notice.kind,
        notice.audience,
        notice.sms,
        notice.occasion,
        notice.params,
        task.sequence,
        meeting.sequence,
        task.resume_uid,
        part_end,
        task.due_at,
    )


def _count(tag: str) -> int:
    return int(tag.rpartition(" ")[2])
