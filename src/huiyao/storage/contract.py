"""What the rest of Huiyao may ask of a database; SQLite and PostgreSQL both keep it, one test suite proves it.

Every query carries the organisation. Reads see everything committed before they began. `commit` gathers the
Changes of many calls into one transaction; each succeeds or fails on its own.
"""

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import Final, Protocol

import msgspec

from huiyao.model import (
    App,
    Attendee,
    Card,
    Changed,
    Delivery,
    Engagement,
    Entry,
    Generation,
    Inbound,
    Meeting,
    Message,
    Org,
    Person,
    Session,
    Task,
    Ticket,
)
from huiyao.rules.announce import Answer, Notice
from huiyao.rules.change import Change
from huiyao.rules.deliver import Sight
from huiyao.storage.event_contract import EventStorage
from huiyao.storage.key_contract import KeyStorage


class Committed(msgspec.Struct, frozen=True):
    """The Change is durable."""


class Conflict(msgspec.Struct, frozen=True):
    """The guard no longer holds; nothing was written. Load again and decide again."""


class Repeated(msgspec.Struct, frozen=True):
    """A create with this idempotency key was committed before, by a request with this fingerprint."""

    meeting_id: int
    fingerprint: bytes


Verdict = Committed | Conflict | Repeated


class Position(msgspec.Struct, frozen=True, order=True):
    """A place in a feed: rows are ordered by the transaction that wrote them, then by id; (0, 0) is the start."""

    xid: int
    id: int


START: Final = Position(0, 0)


class InboxPage(msgspec.Struct, frozen=True):
    messages: tuple[Message, ...]  # oldest first
    unread: int  # of the whole inbox
    end: Position  # behind the last message given; where nothing was given, where the reader stood
    xids: tuple[int, ...]  # of each message the transaction that wrote it: with its id, its Position


class Shelf(StrEnum):
    """A part of a person's workbench. No shelf holds removed cards, or meetings the person was removed from."""

    UPCOMING = "upcoming"  # not over yet, cancelled ones included; by begin_at
    WAITING = "waiting"  # of those, not cancelled, where the person is listed, not the organizer, and has not answered
    PAST = "past"  # over; the last to begin first
    CREATED = "created"  # the person is the organizer, over or not; the last to begin first


class Place(msgspec.Struct, frozen=True, order=True):
    """A card's place on a shelf or in a calendar."""

    begin_at: int
    meeting_id: int


class CardsWanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which cards a caller of `list` asks for; what is None does not matter."""

    begin_at: int | None = None  # meetings that end after this
    end_at: int | None = None  # meetings that begin before this
    msg_status: int | None = None  # the person is listed with this answer
    organizer: bool | None = None
    below: int | None = None  # meeting ids below this
    size: int = 50


SCANNED_ENTRIES: Final = 2_000


class News(msgspec.Struct, frozen=True):
    """What became visible in feeds between two horizons."""

    uids: frozenset[str]  # of those asked about: who has new messages
    # Of those asked about: which have new entries of history; all of them where more than SCANNED_ENTRIES were written.
    meetings: frozenset[int]


class ChangesPage(msgspec.Struct, frozen=True):
    changes: tuple[Changed, ...]
    end: Position  # behind the last change given; where nothing was given, where the reader stood


class HistoryPage(msgspec.Struct, frozen=True):
    entries: tuple[Entry, ...]  # oldest first
    end: Position  # behind the last entry given; where nothing was given, where the reader stood


class Expanded(msgspec.Struct, frozen=True):
    """What one transaction of the dispatcher did."""

    tasks: int  # finished
    messages: int
    deliveries: int
    failed: int  # tasks put off because they cannot be told
    more: bool  # whether due tasks were left for the next round
    next_due_at: int | None  # of the earliest task that waits, due or not; None: there is none
    lateness_ms: tuple[tuple[str, int], ...]  # of each finished task, with its kind


# (task, meeting, the first answers, how many answers) → notices; `rules.announce.notices` with the clock bound.
# After a restore: more ids than were given since any backup.
IDS_AHEAD: Final = 100_000_000
Progress = Callable[[int, int], None]  # what is done, and the whole
Decide = Callable[[Task, Meeting, Sequence[Answer], int], Sequence[Notice]]
# Whether a task of this meeting comes too late; it is then recorded in history as kind "missed".
Missed = Callable[[Task, Meeting], bool]


NOTHING_DUE = Expanded(
    tasks=0, messages=0, deliveries=0, failed=0, more=False, next_due_at=None, lateness_ms=()
)


class Begun(msgspec.Struct, frozen=True):
    """What one transaction of a sender did."""

    sending: tuple[tuple[Delivery, Sight], ...]  # to be sent now, as written
    ended: tuple[Delivery, ...]  # skipped, or failed without another request
    more: bool  # whether due deliveries were left
    next_due_at: int | None  # of the earliest delivery that waits, due or not; None: there is none


class Leased(msgspec.Struct, frozen=True):
    """A block of a daily quota."""

    granted: int  # 0: the quota is used up
    taken: int  # of the day's quota by all processes, this block included


class Queue(msgspec.Struct, frozen=True):
    """How much of one kind waits: tasks that are due (of which the channel is "inbox"), and pending deliveries."""

    channel: str
    kind: str
    depth: int
    oldest_at: int  # when the oldest task was due, or the oldest delivery was caused


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which deliveries an operator asks for; what is None does not matter."""

    org_id: int | None = None
    state: str | None = None
    channel: str | None = None
    kind: str | None = None
    meeting_id: int | None = None
    uid: str | None = None
    below: int | None = None  # ids below this
    limit: int = 50


