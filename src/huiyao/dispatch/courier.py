"""Sends apps their events: of each app a few at a time, of each meeting one after the other.

Everything that is decided of an event is decided by `rules.callbacks`; this is when, and how many at once. Each app has
a lane with its own circuit and its own few places, so that a receiver that is down or slow delays nobody else.
"""

import asyncio
import random
import ssl
from collections.abc import Iterable
from typing import Final, Protocol

from huiyao import telemetry
from huiyao.channels.callback import (
    REQUEST_SECONDS,
    Answer,
    Gone,
    NotTaken,
    Receiver,
    Request,
    Taken,
    trust,
)
from huiyao.channels.target import Network, Resolve, Resolver
from huiyao.dispatch.loop import POLL_SECONDS, Loop
from huiyao.dispatch.pacing import Circuit
from huiyao.errors import OperatorError
from huiyao.model import App, Event, EventState
from huiyao.rules import callbacks
from huiyao.rules.callbacks import Attempt
from huiyao.service.callbacks import record
from huiyao.service.caller import Clock
from huiyao.storage.contract import Storage
from huiyao.storage.event_contract import AmendEvent

PLACES: Final = 4  # requests under way to one app
SKIPPED_AT_ONCE: Final = 200  # events of an app that has no receiver any more
LEASE_MS: Final = int(REQUEST_SECONDS * 3000)
STOP_SECONDS: Final = REQUEST_SECONDS + 2  # for what is under way
OVERDUE_AT_ONCE: Final = 500
LONGEST_REST_SECONDS: Final = 3600.0  # that a receiver can ask for all its events
FIRST_PAUSE_SECONDS: Final = 0.2  # after an acknowledgement that could not be written; doubled each time
LONGEST_PAUSE_SECONDS: Final = 5.0
LEAST_PAUSE_SECONDS: Final = 0.02


class Seal(Protocol):
    """Makes the request of an event; see wire.callbacks."""

    async def __call__(self, event: Event, app: App, *, now: int, older: bool) -> Request: ...


class Lane:
    """What is known of one app's receiver."""

    def __init__(self) -> None:
        self.circuit = Circuit()
        self.under_way = 0
        self.rest_until = 0.0  # in the event loop's time: the receiver asked for it
        self.older = False  # whether the token before this one is tried next
        self.receiver: Receiver | None = None

    def room(self, at: float) -> int:
        """How many requests may begin."""
        if at < self.rest_until:
            return 0
        return self.circuit.room(at, PLACES - self.under_way)

    async def receiver_at(
        self, url: str, *, allowed: Iterable[Network], resolve: Resolve, context: ssl.SSLContext
    ) -> Receiver:
        """The receiver at this URL; the one before is let go of where it has changed."""
        if self.receiver is None or self.receiver.url != url:
            old, self.receiver = (
                self.receiver,
                Receiver(url, allowed=allowed, resolve=resolve, context=context),
            )
            if old:
                await old.close()
        return self.receiver


