"""Runs the server and the dispatcher until they are told to stop."""

import asyncio
import contextlib
import os
import resource
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import uvloop

from huiyao import app, telemetry
from huiyao.errors import HuiyaoError, OperatorError
from huiyao.server import process, workers
from huiyao.service import installation
from huiyao.service.keyring import KeyLost, Keyring
from huiyao.settings import Settings

Ready = Callable[[app.Application], Awaitable[None]]
# For what takes long, such as reading a meeting of thousands. Each that runs takes as much of the interpreter as the
# event loop does: with six of them calls waited four times as long behind a crowd of such reads.
THREADS: Final = 2


def serve(
    settings: Settings, *, dispatch: bool, ready: Ready | None = None, sandbox_app: int | None = None
) -> None:
    """Until SIGTERM or SIGINT. `ready` is awaited once, before the first call is answered. Raises OperatorError."""
    telemetry.log_to_stderr(settings.log_level)
    _allow_many_sockets()
    if settings.workers > 1 and settings.embedded:
        raise OperatorError(
            "More than one worker needs PostgreSQL: a SQLite file is served by one process at a time."
        )
    with installation.Lock(settings), process.bind(settings.host, settings.port) as listener:
        if settings.workers == 1:
            uvloop.run(_serve(listener, settings, dispatch=dispatch, ready=ready, sandbox_app=sandbox_app))
            return
        asyncio.run(_check(settings))
        _say(settings)
        workers.supervise(work, settings, dispatch, count=settings.workers, listener=listener)


def work(listener: socket.socket, settings: Settings, dispatch: bool) -> None:
    """One of several workers."""
    telemetry.log_to_stderr(settings.log_level)
    workers.follow_parent()
    try:
        uvloop.run(_serve(listener, settings, dispatch=dispatch))
    except HuiyaoError as error:
        print(f"huiyao: {error}", file=sys.stderr)
        sys.exit(workers.HOPELESS if isinstance(error, KeyLost) else 1)


def dispatch(settings: Settings, *, watched: bool) -> None:
    """Until SIGTERM or SIGINT. `watched`: answer health and metrics. Raises OperatorError."""
    telemetry.log_to_stderr(settings.log_level)
    with installation.Lock(settings):
        if not watched:
            uvloop.run(_dispatch(settings))
            return
        with process.bind(settings.host, settings.port) as listener:
            uvloop.run(_watch(listener, settings))


async def _serve(
    listener: socket.socket,
    settings: Settings,
    *,
    dispatch: bool,
    ready: Ready | None = None,
    sandbox_app: int | None = None,
) -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS))
    application = await app.build(settings, dispatch=dispatch, sandbox_app=sandbox_app)
    if ready:
        await ready(application)
    elif settings.workers == 1:
        _say(settings)
    async with _following(application.keyring, _stop):
        await process.run(
            application,
            listener,
            silence_seconds=settings.body_silence_seconds,
            shared=settings.workers > 1,
            ending=application.end_streams,
        )


async def _dispatch(settings: Settings) -> None:
    storage = await installation.open_database(settings, locked=True)
    try:
        keyring = await installation.open_keys(storage, settings)
        dispatcher = app.dispatcher(storage, keyring, settings)
        loop = asyncio.get_running_loop()
        for one in process.SIGNALS:
            loop.add_signal_handler(one, dispatcher.stop)
        telemetry.logger().info("dispatching", pid=os.getpid())
        async with _following(keyring, dispatcher.stop):
            await dispatcher.run()
    finally:
        await storage.close()


async def _watch(listener: socket.socket, settings: Settings) -> None:
    application = await app.build(settings, calls=False)
    telemetry.logger().info("dispatching", host=settings.host, port=settings.port, pid=os.getpid())
    async with _following(application.keyring, _stop):
        await process.run(application, listener, silence_seconds=settings.body_silence_seconds)


@contextlib.asynccontextmanager
async def _following(keyring: Keyring, stop: Callable[[], None]) -> AsyncIterator[None]:
    """Notice that the server key is another one. Raises KeyLost at the end, where ours leads nowhere any more."""
    if keyring.superseded:
        telemetry.logger().warning("server key superseded", pid=os.getpid())
    following = asyncio.create_task(keyring.follow(stop))
    try:
        yield
    finally:
        following.cancel()
    if keyring.lost:
        raise KeyLost


def _stop() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


async def _check(settings: Settings) -> None:
    """What every worker would fail at, found before any is started."""
    storage = await installation.open_database(settings)
    try:
        app.dispatcher(storage, await installation.open_keys(storage, settings), settings)
    finally:
        await storage.close()


def _allow_many_sockets() -> None:
    """As many open files as the system permits; the usual soft limit of 1024 is fewer than the clients may be."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _say(settings: Settings) -> None:
    telemetry.logger().info("serving", host=settings.host, port=settings.port, pid=os.getpid())
