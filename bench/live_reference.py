"""The bare server of live events: `python live_reference.py PORT`. GET /NAME listens, POST /NAME tells it."""

import asyncio
import sys
from typing import cast

import uvloop

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n: open\n\n"
DONE = b"HTTP/1.1 204 No Content\r\n\r\n"
EVENT = b'id: 1\nevent: message\ndata: {"text":"%b"}\n\n'

listening: dict[bytes, asyncio.Transport] = {}


class Connection(asyncio.Protocol):
    """One client; requests come whole, since they are short."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one without being derived from it

    def data_received(self, data: bytes) -> None:
        method, name, _ = data.split(b" ", 2)
        if method == b"GET":
            listening[name] = self._transport
            self._transport.write(HEAD)
        else:
            self._transport.write(DONE)
            listening[name].write(EVENT % (b"x" * 100))


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
