"""Sends the deliveries of one channel: takes as many as may begin now, looks at each, sends, writes what became of it.

Everything that is decided of a delivery is decided by `rules.deliver`; this is when, and how many at once.
"""

import asyncio
import random
from collections.abc import Callable
from typing import Final

from huiyao import telemetry, telephone
from huiyao.channels.contract import (
    REQUEST_SECONDS,
    Channel,
    Outgoing,
    Refused,
    Retry,
    Sent,
    Unknown,
    Verdict,
)
from huiyao.dispatch.loop import POLL_SECONDS, Loop
from huiyao.dispatch.pacing import Circuit, Rate
from huiyao.model import UNANSWERED, Delivery, DeliveryState
from huiyao.rules import deliver
from huiyao.rules.deliver import Sight
from huiyao.service.caller import Clock
from huiyao.service.deliveries import record
from huiyao.storage.contract import Amend, Storage
from huiyao.texts import sms
from huiyao.texts.language import is_english

LOOK_AT: Final = 200  # deliveries of one transaction where most of them turn out to be skipped
LONGEST_SECONDS: Final = REQUEST_SECONDS + 5  # for a channel that does not keep to REQUEST_SECONDS
STOP_SECONDS: Final = REQUEST_SECONDS + 2  # for what is under way
ACKNOWLEDGED_AT_ONCE: Final = 1000
FIRST_PAUSE_SECONDS: Final = 0.2  # after an acknowledgement that could not be written; doubled each time
LONGEST_PAUSE_SECONDS: Final = 5.0


class Sender(Loop):
    """One channel. Any number of them may run on PostgreSQL; on SQLite the one in `serve`."""

    name = "sender"

    def __init__(
        self,
        storage: Storage,
        channel: Channel,
        *,
        daily_limit: int,
        wait_seconds: int,
        link: Callable[[Sight], str] | None = None,
        clock: Clock | None = None,
    ) -> None:
        super().__init__()
        self._storage = storage
        self._channel = channel
        self._link = link  # where the person can answer this invitation
        self._clock = clock or Clock()
        self._daily_limit = daily_limit
        self._wait_ms = wait_seconds * 1000
        # Longer than any request, so that a receipt or an answer has come before anybody repeats it.
        self._lease_ms = self._wait_ms + int(REQUEST_SECONDS * 2000)
        self._rate = Rate(channel.per_second)
        self._circuit = Circuit()
        self._under_way: set[asyncio.Task[None]] = set()
        self._acknowledger = _Acknowledger(storage)
        self._look_at = 1
        self._rescue_at = 0.0  # in the event loop's time

    async def run(self) -> None:
        """Until `stop`; what is under way then is given time for its answer."""
        await super().run()
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=STOP_SECONDS)
        for task in self._under_way:
            task.cancel()
        await self._channel.close()

    async def _round(self) -> float:
        at = asyncio.get_running_loop().time()
        if at >= self._rescue_at:
            rescued = await self._storage.rescue_deliveries(wait_ms=self._wait_ms)
            if rescued:
                self._log.warning("deliveries rescued", channel=self._channel.name, deliveries=rescued)
            self._rescue_at = at + POLL_SECONDS
        room = min(self._channel.concurrency - len(self._under_way), self._rate.room(at))
        room = self._circuit.room(at, room)
        if room <= 0:
            return self._wait(at)
        now = self._clock.now()
        texts: dict[int, sms.Text] = {}
        begun = await self._storage.begin_deliveries(
            self._channel.name,
            now=now,
            room=room,
            look_at=max(room, self._look_at),
            lease_ms=self._lease_ms,
            look=lambda sight: self._look(sight, texts, now=now),
        )
        for delivery in begun.ended:
            record(delivery)
        for delivery, sight in begun.sending:
            self._begin(delivery, sight, texts[delivery.id])
        # Where all were skipped there will be more of the kind: a meeting of people without a number.
        self._look_at = LOOK_AT if begun.ended and not begun.sending else 1
        if begun.more:
            return 0
        if begun.next_due_at is None:
            return POLL_SECONDS
        return min(POLL_SECONDS, max(0.02, (begun.next_due_at - now) / 1000))

    def _wait(self, at: float) -> float:
        """Where nothing may begin: until the rate or the circuit allows it; a request that ends wakes us."""
        if self._circuit.open:
            return min(POLL_SECONDS, max(0.02, self._circuit.wait_seconds(at)))
        if len(self._under_way) >= self._channel.concurrency:
            return POLL_SECONDS
        return min(POLL_SECONDS, self._rate.wait_seconds())

    def _look(self, sight: Sight, texts: dict[int, sms.Text], *, now: int) -> Delivery:
        """The delivery as it is to be written: sending, skipped, or failed. Runs inside the storage's transaction.

        What is to be sent goes into `texts`, by the delivery's id.
        """
        delivery = sight.delivery
        try:
            return self._looked(sight, texts, now=now)
        except Exception as failure:  # of one delivery: it must hold up no other
            self._log.error(
                "delivery put off",
                org_id=delivery.org_id,
                delivery_id=delivery.id,
                error=telemetry.frames(failure),
            )
            return deliver.put_off(delivery, "error", after_seconds=None, jitter=1, now=now)

    def _looked(self, sight: Sight, texts: dict[int, sms.Text], *, now: int) -> Delivery:
        delivery = sight.delivery
        reason = deliver.hopeless(delivery, now=now)
        if reason:
            return deliver.fail(delivery, reason, now=now)
        reason = deliver.untrue(sight, now=now)
        if reason:
            return deliver.skip(delivery, reason, now=now)
        if not sight.mobile:
            return deliver.skip(delivery, "no_number", now=now)
        number = telephone.normalise(sight.mobile)
        if number is None:
            return deliver.skip(delivery, "bad_number", now=now)
        if sight.sent_today >= self._daily_limit:
            if delivery.uncertain:  # its request counts too
                return deliver.fail(delivery, "unknown", now=now)
            return deliver.skip(delivery, "daily_limit", now=now)
        text = sms.render(
            delivery.kind,
            sight.meeting,
            old=sight.params,
            now=now,
            timezone=sight.timezone,
            locale=sight.locale,
            answerable=self._channel.two_way and sight.me.msg_status in UNANSWERED,
            link=self._link(sight) if self._link and delivery.kind in deliver.LINKED else "",
        )
        texts[delivery.id] = text
        return deliver.begin(delivery, address=number, text=text.text, as_of=sight.meeting.sequence, now=now)

    def _begin(self, delivery: Delivery, sight: Sight, text: sms.Text) -> None:
        self._rate.take(1)
        trial = self._circuit.begin()
        message = Outgoing(
            org_id=delivery.org_id,
            delivery_id=delivery.id,
            attempt=delivery.attempt,
            kind=delivery.kind,
            english=is_english(sight.locale),
            number=delivery.address,
            text=text.text,
            params=text.params,
        )
        task = asyncio.create_task(self._send(message, due_at=delivery.due_at, trial=trial))
        self._under_way.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self.wake()

    async def _send(self, message: Outgoing, *, due_at: int, trial: bool) -> None:
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                verdict = await self._channel.send(message)
        except TimeoutError:  # the channel's own limit failed; its place is needed
            verdict = Unknown("timeout")
        except Exception as failure:  # a channel's own mistake: the request may have been written
            self._log.error("channel failed", gateway=self._channel.gateway, error=telemetry.frames(failure))
            verdict = Unknown("error")
        self._mark(verdict, trial=trial)
        now = self._clock.now()
        if isinstance(verdict, Sent):
            telemetry.LATENESS_SECONDS.labels(self._channel.name, message.kind).observe(
                max(0, now - due_at) / 1000
            )
        amend = acknowledgement(
            verdict,
            attempt=message.attempt,
            wait_ms=self._wait_ms,
            jitter=random.uniform(0.5, 1),  # noqa: S311
            now=now,
        )
        written = await self._acknowledger.write(message.org_id, message.delivery_id, amend)
        if written is not None:
            record(written)

    def _mark(self, verdict: Verdict, *, trial: bool) -> None:
        """What the verdict says of the gateway as a whole."""
        name, gateway = self._channel.name, self._channel.gateway
        down = isinstance(verdict, Unknown) or (isinstance(verdict, Retry) and verdict.down)
        if not down and self._circuit.worked():
            self._log.info("circuit closed", channel=name, gateway=gateway)
        if down and self._circuit.failed(asyncio.get_running_loop().time(), trial=trial):
            self._log.error("circuit opened", channel=name, gateway=gateway)
        telemetry.CIRCUIT_OPEN.labels(name).set(int(self._circuit.open))


