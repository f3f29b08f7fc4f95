"""Stands between a storage and its PostgreSQL, and cuts connections when a COMMIT passes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum, auto
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

COMMIT = b"COMMIT\x00"  # as asyncpg sends it, a simple query


class Cut(Enum):
    """What becomes of the next COMMIT."""

    PASS = auto()
    LOSE = auto()  # it never reaches the server; both sides are cut
    HANG = auto()  # it never reaches the server; only the client's side is cut, the server goes on waiting
    ANSWER = auto()  # it reaches the server and is answered, but the answer is lost
    AWAY = auto()  # the same, and the server cannot be reached any more


class Proxy:
    """`url` is the database's, through the proxy. Set `cut` to decide on the next COMMIT."""

    def __init__(self, url: str) -> None:
        self._target = url
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.cut = Cut.PASS
        self.away = False
        self.url = ""

    async def serve(self) -> asyncio.Server:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        parts = urlsplit(self._target)
        query = {
            key: values[0] for key, values in parse_qs(parts.query).items() if key not in {"host", "port"}
        }
        user, at, _ = parts.netloc.rpartition("@")
        self.url = urlunsplit(
            parts._replace(
                netloc=f"{user}{at}127.0.0.1:{port}", query=urlencode(query | {"sslmode": "disable"})
            )
        )
        return server

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.away:
            writer.close()
            return
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        self._open.add(writer)
        server_reader, server_writer = await self._connect()
        self._open.add(server_writer)
        answers = asyncio.create_task(_copy(server_reader, writer))
        self._tasks.add(answers)
        while data := await reader.read(65536):
            if COMMIT in data and self.cut is not Cut.PASS:
                answers.cancel()  # nothing of what the server says from now on reaches the client
                await asyncio.gather(answers, return_exceptions=True)
                await self._interfere(data, writer, server_reader, server_writer)
                return
            server_writer.write(data)
        server_writer.close()

    async def _interfere(
        self,
        data: bytes,
        client: asyncio.StreamWriter,
        server_reader: asyncio.StreamReader,
        server: asyncio.StreamWriter,
    ) -> None:
        cut, self.cut = self.cut, Cut.PASS
        if cut in {Cut.ANSWER, Cut.AWAY}:
            server.write(data)
            while COMMIT not in await server_reader.read(65536):  # the same word, as the server's answer
                pass
        self.away = cut is Cut.AWAY
        client.close()
        if cut is not Cut.HANG:
            server.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        parts = urlsplit(self._target)
        query = parse_qs(parts.query)
        host = query.get("host", [parts.hostname or "127.0.0.1"])[0]
        port = int(query.get("port", [str(parts.port or 5432)])[0])
        if host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(host, port)

    async def close(self) -> None:
        for writer in self._open:
            writer.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(writer.wait_closed() for writer in self._open), return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


@asynccontextmanager
async def proxied(url: str) -> AsyncIterator[Proxy]:
    proxy = Proxy(url)
    server = await proxy.serve()
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
