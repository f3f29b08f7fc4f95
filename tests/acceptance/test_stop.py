"""How a server lets connections in, and its last moment: what the kernel has accepted is answered, the rest refused."""

import asyncio
import os
import signal
import socket
import sys
from typing import Any

import pytest
import uvloop

from huiyao.server.connection import Watch
from huiyao.server.process import Server, bind, run, turn_away

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answers everything with nothing."""
    if scope["type"] == "lifespan":
        for one in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{one}.complete"})
        return
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


def test_a_crowd_that_connects_at_once_is_let_in_within_few_turns_of_the_loop() -> None:
    crowd, answered, turns = 200, 0, 0

    async def counted(scope: Any, receive: Any, send: Any) -> None:
        nonlocal answered
        await application(scope, receive, send)
        answered += scope["type"] == "http"

    async def main() -> int:
        nonlocal turns
        listener = bind("127.0.0.1", 0)
        serving = asyncio.create_task(run(counted, listener, silence_seconds=10))
        await asyncio.sleep(0.1)
        waiting = []
        for _ in range(crowd):  # without giving the event loop its turn
            one = socket.create_connection(listener.getsockname(), timeout=5)
            one.sendall(REQUEST)
            waiting.append(one)
        while answered < crowd:
            turns += 1
            await asyncio.sleep(0)
        for one in waiting:
            one.close()
        os.kill(os.getpid(), signal.SIGTERM)
        await serving
        return turns

    assert uvloop.run(main()) < crowd / 4


@pytest.mark.parametrize("shared", [False, True], ids=["alone", "one of several"])
async def test_a_connection_still_in_the_kernels_queue_is_answered(shared: bool) -> None:
    listener = bind("127.0.0.1", 0)
    server = Server(application, Watch(silence_seconds=10), shared=shared)
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup(sockets=[listener])
    waiting = []
    for _ in range(10):  # without giving the event loop its turn
        one = socket.create_connection(listener.getsockname(), timeout=5)
        one.sendall(REQUEST)
        waiting.append(one)
    await server.shutdown(sockets=[listener])
    for one in waiting:
        answer = one.recv(1000)
        one.close()
        assert answer.startswith(b"HTTP/1.1 204 ")
        assert b"connection: close" in answer


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can do that")
def test_a_listener_that_turns_away_keeps_the_connections_it_has() -> None:
    listener = bind("127.0.0.1", 0)
    address = listener.getsockname()
    with socket.create_connection(address, timeout=5) as early, socket.socket() as late:
        turn_away(listener)
        late.settimeout(0.2)
        with pytest.raises(TimeoutError):
            late.connect(address)
        accepted, _ = listener.accept()
        with pytest.raises(BlockingIOError):
            listener.accept()
        listener.close()
        early.sendall(REQUEST)
        assert accepted.recv(1000) == REQUEST
        accepted.close()
    with socket.socket() as refused, pytest.raises(ConnectionRefusedError):
        refused.connect(address)