class Courier(Loop):
    """Any number of them may run on PostgreSQL; on SQLite the one in `serve`."""

    name = "courier"

    def __init__(
        self,
        storage: Storage,
        seal: Seal,
        *,
        allowed: Iterable[Network] = (),
        clock: Clock | None = None,
        resolve: Resolve | None = None,
        request_seconds: float = REQUEST_SECONDS,
    ) -> None:
        super().__init__()
        self._storage = storage
        self._seal = seal
        self._allowed = tuple(allowed)
        self._clock = clock or Clock()
        self._resolver = Resolver()
        self._resolve = resolve or self._resolver
        self._request_seconds = request_seconds
        self._context: ssl.SSLContext | None = None
        self._lanes: dict[int, Lane] = {}
        self._under_way: set[asyncio.Task[None]] = set()
        self._tidy_at = 0.0  # in the event loop's time

    async def run(self) -> None:
        """Until `stop`; what is under way then is given time for its answer."""
        await super().run()
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=STOP_SECONDS)
        for task in self._under_way:
            task.cancel()
        for lane in self._lanes.values():
            if lane.receiver:
                await lane.receiver.close()
        self._resolver.close()

    async def _round(self) -> float:
        at = asyncio.get_running_loop().time()
        if at >= self._tidy_at:
            await self._tidy()
            self._tidy_at = at + POLL_SECONDS
        now = self._clock.now()
        rooms: list[tuple[int, int]] = []
        apps: dict[int, App] = {}
        pause = POLL_SECONDS
        for app_id, due_at in await self._storage.waiting_apps():
            if due_at > now:
                pause = min(pause, (due_at - now) / 1000)
                continue
            app = await self._storage.app(app_id)
            if app is None:
                continue
            apps[app_id] = app
            lane = self._lanes.setdefault(app_id, Lane())
            if _unreachable(app):
                rooms.append((app_id, SKIPPED_AT_ONCE))
            elif (room := lane.room(at)) > 0:
                rooms.append((app_id, room))
            elif lane.circuit.open and not lane.under_way:
                pause = min(pause, lane.circuit.wait_seconds(at))
        begun = await self._storage.begin_events(rooms, now=now, lease_ms=LEASE_MS)
        for event in begun:
            self._begin(event, apps[event.app_id])
        return 0 if begun else max(LEAST_PAUSE_SECONDS, pause)

    async def _tidy(self) -> None:
        """Take back what others left behind, and give up what has waited too long."""
        rescued = await self._storage.rescue_events()
        if rescued:
            self._log.warning("events rescued", events=rescued)
        now = self._clock.now()
        overdue = await self._storage.overdue_events(before=now - callbacks.OVERDUE_MS, limit=OVERDUE_AT_ONCE)

        def give_up(event: Event) -> Event | None:
            return callbacks.give_up(event, now=now)

        for event in await self._storage.amend_events([(*key, give_up) for key in overdue]):
            if event is not None:
                record(event)

    def _begin(self, event: Event, app: App) -> None:
        lane = self._lanes[app.id]
        trial = False
        if not _unreachable(app, event):
            trial = lane.circuit.begin()
            lane.under_way += 1
            task = asyncio.create_task(self._send(event, app, lane, trial=trial))
        else:
            task = asyncio.create_task(self._skip(event, _unreachable(app, event)))
        self._under_way.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self.wake()

    async def _skip(self, event: Event, reason: str) -> None:
        now = self._clock.now()
        await self._write(event, lambda found: callbacks.skip(found, reason, now=now))

    async def _send(self, event: Event, app: App, lane: Lane, *, trial: bool) -> None:
        at = self._clock.now()
        began = asyncio.get_running_loop().time()
        try:
            answer = await self._post(event, app, lane, now=at)
        except OperatorError:
            self._log.error("event not sealed", app_id=app.id, event_id=event.id)
            answer = NotTaken("bad_secret", down=False)
        except Exception as failure:  # one event's own: it must hold up no other
            self._log.error("event failed", event_id=event.id, error=telemetry.frames(failure))
            answer = NotTaken("error", down=False)
        finally:
            lane.under_way -= 1
        ended = asyncio.get_running_loop().time()
        self._mark(answer, app, lane, trial=trial)
        attempt = Attempt(at=at, ms=int((ended - began) * 1000), outcome=answer.outcome)
        if isinstance(answer, Taken):
            telemetry.LATENESS_SECONDS.labels("callback", str(event.type)).observe(
                max(0, at + attempt.ms - event.due_at) / 1000
            )
        if isinstance(answer, Gone):
            self._log.error("receiver gone", app_id=app.id)
            await self._storage.close_callback(app.id, app.callback_url, now=at)
        await self._write(event, _acknowledgement(answer, attempt))

    async def _post(self, event: Event, app: App, lane: Lane, *, now: int) -> Answer:
        assert app.callback
        request = await self._seal(event, app, now=now, older=lane.older)
        if self._context is None:
            self._context = trust()
        receiver = await lane.receiver_at(
            app.callback_url,
            allowed=self._allowed,
            resolve=self._resolve,
            context=self._context,
        )
        return await receiver.post(request, style=app.callback.style)

    def _mark(self, answer: Answer, app: App, lane: Lane, *, trial: bool) -> None:
        """What the answer says of the receiver as a whole."""
        at = asyncio.get_running_loop().time()
        if isinstance(answer, NotTaken):
            if answer.after_seconds:
                lane.rest_until = at + min(answer.after_seconds, LONGEST_REST_SECONDS)
            if not answer.down:
                lane.older = not lane.older  # it may know only the token before this one, or only this one
        down = isinstance(answer, NotTaken) and answer.down
        if not down and lane.circuit.worked():
            self._log.info("circuit closed", app_id=app.id)
        if down and lane.circuit.failed(at, trial=trial):
            self._log.error("circuit opened", app_id=app.id, outcome=answer.outcome)
        telemetry.CALLBACK_CIRCUIT_OPEN.labels(str(app.id)).set(int(lane.circuit.open))

    async def _write(self, event: Event, amend: AmendEvent) -> None:
        """Write what became of this attempt, until it is written; what came late overwrites nothing."""

        def fenced(found: Event) -> Event | None:
            if found.state != EventState.SENDING or found.attempt != event.attempt:
                return None
            return amend(found)

        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                (written,) = await self._storage.amend_events([(event.org_id, event.id, fenced)])
            except Exception as failure:  # the database is away: what the receiver said must not be lost
                self._log.error("acknowledgement failed", event_id=event.id, error=telemetry.frames(failure))
                await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311
                pause = min(LONGEST_PAUSE_SECONDS, pause * 2)
                continue
            if written is not None:
                record(written)
            return


def _unreachable(app: App, event: Event | None = None) -> str:
    """Why the app is sent nothing any more, or not this event; "" where it is."""
    if not app.callback_url or app.callback is None:
        return "no_callback"
    if app.callback.gone_at is not None:
        return "gone"
    if app.disabled:
        return "disabled"
    if not app.orgs or (event is not None and event.org_id not in app.orgs):
        return "not_granted"
    return ""


def _acknowledgement(answer: Answer, attempt: Attempt) -> AmendEvent:
    def amend(event: Event) -> Event | None:
        match answer:
            case Taken():
                return callbacks.delivered(event, attempt)
            case Gone():
                return callbacks.refused(event, attempt)
            case NotTaken(_, _, after_seconds):
                jitter = random.uniform(0.5, 1)  # noqa: S311
                return callbacks.put_off(event, attempt, after_seconds=after_seconds, jitter=jitter)

    return amend
