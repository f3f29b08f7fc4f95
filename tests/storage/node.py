"""A node of a cluster in the tests: a storage with the use cases, a dispatcher and a sender around it."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import asyncpg

from huiyao.model import App, Delivery, Message, MsgStatus, Org, Person
from huiyao.rules import announce, commands
from huiyao.service import meetings
from huiyao.service.caller import Caller, Clock, Services
from huiyao.storage.contract import Decide, Expanded, Position, Storage, Wanted
from huiyao.storage.postgres import open_postgres
from huiyao.storage.postgres.connections import Connection
from tests.storage.gateway import Gateway, StepwiseSender

NOW = 1_700_000_000_000
MINUTE = 60_000
HOUR = 60 * MINUTE
ORG = Org(id=1, name="org")
APP = App(id=7, name="app", secret=b"sealed", orgs=(1,), default_org=1)
BOSS = "boss"


class StoppedClock(Clock):
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.moment = NOW

    def now(self) -> int:
        return self.moment


def detail(
    *uids: str,
    begin_at: int = NOW + 24 * HOUR,
    address: str = "room 1",
    remind_min: int = 15,
    remind_type: int = 0,
) -> commands.Detail:
    return commands.Detail(
        content="content",
        address=address,
        begin_at=begin_at,
        end_at=begin_at + HOUR,
        remind_min=remind_min,
        remind_type=remind_type,
        create_time=None,
        invitees=tuple(commands.Invitee(uid, f"name of {uid}") for uid in uids),
    )


def caller(uid: str) -> Caller:
    return Caller(app_id=APP.id, org=ORG, uid=uid)


def number(uid: str) -> str:
    """The mobile number that `Node.people` gives to this person, in E.164: from 135… to 139…"""
    return f"+86{13_500_000_000 + zlib.crc32(uid.encode()) % 500_000_000}"


def person(uid: str, *, mobile: str | None = None, org_id: int = ORG.id, locale: str = "") -> Person:
    """Somebody of the directory; with a number of their own unless another is given."""
    return Person(
        org_id=org_id,
        uid=uid,
        name=f"name of {uid}",
        mobile=number(uid) if mobile is None else mobile,
        locale=locale,
    )


class Node:
    def __init__(self, storage: Storage, clock: StoppedClock) -> None:
        self.storage = storage
        self.clock = clock
        self.services = Services(storage, clock)

    async def people(self, *uids: str) -> None:
        """Put people into the directory, each with a number."""
        await self.storage.import_people([person(uid) for uid in uids])

    async def create(
        self,
        *uids: str,
        begin_at: int = NOW + 24 * HOUR,
        key: str | None = None,
        remind_min: int = 15,
        remind_type: int = 0,
    ) -> int:
        command = commands.Create(
            requester_name="name of boss",
            detail=detail(*uids, begin_at=begin_at, remind_min=remind_min, remind_type=remind_type),
            repeat_key=key,
            repeat_for=HOUR,
            fingerprint=b"print",
        )
        return await meetings.create(self.services, caller(BOSS), command)

    async def update(
        self,
        meeting_id: int,
        *uids: str,
        begin_at: int = NOW + 24 * HOUR,
        address: str = "room 1",
        remind_min: int = 15,
        remind_type: int = 0,
    ) -> None:
        what = detail(
            *uids, begin_at=begin_at, address=address, remind_min=remind_min, remind_type=remind_type
        )
        command = commands.Update(detail=what)
        await meetings.update(self.services, caller(BOSS), meeting_id, command)

    async def cancel(self, meeting_id: int) -> None:
        await meetings.cancel(self.services, caller(BOSS), meeting_id, commands.Cancel())

    async def respond(self, meeting_id: int, uid: str, *, declined: bool = False) -> None:
        answer = MsgStatus.DECLINED if declined else MsgStatus.ACCEPTED
        await meetings.respond(self.services, caller(uid), meeting_id, commands.Respond(msg_status=answer))

    async def remind(self, meeting_id: int, uid: str, *, wanted: bool) -> None:
        await meetings.remind(self.services, caller(uid), meeting_id, commands.Remind(remind=wanted))

    async def nudge(self, meeting_id: int) -> None:
        await meetings.nudge(self.services, caller(BOSS), meeting_id)

    async def expand(self, *, rows: int = 2000, decide: Decide | None = None) -> Expanded:
        now = self.clock.now()
        return await self.storage.expand(
            now=now,
            rows=rows,
            decide=decide or partial(announce.notices, now=now),
            missed=partial(announce.missed, now=now),
        )

    async def expand_all(self, *, rows: int = 2000) -> int:
        """Until nothing is due; how many messages that made."""
        messages = 0
        while True:
            done = await self.expand(rows=rows)
            messages += done.messages
            if not done.more:
                return messages

    async def send_all(self, gateway: Gateway, *, daily_limit: int = 1000, wait_seconds: int = 60) -> None:
        """Until no delivery is due or under way, or the gateway has failed so often that it is left in peace."""
        sender = StepwiseSender(
            self.storage, gateway, daily_limit=daily_limit, wait_seconds=wait_seconds, clock=self.clock
        )
        await sender.send_all()

    async def deliveries(self, uid: str | None = None) -> list[Delivery]:
        """Of one person or of all, the oldest first."""
        return (await self.storage.deliveries(Wanted(uid=uid, limit=1_000_000)))[::-1]

    async def outcomes(self, uid: str | None = None) -> list[tuple[str, str, str]]:
        """Kind, state and reason of each delivery, the oldest first."""
        return [(one.kind, one.state, one.reason) for one in await self.deliveries(uid)]

    async def inbox(self, uid: str) -> list[Message]:
        """The whole inbox, page by page, from the start."""
        found: list[Message] = []
        end = Position(0, 0)
        while True:
            page = await self.storage.inbox(ORG.id, uid, after=end, size=3)
            if not page.messages:
                return found
            found += page.messages
            end = page.end

    async def kinds(self, uid: str) -> list[str]:
        return [message.kind for message in await self.inbox(uid)]

    async def status(self, meeting_id: int, uid: str) -> int:
        found = await self.storage.meeting(ORG.id, meeting_id, uid)
        assert found
        return found[1].msg_status


@asynccontextmanager
async def open_nodes(url: str, number: int = 1) -> AsyncIterator[list[Node]]:
    """Nodes on one database that has the tests' organisation and app; their clock is one."""
    clock = StoppedClock()
    nodes = [Node(await open_postgres(url), clock) for _ in range(number)]
    try:
        await nodes[0].storage.put_org(ORG)
        await nodes[0].storage.put_app(APP)
        yield nodes
    finally:
        for node in nodes:
            await node.storage.close()


@asynccontextmanager
async def held(url: str, *statements: str) -> AsyncIterator[Connection]:
    """Another's open transaction that has run these statements; rolled back at the end of the block."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("BEGIN")
        for statement in statements:
            await connection.execute(statement)
        yield connection
    finally:
        await connection.close()


async def until(condition: Callable[[], Awaitable[object]], *, seconds: float = 10) -> None:
    """Wait for it, with a deadline."""
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.01)


async def until_blocked(url: str, *, backends: int = 1) -> None:
    """Wait until so many transactions of this database wait for a lock."""
    connection = await asyncpg.connect(url)
    try:

        async def blocked() -> bool:
            count: int = await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            return count >= backends

        await until(blocked)
    finally:
        await connection.close()
