"""Stands on loopback between a client and a server, and tears or stalls their connections as a policy says."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from enum import Enum, auto
from typing import Final, TypeAlias

import uvloop

CHUNK: Final = 65_536
STALL_SECONDS: Final = 8.0  # longer than anybody waits for a database


class Harm(Enum):
    """What becomes of a piece of what one side says."""

    NONE = auto()
    LOSE = auto()  # the connection is reset before it
    HALVE = auto()  # and in the middle of it
    DELIVER = auto()  # and behind it: it arrives, and nothing more
    STALL = auto()  # nothing goes either way for STALL_SECONDS, then all goes on


class Side(Enum):
    CLIENT = auto()
    SERVER = auto()


Policy: TypeAlias = Callable[[Side, bytes], Harm]


class Proxy:
    """`port` leads to `target` on 127.0.0.1; in a thread of its own. Harm is done while `policy` says so."""

    def __init__(self, target: int) -> None:
        self.policy: Policy | None = None
        self.done: Counter[Harm] = Counter()
        self.port = 0
        self._target = target
        self._listening = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Event | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=lambda: uvloop.run(self._run()), name="proxy")
        self._thread.start()
        self._listening.wait()

    def close(self) -> None:
        assert self._loop
        assert self._ending
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join()

    async def _run(self) -> None:
        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        await self._ending.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        pair = _Pair(self, writer, there[1])
        for side, source, target in ((Side.CLIENT, reader, there[1]), (Side.SERVER, there[0], writer)):
            task = asyncio.create_task(pair.pump(side, source, target))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


class _Pair:
    """One client's connection and the one it stands for."""

    def __init__(self, proxy: Proxy, *writers: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._writers = writers
        self._flowing = asyncio.Event()
        self._flowing.set()

    async def pump(self, side: Side, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(CHUNK):
                await self._flowing.wait()
                harm = self._proxy.policy(side, data) if self._proxy.policy else Harm.NONE
                if harm is not Harm.NONE:
                    self._proxy.done[harm] += 1
                if harm is Harm.STALL:
                    self._flowing.clear()
                    await asyncio.sleep(STALL_SECONDS)
                    self._flowing.set()
                elif harm is Harm.HALVE:
                    data = data[: len(data) // 2]
                if harm is not Harm.LOSE:
                    target.write(data)
                    await target.drain()
                if harm in {Harm.LOSE, Harm.HALVE, Harm.DELIVER}:
                    break
        except OSError:
            pass
        finally:
            self._tear()

    def _tear(self) -> None:
        """What was written is sent first."""
        self._flowing.set()
        for writer in self._writers:
            writer.close()
