"""A browser's page in the tests: reads server-sent events as the HTML standard has it, and reconnects as it does."""

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import Any

from huiyao.pages.live import Live
from huiyao.storage.contract import Position
from huiyao.wire.cursor import Cursor
from tests.storage.node import ORG

START = Position(0, 0)


async def always() -> bool:
    """The session goes on."""
    return True


class Events:
    """Takes bytes as they come and keeps the events in them; what is incomplete at the end is no event."""

    def __init__(self) -> None:
        self.last_id = ""  # what a browser hands back
        self.retry_ms = 0
        self.comments = 0
        self.messages: list[dict[str, Any]] = []
        self.meetings: list[int] = []
        self.since = 0
        self._rest = b""

    def lose_connection(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> None:
        *blocks, self._rest = (self._rest + data).split(b"\n\n")
        for block in blocks:
            self._event(block.decode().split("\n"))

    def _event(self, lines: Iterable[str]) -> None:
        fields: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        self.comments += "" in fields
        self.retry_ms = int(fields.get("retry", self.retry_ms))
        self.last_id = fields.get("id", self.last_id)
        if "data" not in fields:
            return
        data = json.loads(fields["data"])
        if fields["event"] == "message":
            self.messages.append(data)
        else:
            assert fields["event"] == "meeting"
            assert data.keys() <= {"meetingId", "since"}
            self.meetings.append(data["meetingId"])
            self.since = data.get("since", self.since)


class Page(Events):
    """One person's open page."""

    def __init__(
        self,
        live: Live,
        uid: str,
        *,
        after: Position = START,
        meetings: Iterable[int] = (),
        since: int = 0,
        still: Callable[[], Awaitable[bool]] = always,
    ) -> None:
        super().__init__()
        self.live = live
        self.uid = uid
        self.closed = asyncio.Event()
        self._after = after
        self._meetings = frozenset(meetings)
        self.since = since
        self._still = still
        self._reading: asyncio.Task[None] | None = None
        self.open()

    def stream(self) -> AsyncGenerator[bytes, None]:
        return self.live.stream(
            ORG.id,
            self.uid,
            locale="en",
            timezone="UTC",
            after=Cursor().parse(self.last_id) if self.last_id else self._after,
            meetings=self._meetings,
            since=self.since,
            still=self._still,
        )

    def open(self) -> None:
        self.lose_connection()
        self.closed.clear()
        self._reading = asyncio.create_task(self._read())

    async def close(self) -> None:
        """The client goes."""
        assert self._reading
        self._reading.cancel()
        await asyncio.wait([self._reading])

    async def read_a_while(self, dice: random.Random) -> None:
        """Read on a new connection until it is lost, which may be in the middle of an event."""
        await self.close()
        self.lose_connection()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(dice.random() / 10), contextlib.aclosing(self.stream()) as stream:
                async for data in stream:
                    lost = dice.random() < 0.3
                    self.feed(data[: dice.randrange(len(data))] if lost else data)
                    if lost:
                        break

    async def _read(self) -> None:
        try:
            async with contextlib.aclosing(self.stream()) as stream:
                async for data in stream:
                    self.feed(data)
        finally:
            self.closed.set()