def acknowledgement(verdict: Verdict, *, attempt: int, wait_ms: int, jitter: float, now: int) -> Amend:
    """What the verdict makes of the delivery, if it is still this attempt's: a late one overwrites nothing."""

    def amend(delivery: Delivery) -> Delivery | None:
        if delivery.state != DeliveryState.SENDING or delivery.attempt != attempt:
            return None
        match verdict:
            case Sent(provider_id):
                return deliver.taken(delivery, provider_id, now=now)
            case Refused(reason):
                return deliver.refused(delivery, reason, now=now)
            case Retry(reason, _, after_seconds):
                return deliver.put_off(delivery, reason, after_seconds=after_seconds, jitter=jitter, now=now)
            case Unknown(reason):
                return deliver.await_receipt(delivery, reason, wait_ms=wait_ms, now=now)

    return amend


class _Acknowledger:
    """Writes what became of requests, all that wait together in one transaction, until it is written."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._waiting: list[tuple[tuple[int, int, Amend], asyncio.Future[Delivery | None]]] = []
        self._writing: asyncio.Task[None] | None = None
        self._log = telemetry.logger()

    async def write(self, org_id: int, delivery_id: int, amend: Amend) -> Delivery | None:
        done: asyncio.Future[Delivery | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(((org_id, delivery_id, amend), done))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all())
        return await done

    async def _write_all(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        at_once = ACKNOWLEDGED_AT_ONCE
        while self._waiting:
            batch, self._waiting = self._waiting[:at_once], self._waiting[at_once:]
            try:
                written = await self._storage.amend_deliveries([one for one, _ in batch])
            except Exception as failure:  # the database is away: what the gateway said must not be lost
                self._log.error(
                    "acknowledgement failed", deliveries=len(batch), error=telemetry.frames(failure)
                )
                # Singly, and last: should one of them be at fault, it holds up no other.
                self._waiting += batch
                at_once = 1
                await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311
                pause = min(LONGEST_PAUSE_SECONDS, pause * 2)
                continue
            pause = FIRST_PAUSE_SECONDS
            at_once = ACKNOWLEDGED_AT_ONCE
            for (_, done), delivery in zip(batch, written, strict=True):
                if not done.done():
                    done.set_result(delivery)
        self._writing = None
