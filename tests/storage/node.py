"""A node of a cluster in the tests: a storage on PostgreSQL with the use cases and a dispatcher around it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import asyncpg

from huiyao.model import App, Message, MsgStatus, Org
from huiyao.rules import announce, commands
from huiyao.service import meetings
from huiyao.service.caller import Caller, Clock, Services
from huiyao.storage.contract import Expanded, Position, Storage
from huiyao.storage.postgres import open_postgres
from huiyao.storage.postgres.connections import Connection

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


def detail(*uids: str, begin_at: int = NOW + 24 * HOUR, address: str = "room 1") -> commands.Detail:
    return commands.Detail(
        content="content",
        address=address,
        begin_at=begin_at,
        end_at=begin_at + HOUR,
        remind_min=15,
        remind_type=0,
        create_time=None,
        invitees=tuple(commands.Invitee(uid, f"name of {uid}") for uid in uids),
    )


def caller(uid: str) -> Caller:
    return Caller(app_id=APP.id, org=ORG, uid=uid)


class Node:
    def __init__(self, storage: Storage, clock: StoppedClock) -> None:
        self.storage = storage
        self.clock = clock
        self.services = Services(storage, clock)

    async def create(self, *uids: str, begin_at: int = NOW + 24 * HOUR, key: str | None = None) -> int:
        command = commands.Create(
            requester_name="name of boss",
            detail=detail(*uids, begin_at=begin_at),
            repeat_key=key,
            repeat_for=HOUR,
            fingerprint=b"print",
        )
        return await meetings.create(self.services, caller(BOSS), command)

    async def update(
        self, meeting_id: int, *uids: str, begin_at: int = NOW + 24 * HOUR, address: str = "room 1"
    ) -> None:
        command = commands.Update(detail=detail(*uids, begin_at=begin_at, address=address))
        await meetings.update(self.services, caller(BOSS), meeting_id, command)

    async def cancel(self, meeting_id: int) -> None:
        await meetings.cancel(self.services, caller(BOSS), meeting_id, commands.Cancel())

    async def respond(self, meeting_id: int, uid: str, *, declined: bool = False) -> None:
        answer = MsgStatus.DECLINED if declined else MsgStatus.ACCEPTED
        await meetings.respond(self.services, caller(uid), meeting_id, commands.Respond(msg_status=answer))

    async def expand(self, *, rows: int = 2000) -> Expanded:
        now = self.clock.now()
        return await self.storage.expand(
            now=now,
            rows=rows,
            decide=partial(announce.notices, now=now),
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
