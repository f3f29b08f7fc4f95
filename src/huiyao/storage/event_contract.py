"""What the rest of Huiyao may ask of a database about events for apps: a part of `contract.Storage`.

Events are written by `commit`, `expand`, `begin_deliveries` and `amend_deliveries`, each in the transaction of what it
tells, where the meeting's app has a callback, is enabled and granted. Of one meeting the first event that has not ended
has the turn; those behind it wait.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from huiyao.model import Callback, Event


class EventsWanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which events an operator asks for; what is None does not matter."""

    org_id: int | None = None
    app_id: int | None = None
    state: str | None = None
    type: int | None = None
    meeting_id: int | None = None
    below: int | None = None  # ids below this
    limit: int = 50


# (an event, whose meeting's turn is locked) → the event as it is to be written; None: it stays as it is.
AmendEvent = Callable[[Event], Event | None]


class EventStorage(Protocol):
    """As `contract.Storage` says of moments and errors."""

    async def waiting_apps(self) -> list[tuple[int, int]]:
        """Each app for which an event waits that has the turn in its meeting, with the moment the first is due."""

    async def begin_events(self, rooms: Sequence[tuple[int, int]], *, now: int, lease_ms: int) -> list[Event]:
        """One transaction: of each app (app, room) take up to `room` due events, at most one a meeting, its first.

        They become sending, with one attempt more; their meeting's turn is leased, as deliveries are.
        """

    async def amend_events(self, amendments: Sequence[tuple[int, int, AmendEvent]]) -> list[Event | None]:
        """One transaction: write what each event's (org, id) amendment says, and give the turns on.

        The events as written; None where there is none, or its amendment left it as it is.
        """

    async def rescue_events(self) -> int:
        """Make sending events whose lease is over pending, due as they were; how many.

        The first time in a process on SQLite, where only one process sends, all leases are over.
        """

    async def overdue_events(self, *, before: int, limit: int) -> list[tuple[int, int]]:
        """Pending events (org, id) that were to be given up before then."""

    async def events(self, wanted: EventsWanted) -> list[Event]:
        """The newest first."""

    async def event(self, org_id: int, event_id: int) -> Event | None: ...

    async def put_callback(self, app_id: int, url: str, callback: Callback | None, *, check: str) -> bool:
        """Where an app's events go, and how; None: nowhere.

        False, and nothing is written, where the database has another key by now than the one of this check.
        """

    async def close_callback(self, app_id: int, url: str, *, now: int) -> None:
        """Note that the receiver at this URL, if it is still the app's, is gone."""
