"""An installation under proof: its database, processes that are killed and started again, and its SMS gateway."""

import contextlib
import itertools
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

from proof import records
from proof.load import Load
from tests.acceptance.process import KEY, ORG, Installation, Process, Server, eventually, free_port
from tests.acceptance.slow_gateway import SlowGateway
from tests.acceptance.stopping import ENDS, give_numbers

PEOPLE: Final = [f"p{number:03}" for number in range(120)]
SETTLE_SECONDS: Final = 60.0
TEXTS_PER_SECOND: Final = 1000  # as many as are caused, so that none wait long for their turn
LAST_SECONDS: Final = 11.0  # until answers are told (10 s); the last early reminder is due before


class House:
    """`serve` processes on fixed ports, and `dispatch` processes beside them where the database is PostgreSQL."""

    def __init__(self, folder: Path, *, url: str, gateway: SlowGateway, **settings: str) -> None:
        """An empty database for the operators' commands: reached at `url`, whatever `settings` say later."""
        self.folder = folder
        self.url = url
        self.began_at = now()
        self.gateway = gateway
        self.servers: dict[int, Server] = {}  # by port
        self.dispatchers: dict[int, Process] = {}  # by number
        self.installation = Installation(
            folder,
            database_url=url,
            key=KEY,
            public_url="http://127.0.0.1:1",  # where nobody takes receipts
            sms_daily_limit="10000",
            sms_url=f"{gateway.url}?concurrency=4&per_second={TEXTS_PER_SECOND}",
            sms_wait_seconds="1",
            **settings,
        )
        self._closing = contextlib.ExitStack()
        self._closing.callback(self.installation.close)
        self.installation.set_up()
        give_numbers(self.installation, PEOPLE)
        self._loads = itertools.count(1)
        self.loads: list[Load] = []

    @property
    def embedded(self) -> bool:
        return self.url.startswith("sqlite:")

    @property
    def ports(self) -> list[int]:
        return list(self.servers)

    def serve(self, port: int | None = None, *, ready: bool = True, **settings: str) -> Server:
        """On this port, in the place of the one before; with its own dispatcher where embedded."""
        port = port or free_port()
        arguments = () if self.embedded else ("--no-dispatch",)
        if port in self.servers:
            self.servers[port].close()
        self.servers[port] = self._own(f"serve-{port}").serve(*arguments, port=port, **settings)
        return self.servers[port]

    def dispatch(self, number: int = 0, **settings: str) -> Process:
        """This dispatcher, in the place of the one before."""
        if number in self.dispatchers:
            self.dispatchers[number].close()
        started = self._own(f"dispatch-{number}").start("dispatch", **settings)

        def ready() -> bool:
            assert started.popen.poll() is None, f"it ended at once: {started.said}"
            return "dispatching" in started.said

        eventually(ready, what="the start of a dispatcher")
        self.dispatchers[number] = started
        return started

    def _own(self, name: str) -> Installation:
        """The same for one process, which says what it says in a folder of its own: several may be started at once."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        made = Installation(folder, **self.installation.settings)
        self._closing.callback(made.close)
        return made

    def load(self, *, ports: Sequence[int] | None = None, clients: int = 16) -> Load:
        """A load on these ports, all where none are named; not yet started."""
        server = next(iter(self.servers.values()))
        token = self.installation.client(server).token
        made = Load(
            ports or self.ports,
            token,
            org=ORG,
            people=PEOPLE,
            name=f"m{next(self._loads)}",
            clients=clients,
        )
        self.loads.append(made)
        return made

    def waiting(self) -> int:
        """Due tasks that have not been expanded."""
        ((count,),) = records.fetch(self.url, records.WAITING.format(now=now()))[0]
        return int(count)

    def settle(self) -> float:
        """Wait until everything due has been expanded; how many seconds that took."""
        started = time.monotonic()

        def nothing_waits() -> bool:
            for one in (*self.servers.values(), *self.dispatchers.values()):
                assert one.popen.poll() is None, f"a process ended by itself: {one.said[-1000:]}"
            return self.waiting() == 0

        eventually(nothing_waits, seconds=SETTLE_SECONDS, what="the end of what is due")
        return time.monotonic() - started

    def close(self) -> None:
        self._closing.close()


def texts_of(house: House) -> tuple[list[str], int]:
    """Wait until every text has ended; what is wrong with them, and how many the gateway got twice."""

    def ended() -> list[tuple[int, str, str]] | None:
        rows = records.fetch(house.url, "SELECT id, state, reason FROM delivery WHERE channel = 'sms'")[0]
        found = [(int(id), str(state), str(reason)) for id, state, reason in rows]
        return found if {state for _, state, _ in found} <= ENDS else None

    found = eventually(ended, seconds=SETTLE_SECONDS, what="the end of every text")
    times = requested(house.gateway)
    known = {id for id, _, _ in found}
    wrong = [f"the gateway got text {id}, which is not there" for id in times if id not in known]
    for id, state, reason in found:
        if times[id] > 2:
            wrong.append(f"the gateway got text {id} {times[id]} times")
        if state == "sent" and not times[id]:
            wrong.append(f"text {id} is said to have been sent, and the gateway never got it")
        if state == "failed" and reason != "unknown":
            wrong.append(f"text {id} failed: {reason}")
    return wrong, sum(count == 2 for count in times.values())


def inboxes_of(house: House) -> list[str]:
    """Whose inbox, as the API gives it page by page, has not exactly the messages that were written for them."""
    written: dict[str, Counter[tuple[int, str]]] = {uid: Counter() for uid in PEOPLE}
    for uid, meeting, kind in records.fetch(house.url, "SELECT uid, meeting_id, kind FROM message")[0]:
        written[uid][meeting, kind] += 1
    client = house.installation.client(next(iter(house.servers.values())))
    return [
        f"the inbox of {uid} has not the {told.total()} messages that were written"
        for uid, told in written.items()
        if Counter(client.whole_inbox(uid)) != told
    ]


def requested(gateway: SlowGateway) -> Counter[int]:
    """How often the gateway got each delivery, from its own log."""
    times: Counter[int] = Counter()
    for parameters in list(gateway.requests):
        (delivery,) = parse_qs(urlsplit(parameters["dlr-url"]).query)["delivery"]
        times[int(delivery)] += 1
    return times


class Gateway(SlowGateway):
    """Says nothing of connections that a killed process leaves behind."""

    def __init__(self) -> None:
        super().__init__()
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]


@contextlib.contextmanager
def embedded(folder: Path, **settings: str) -> Iterator[House]:
    with Gateway() as gateway:
        house = House(folder, url=f"sqlite:///{folder}/huiyao.db", gateway=gateway, **settings)
        with contextlib.closing(house):
            yield house


@contextlib.contextmanager
def scaled(folder: Path, url: str, **settings: str) -> Iterator[House]:
    """On an empty PostgreSQL database."""
    with Gateway() as gateway:
        house = House(folder, url=url, gateway=gateway, **settings)
        with contextlib.closing(house):
            yield house


def now() -> int:
    return time.time_ns() // 1_000_000
