"""A gateway in the tests: answers as it is told and remembers what it got; and a sender that is driven by hand."""

import asyncio
from collections import deque

from huiyao.channels.contract import Outgoing, Sent, Verdict
from huiyao.dispatch.sender import Sender


class Gateway:
    """A channel that takes every text, unless its script or `usual` says otherwise.

    The script's verdicts are used up in order; an exception in it is raised. While `open` is cleared, requests wait
    for their answer.
    """

    name = "sms"
    gateway = "fake"

    def __init__(
        self,
        *script: Verdict | Exception,
        usual: Verdict | Exception | None = None,
        concurrency: int = 1000,
        per_second: float = 1_000_000.0,
        two_way: bool = False,
    ) -> None:
        self.script = deque(script)
        self.usual: Verdict | Exception = usual or Sent()
        self.concurrency = concurrency
        self.per_second = per_second
        self.two_way = two_way
        self.got: list[Outgoing] = []  # every request, in the order in which they were begun
        self.times: list[float] = []  # when each was begun, in the event loop's time
        self.taken: list[Outgoing] = []  # those answered with Sent
        self.under_way = 0
        self.most_under_way = 0
        self.closed = False
        self.open = asyncio.Event()
        self.open.set()

    async def send(self, message: Outgoing) -> Verdict:
        self.got.append(message)
        self.times.append(asyncio.get_running_loop().time())
        verdict = self.script.popleft() if self.script else self.usual
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await self.open.wait()
        finally:
            self.under_way -= 1
        if isinstance(verdict, Exception):
            raise verdict
        if isinstance(verdict, Sent):
            self.taken.append(message)
        return verdict

    async def close(self) -> None:
        self.closed = True

    def kinds(self, number: str) -> list[str]:
        """Of the texts it took for this number, in order."""
        return [one.kind for one in self.taken if one.number == number]

    async def until_got(self, count: int, *, seconds: float = 10) -> None:
        """Wait until so many requests were begun."""
        async with asyncio.timeout(seconds):
            while len(self.got) < count:
                await asyncio.sleep(0.002)


class StepwiseSender(Sender):
    """A sender that does what is due at the moment of its clock, and returns."""

    async def send_all(self) -> None:
        """Until nothing is due or under way, or the circuit is open: a pause in real time is not waited for."""
        while True:
            pause = await self._round()
            if self._under_way:
                await asyncio.wait(self._under_way)
            elif pause > 0:
                return
