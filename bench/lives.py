"""Fills a database with the past half year of an organisation, as its calls and the dispatcher would have left it.

Meetings of 8 and 9 people, a person in 170 of them however large the organisation is; most are over, an eighth are to
come, with their timers. Each has its answers, history and messages: 35 rows a meeting. Left out: texts and events for
apps, which are forgotten after 30 days, keys of repeated calls, and people who were removed from a meeting again.
Where asked for, one person has 10,000 cards, and one meeting 10,000 members.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import msgspec
from sqlalchemy import Dialect, Index
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex

from bench import seeding, servers
from huiyao.storage.schema import metadata

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
SPAN = 180 * DAY  # from the first meeting's creation to the last one's
READ_AFTER = 14 * DAY  # by then people have read all their messages
ORG = servers.ORG
FIRST = seeding.FIRST_ID
LARGE = FIRST - 1  # the meeting of many members
MANY = "many"  # the person with many cards
MEETINGS_A_PERSON = 170
MEMBERS = 9  # of every other meeting, the organizer among them; of the rest one less
SLOTS = 32  # ids of history entries for each meeting
RANKS = 1 << 20  # ids of messages for each second; more than there are meetings
CACHE_KB = 8_000_000
BULK = ("meeting", "attendee", "message", "history", "task")
MESSAGE = "INSERT INTO message (org_id, uid, xid, id, meeting_id, kind, occasion, as_of, params, created_at, read_at)"
ANSWERS = seeding.PARAMS.replace(
    "}", ',"answers":[{"name":"张三丰","msg_status":2,"reply":""}],"answer_count":5}'
)
OLD = seeding.PARAMS.replace("{", '{"old":{"address":"二楼会议室"},', 1)

_SQLITE, _POSTGRES = sqlite.dialect(), postgresql.dialect()  # type: ignore[no-untyped-call]
_UPDATED = "m.id % 10 = 3"
_CANCELLED = "m.id % 20 = 7"
_DUE = f"(m.begin_at - {seeding.REMIND_MIN * MINUTE})"
_BOTH = "meeting m JOIN attendee a ON a.org_id = m.org_id AND a.meeting_id = m.id"
_MEETING = """
    INSERT INTO meeting (org_id, id, app_id, organizer_uid, organizer_name, content, address, begin_at, end_at,
        remind_min, remind_type, push_status, sequence, moved_sequence, ical_uid, create_time, created_at,
        updated_at, cancelled_at, nudged_at, size)
"""
_LISTED = """
    INSERT INTO attendee (org_id, meeting_id, uid, name, position, organizer, msg_status, remind, reply, read_at,
        answered_at, card_removed_at, removed_at, membership, invited_sequence, removed_sequence, quiet, begin_at,
        end_at, link_id)