# (what the sender sees) → the delivery as it is to be written: sending, skipped or failed; called once for each, in
# order, and those it makes sending count in `sent_today` of the ones behind it.
Look = Callable[[Sight], Delivery]
# (a delivery, locked) → the delivery as it is to be written; None: it stays as it is.
Amend = Callable[[Delivery], Delivery | None]


class Storage(EventStorage, KeyStorage, Protocol):
    """A database. All moments are epoch milliseconds from the caller's clock.

    Every method raises `errors.SystemFailure` where the database cannot be reached or refuses, with nothing
    changed; `commit` raises `errors.OutcomeUnknown` where a COMMIT's outcome could not be learned, and
    `errors.Overloaded` where too many Changes wait already.
    """

    backend: str  # "sqlite" or "postgresql"

    async def close(self) -> None:
        """Commit what was accepted, then let go of the database."""

    # Meetings

    async def meeting(self, org_id: int, meeting_id: int, uid: str) -> tuple[Meeting, Attendee] | None:
        """The meeting and this person's row, a removed one included; None where there is no such row."""

    async def whole_meeting(self, org_id: int, meeting_id: int) -> tuple[Meeting, list[Attendee]] | None:
        """The meeting and all its attendee rows, removed ones included, ordered by position, then uid.

        The two are of one moment: read in one snapshot.
        """

    async def commit(self, change: Change) -> Verdict:
        """Apply the Change wholly if its guard holds, together with others waiting. See `rules.change`."""

    async def find_repeated(
        self, org_id: int, app_id: int, uid: str, key: str, *, now: int
    ) -> Repeated | None:
        """The record of a create with this key that has not expired at `now`."""

    async def reserve_ids(self, count: int) -> range:
        """Ids nobody else will ever get: positive, below 2^53, rising on this node. Never given twice, crash or not."""

    async def unknown_people(self, org_id: int, uids: Iterable[str]) -> list[str]:
        """Those of the uids that are not in the directory, in the order given."""

    # Inbox

    async def inbox(self, org_id: int, uid: str, *, after: Position | None, size: int) -> InboxPage:
        """Up to `size` messages behind `after`, oldest first; without `after` the newest `size`, oldest first.

        Only what no late commit can still precede is shown, so that a cursor never steps over a message.
        """

    async def mark_inbox_read(self, org_id: int, uid: str, *, message_id: int, now: int) -> bool:
        """Mark that message and those before it in the feed; False where this person has no such message."""

    async def mark_meeting_read(self, org_id: int, uid: str, meeting_id: int, *, now: int) -> int:
        """Mark this person's messages of one meeting as read; how many were not."""

    # History

    async def changes(self, org_id: int, *, after: Position | None, size: int) -> ChangesPage:
        """Up to `size` entries of the organisation's history behind `after`, or from its beginning, in feed order.

        Nothing can come in before what is shown any more. Of one meeting, what the organizer did stands in its order,
        and no answer on the wrong side of the update that reset it. Missed reminders are not among them.
        """

    async def history(
        self, org_id: int, meeting_id: int, *, after: Position | None, size: int
    ) -> HistoryPage:
        """Up to `size` entries of one meeting behind `after`, or from its beginning, in feed order, missed ones too.

        With what was committed last; what is being committed may still come in before it.
        """

    # Workbench

    async def shelf(
        self, org_id: int, uid: str, shelf: Shelf, *, now: int, after: Place | None, size: int
    ) -> list[Card]:
        """Up to `size` cards of a shelf behind `after`, in the shelf's own order of (begin_at, meeting id).

        "Over" is end_at < now.
        """

    async def waiting(self, org_id: int, uid: str, *, now: int, at_most: int) -> int:
        """How many cards are on the shelf WAITING, counted up to `at_most`."""

    async def calendar(self, org_id: int, uid: str, *, begin_at: int, end_at: int, size: int) -> list[Card]:
        """Up to `size` cards of meetings that overlap [begin_at, end_at), by (begin_at, meeting id).

        One that begins and ends in the same moment overlaps where that moment is in the window.
        """

    async def cards(self, org_id: int, uid: str, wanted: CardsWanted) -> list[tuple[Meeting, Attendee]]:
        """Cards by falling meeting id, so that paging is stable: what is there throughout comes exactly once."""

    async def engagements(
        self, org_id: int, uids: Sequence[str], *, begin_at: int, end_at: int
    ) -> list[Engagement]:
        """What overlaps [begin_at, end_at) of meetings that last longer than a moment, by (uid, begin_at).

        Not cancelled ones, and those removed from left out; declined ones and removed cards included.
        """

    async def linked(self, org_id: int, meeting_id: int, link_id: int) -> tuple[Meeting, Attendee] | None:
        """The meeting and the row with this random id, however that person's part has gone on since."""

    # Sessions

    async def put_ticket(self, ticket: Ticket) -> None: ...

    async def ticket(self, org_id: int, hash_: bytes, *, now: int) -> Ticket | None:
        """One that can still be used; using it is `open_session`."""

    async def open_session(self, session: Session, ticket_hash: bytes | None) -> Session | None:
        """One transaction: use the ticket by a guarded UPDATE, and begin the session as the ticket's uid and app.

        None, and no session, where the ticket is unknown, used or expired at session.created_at. Without a ticket the
        session begins as given.
        """

    async def session(self, org_id: int, hash_: bytes, *, now: int) -> Session | None:
        """One that has not ended or expired."""

    async def end_session(self, org_id: int, hash_: bytes) -> None: ...

    async def end_sessions(self, org_id: int, uid: str) -> int:
        """End all of one person's, and their unused tickets; how many sessions."""

    # Live pages

    async def horizon(self) -> int:
        """The transaction number below which everything there will ever be is visible."""

    async def news(
        self, org_id: int, uids: Sequence[str], meetings: Sequence[int], *, since: int, until: int
    ) -> News:
        """Who of `uids` has messages, and which of `meetings` have history, of transactions in [since, until).

        `since` and `until` are earlier answers of `horizon`.
        """

    async def watch(self, wake: Callable[[], None]) -> None:
        """From now on call `wake` on the event loop soon after anything became visible in a feed, by this process or
        another. Only a hint that may be lost; polling guarantees.
        """

    # Tokens and directory

    async def app(self, app_id: int) -> App | None: ...

    async def org(self, org_id: int) -> Org | None: ...

    async def person(self, org_id: int, uid: str) -> Person | None: ...

    async def people(self, org_id: int, uids: Sequence[str]) -> list[Person]:
        """Those of the uids that are in the directory, in the order given."""

    async def search_people(
        self, org_id: int, words: Sequence[str], *, mobile: str | None, after_uid: str, size: int
    ) -> list[Person]:
        """Up to `size` people by uid behind `after_uid` whose `search` text holds every word, or whose number is this.

        Without words, everybody.
        """

    async def generation(self, app_id: int, number: int) -> Generation | None: ...

    async def issue_generation(self, app_id: int, *, now: int, expires_at: int) -> Generation:
        """Raise the app's generation by one and record it; records whose tokens have expired at `now` are dropped."""

    # Dispatch

    async def expand(self, *, now: int, rows: int, decide: Decide, missed: Missed) -> Expanded:
        """One transaction: claim due tasks, write their messages, move pushStatus, delete the tasks.

        Looks at about `rows` attendee rows at the most. A task of more is done in parts, each remembering the last
        uid. An announce task waits for the earlier ones of its meeting. A task that fails even alone is put off by
        `rules.timing.put_off` and holds up no other.
        """

    # Deliveries

    async def begin_deliveries(
        self, channel: str, *, now: int, room: int, look_at: int, lease_ms: int, look: Look
    ) -> Begun:
        """One transaction: take due deliveries in the order of their moments, look at each, write what `look` says.

        At most `room` become sending and at most `look_at` are looked at; none that another sender holds. Those that
        become sending are leased, by the database's clock (PostgreSQL) or the process's monotonic one (SQLite).
        """

    async def amend_deliveries(self, amendments: Sequence[tuple[int, int, Amend]]) -> list[Delivery | None]:
        """One transaction: lock each delivery (org, id) once, in order, and write what its amendment says.

        The deliveries as written; None where there is none, or its amendment left it as it is.
        """

    async def rescue_deliveries(self, *, wait_ms: int) -> int:
        """Make sending deliveries whose lease is over pending: due `wait_ms` after their request, for a receipt.

        The first time in a process on SQLite, where only one process sends, all leases are over.
        """

    async def deliveries(self, wanted: Wanted) -> list[Delivery]:
        """The newest first."""

    async def delivery(self, org_id: int, delivery_id: int) -> Delivery | None: ...

    async def last_outcomes(self, *, limit: int) -> list[str]:
        """The states of the deliveries of all organisations that ended last, the newest first."""

    async def answerable(
        self, number: str, *, kinds: Sequence[str], since: int
    ) -> tuple[Sequence[tuple[int, str]], Delivery | None]:
        """Who has this number (E.164), as (org, uid), two of them at the most; and where it is one person, the newest
        delivery of these kinds that went, or may have gone, to it at `since` or later.
        """

    async def record_inbound(self, inbound: Inbound) -> None:
        """Keep what became of a text that came in."""

    async def inbounds(self, *, limit: int) -> list[Inbound]:
        """The newest first."""

    async def queues(self, *, now: int) -> list[Queue]:
        """Every kind of which anything waits, for metrics."""

    async def prune(self, *, now: int, ended_before: int) -> int:
        """Forget expired idempotency records, tickets and sessions, and deliveries and inbound texts that ended before
        then, some at a time.

        How many rows went; 0: there is nothing left to forget.
        """

    async def beat(self, node: str, *, now: int) -> None:
        """Record that a dispatcher is alive; beats older than a day are dropped."""

    async def last_beat(self) -> int | None:
        """The newest beat of any dispatcher."""

    async def listen(self, wake: Callable[[], None]) -> None:
        """From now on call `wake` on the event loop soon after tasks were committed, by this process or another.

        Only a hint that may be lost; polling guarantees.
        """

    # Limits

    async def lease_quota(self, app_id: int, *, day: int, want: int, quota: int) -> Leased:
        """Take `want` calls, or as many as are left, of the app's `quota` on a day (since 1970-01-01, UTC).

        What all processes together are granted on a day is never more than the quota.
        """

    # Operators

    async def ping(self) -> None:
        """A cheap round trip."""

    async def schema_version(self) -> str | None:
        """The revision the database is at; None for an empty one. The newest is `migrate.newest()`."""

    async def setting(self, name: str) -> str | None:
        """What the installation remembers under this name."""

    async def keep_setting(self, name: str, value: str) -> str:
        """Remember it unless there is a value already; the one that stands."""

    async def put_org(self, org: Org) -> None:
        """Insert or replace."""

    async def orgs(self) -> list[Org]: ...

    async def put_app(self, app: App) -> None:
        """Insert or replace, grants included; `secret`, `generation` and `callback` of an existing app stay."""

    async def apps(self) -> list[App]: ...

    async def import_people(self, people: Sequence[Person]) -> None:
        """Insert or replace."""

    async def erase_person(self, org_id: int, uid: str) -> bool:
        """Remove a person's name, number, address, inbox and replies; False where nothing was known of them.

        The directory row, the inbox messages, sessions and tickets go; in meetings the name becomes "-" and the reply
        empty; deliveries lose number and text.
        """

    async def restored(self, *, progress: Progress) -> None:
        """After a restore, before anything else: let ids, events' numbers and places in feeds go on far above what is
        here, for callers hold some that were given after the backup. May be repeated. `progress` is of places that are
        counted one by one. Raises SystemFailure.
        """

    async def backup(self, path: str) -> None:
        """Copy the whole database into a new file while it is in use (SQLite only; else OperatorError)."""