"""


class Life(msgspec.Struct, frozen=True, kw_only=True):
    """So many meetings, up to the moment `now`."""

    meetings: int
    now: int
    cards: int = 0  # of the person with many; at most as many as there are meetings
    members: int = 0  # of the meeting of many

    @property
    def people(self) -> int:
        return max(50, self.meetings * MEMBERS // MEETINGS_A_PERSON // 10 * 10)

    @property
    def start(self) -> int:
        return self.now - SPAN - HOUR  # the last one's answers are not still to come

    def uid(self, number: int) -> str:
        return f"u{100_000 + number % self.people}"


def fill(url: str, life: Life) -> None:
    """Write it all into a database that has the newest schema, an organisation and no meeting."""
    first = [*_drop_indexes(), _meetings(life), _attendees(life), *_special(life)]
    then = [[_history(), _people(life), _timers(life)], _messages(life)]
    if url.startswith("sqlite:///"):
        written = [*first, *then[0], *then[1], *_create_indexes(_SQLITE), _counters(life)]
        _run_sqlite(url, written)
        return
    seeding.run(url, first, settle=False)
    _side_by_side(url, then)
    indexes = list(_create_indexes(_POSTGRES))
    _side_by_side(url, [indexes[::2], indexes[1::2]])
    seeding.run(url, [f"SELECT setval('huiyao_id', {_next_id(life)})"])


def _side_by_side(url: str, groups: Sequence[Sequence[str]]) -> None:
    with ThreadPoolExecutor() as threads:
        for done in [threads.submit(seeding.run, url, group, settle=False) for group in groups]:
            done.result()


def _run_sqlite(url: str, statements: Sequence[str]) -> None:
    """Without a journal: what breaks off leaves a file of no use."""
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as file:
        for pragma in ("journal_mode = DELETE", "journal_mode = OFF", "synchronous = OFF"):
            file.execute(f"PRAGMA {pragma}").fetchall()
        file.execute(f"PRAGMA cache_size = -{CACHE_KB}")
        file.execute("PRAGMA ignore_check_constraints = ON")
        for statement in ("BEGIN", *statements, "COMMIT"):
            file.execute(statement)
        file.execute("PRAGMA journal_mode = WAL").fetchall()


def _indexes() -> Iterator[Index]:
    """Those that can be made afterwards, all at once, which is several times faster."""
    for name in BULK:
        yield from sorted(metadata.tables[name].indexes, key=lambda index: str(index.name))


def _drop_indexes() -> Iterator[str]:
    return (f"DROP INDEX {index.name}" for index in _indexes())


def _create_indexes(dialect: Dialect) -> Iterator[str]:
    return (str(CreateIndex(index).compile(dialect=dialect)) for index in _indexes())


def _next_id(life: Life) -> int:
    """Behind every id of a meeting, a task or an entry, as the next one would have been."""
    return FIRST + (life.meetings + 1) * SLOTS


def _counters(life: Life) -> str:
    return f"UPDATE counter SET value = CASE name WHEN 'id' THEN {_next_id(life)} ELSE 1 END"


def _person(life: Life, number: str) -> str:
    return f"'u' || CAST(100000 + ({number}) % {life.people} AS text)"


def _people(life: Life) -> str:
    return f"""
        {seeding.numbers(life.people)}
        INSERT INTO person (org_id, uid, name, mobile, email, timezone, locale, search)
        SELECT {ORG}, {_person(life, "i")}, '张三丰', '', '', '', '', '张三丰 zhangsanfeng zsf ' || {_person(life, "i")}
        FROM n
    """


def _meetings(life: Life) -> str:
    return f"""
        {seeding.numbers(life.meetings)},
        c (i, id, created_at) AS (SELECT i, {FIRST} + i, {life.start} + i * {SPAN} / {life.meetings} FROM n),
        m (i, id, created_at, begin_at) AS (
            SELECT i, id, created_at,
                (created_at / {DAY} + 1 + i * 7 % 45) * {DAY} + (1 + i % 9) * {HOUR} + i % 2 * {HOUR // 2}
            FROM c
        )
        {_MEETING}
        SELECT {ORG}, id, 1, {_person(life, "i * 7919")}, '王芳', '{seeding.CONTENT}', '{seeding.ADDRESS}',
            begin_at, begin_at + (1 + i % 3) * {HOUR // 2}, {seeding.REMIND_MIN}, 0,
            CASE WHEN {_CANCELLED} THEN 2 ELSE 1 END, CASE WHEN {_CANCELLED} OR {_UPDATED} THEN 1 ELSE 0 END, 0,
            CAST(id AS text) || '.{ORG}@huiyao', created_at, created_at,
            created_at + CASE WHEN {_CANCELLED} THEN {30 * MINUTE} WHEN {_UPDATED} THEN {MINUTE} ELSE 0 END,
            CASE WHEN {_CANCELLED} THEN created_at + {30 * MINUTE} END, NULL, {MEMBERS - 1} + i % 2
        FROM m
    """


def _attendees(life: Life) -> str:
    """60 of a hundred accept and 15 decline; the organizer, in the first place, says nothing."""
    status = "CASE WHEN k = 0 OR answer < 3 THEN 0 WHEN answer < 5 THEN 1 WHEN answer < 17 THEN 2 ELSE 3 END"
    return f"""
        WITH RECURSIVE k (k) AS (SELECT CAST(0 AS bigint) UNION ALL SELECT k + 1 FROM k WHERE k < {MEMBERS - 1}),
        a (i, k, id, created_at, begin_at, end_at, answer) AS (
            SELECT id - {FIRST}, k, id, created_at, begin_at, end_at, ((id - {FIRST}) * 3 + k * 7) % 20
            FROM meeting CROSS JOIN k WHERE org_id = {ORG} AND k < size
        )
        {_LISTED}
        SELECT {ORG}, id, {_person(life, "i * 7919 + k * 613")}, '张三丰', k, CASE WHEN k = 0 THEN 1 ELSE 0 END,
            {status}, CASE WHEN (i + k) % 20 = 0 THEN 0 ELSE 1 END, '',
            CASE WHEN k > 0 AND answer >= 3 THEN created_at + (2 + k) * {MINUTE} END,
            CASE WHEN k > 0 AND answer >= 5 THEN created_at + (2 + k) * {MINUTE} END,
            CASE WHEN (i * 5 + k) % 25 = 0 AND begin_at < {life.now - DAY} THEN begin_at + {HOUR} END,
            NULL, 1, 0, NULL, 0, begin_at, end_at, i * 16 + k + 1
        FROM a
    """


def _special(life: Life) -> Iterator[str]:
    if life.cards:
        chosen = f"org_id = {ORG} AND (id - {FIRST}) % {life.meetings // life.cards} = 0"
        yield f"""
            {_LISTED}
            SELECT {ORG}, id, '{MANY}', '张三丰', size, 0, 0, 1, '', NULL, NULL, NULL, NULL, 1, 0, NULL, 0, begin_at,
                end_at, (id - {FIRST}) * 16 + 15
            FROM meeting WHERE {chosen}
        """
        yield f"UPDATE meeting SET size = size + 1 WHERE {chosen}"
    if life.members:
        times = f"{life.now + 20 * DAY}, {life.now + 20 * DAY + HOUR}"
        yield f"""
            {_MEETING}
            VALUES ({ORG}, {LARGE}, 1, 'x0', '王芳', '{seeding.CONTENT}', '{seeding.ADDRESS}', {times},
                {seeding.REMIND_MIN}, 0, 1, 0, 0, '{LARGE}.{ORG}@huiyao', {life.now}, {life.now}, {life.now}, NULL,
                NULL, {life.members})
        """
        yield f"""
            {seeding.numbers(life.members)}
            {_LISTED}
            SELECT {ORG}, {LARGE}, 'x' || CAST(i AS text), '张三丰', i, CASE WHEN i = 0 THEN 1 ELSE 0 END, 0, 1, '',
                NULL, NULL, NULL, NULL, 1, 0, NULL, 0, {times}, {1 << 40} + i
            FROM n
        """


def _history() -> str:
    number = f"{FIRST} + (m.id - {FIRST}) * {SLOTS}"
    return f"""
        INSERT INTO history (org_id, id, xid, meeting_id, at, app_id, actor_uid, kind, change)
        SELECT org_id, {number}, 1, id, created_at, 1, organizer_uid, 'created', '{{}}' FROM meeting m
        UNION ALL
        SELECT org_id, {number} + 1, 1, id, updated_at, 1, organizer_uid, 'updated',
            '{{"address":["二楼会议室","{seeding.ADDRESS}"]}}'
        FROM meeting m WHERE {_UPDATED}
        UNION ALL
        SELECT a.org_id, {number} + 2 + a.position, 1, m.id, a.read_at, 1, a.uid,
            CASE a.msg_status WHEN 1 THEN 'read' ELSE 'responded' END,
            '{{"msg_status":[0,' || CAST(a.msg_status AS text) || '],"answered_at":[null,1]}}'
        FROM {_BOTH} WHERE a.read_at IS NOT NULL
        UNION ALL
        SELECT org_id, {number} + 15, 1, id, cancelled_at, 1, organizer_uid, 'cancelled', '{{}}'
        FROM meeting m WHERE {_CANCELLED}
    """


def _messages(life: Life) -> list[str]:
    """Invited, updated, answered, cancelled, reminded; what is older than two weeks has been read, of the rest half."""

    def told(kind: str, at: str, *, occasion: str = "'0'", params: str = seeding.PARAMS, whom: str) -> str:
        number = f"({at} - {life.start}) / 1000 * {RANKS} + m.id - {FIRST}"
        read = f"CASE WHEN {at} < {life.now - READ_AFTER} OR m.id % 2 = 0 THEN {at} + {HOUR} END"
        return f"""
            {MESSAGE}
            SELECT m.org_id, a.uid, 1, {number}, m.id, '{kind}', {occasion}, 0, '{params}', {at}, {read}
            FROM {_BOTH} WHERE {whom}
        """

    return [
        told("invited", "(m.created_at + 1000)", whom="a.organizer = 0"),
        told(
            "updated",
            f"(m.created_at + {MINUTE} + 1000)",
            occasion="'1'",
            params=OLD,
            whom=f"a.organizer = 0 AND {_UPDATED}",
        ),
        told(
            "answered",
            f"(m.created_at + {25 * MINUTE})",
            occasion="CAST(m.id AS text)",
            params=ANSWERS,
            whom="a.organizer = 1",
        ),
        told(
            "cancelled",
            f"(m.created_at + {30 * MINUTE} + 1000)",
            occasion="'1'",
            whom=f"a.organizer = 0 AND {_CANCELLED}",
        ),
        told(
            "reminder",
            _DUE,
            occasion=f"CAST(m.begin_at AS text) || ':{seeding.REMIND_MIN}'",
            whom=f"{_DUE} < {life.now} AND m.push_status = 1 AND a.remind = 1 AND a.msg_status <> 3",
        ),
    ]


def _timers(life: Life) -> str:
    return f"""
        INSERT INTO task
            (org_id, id, due_at, kind, meeting_id, sequence, dedup_key, topic, since_at, old, resume_uid)
        SELECT org_id, {FIRST} + (m.id - {FIRST}) * {SLOTS} + 16, {_DUE}, 'remind', id, sequence,
            'remind:' || CAST(id AS text), '', 0, '', ''
        FROM meeting m WHERE {_DUE} > {life.now} AND push_status = 1
    """
