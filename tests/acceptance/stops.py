"""`python -m tests.acceptance.stops POINT TIMES ARGS…`: `huiyao ARGS…` that kills itself with SIGKILL at that point.

It does so TIMES times over all processes started in one folder, which leave a mark there; then it goes on. The points
wrap functions from outside, so that what is stopped is the very code that runs in production.
"""

import inspect
import os
import signal
import sys
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import Any, Final

import httpx

from huiyao import cli, keys
from huiyao.channels.contract import Sent
from huiyao.dispatch import sender
from huiyao.model import Delivery, DeliveryState
from huiyao.storage import postgres, sqlite

STORAGES: Final = (sqlite.Sqlite, postgres.Postgres)
DELIVERIES: Final = (sqlite.deliveries, postgres.deliveries)
Stop = Callable[[], None]


def mark(point: str, number: int) -> Path:
    """The file that says that the stop with this number, from 0, has happened."""
    return Path(f"stopped-{point}-{number}")


def stopper(point: str, times: int) -> Stop:
    """What kills this process, unless that has happened often enough."""

    def stop() -> None:
        for number in range(times):
            try:
                mark(point, number).touch(exist_ok=False)
            except FileExistsError:
                continue
            os.kill(os.getpid(), signal.SIGKILL)

    return stop


def behind(owner: Any, name: str, stop: Stop, *, when: Callable[[Any, tuple[Any, ...]], bool]) -> None:
    """Stop once the function has done its work, where `when` holds of its answer and its arguments."""
    inner = getattr(owner, name)

    if inspect.iscoroutinefunction(inner):

        @wraps(inner)
        async def outer(*arguments: Any, **named: Any) -> Any:
            answer = await inner(*arguments, **named)
            if when(answer, arguments):
                stop()
            return answer
    else:

        @wraps(inner)
        def outer(*arguments: Any, **named: Any) -> Any:
            answer = inner(*arguments, **named)
            if when(answer, arguments):
                stop()
            return answer

    setattr(owner, name, outer)


def within(owner: Any, name: str, callback: str, stop: Stop, *, when: Callable[[Any], bool]) -> None:
    """Stop where the function has been answered by its callback, a named argument, something of which `when` holds."""
    inner = getattr(owner, name)

    @wraps(inner)
    async def outer(*arguments: Any, **named: Any) -> Any:
        ask = named[callback]

        def asked(*questions: Any) -> Any:
            answer = ask(*questions)
            if when(answer):
                stop()
            return answer

        return await inner(*arguments, **{**named, callback: asked})

    setattr(owner, name, outer)


def any_in(state: str, deliveries: Iterable[Delivery | None]) -> bool:
    return any(one is not None and one.state == state for one in deliveries)


def claimed(stop: Stop) -> None:
    """Due tasks are claimed, nothing is written yet."""
    for storage in STORAGES:
        within(storage, "expand", "decide", stop, when=bool)


def told(stop: Stop) -> None:
    """Messages and deliveries are written, the tasks are deleted, and nothing is committed."""
    behind(sqlite.expand, "expand", stop, when=lambda done, _: done.messages > 0)
    behind(postgres.expand._Chunk, "expand", stop, when=lambda done, _: done.messages > 0)


def expanded(stop: Stop) -> None:
    """That is committed, and nobody has heard of it."""
    for storage in STORAGES:
        behind(storage, "expand", stop, when=lambda done, _: done.messages > 0)


def parted(stop: Stop) -> None:
    """A part of a large meeting is committed, its task remembers how far it has come."""
    for storage in STORAGES:
        behind(storage, "expand", stop, when=lambda done, _: done.messages > 0 and not done.tasks)


def looked(stop: Stop) -> None:
    """The sender has looked at a delivery and decided to send it; nothing is written yet."""
    for storage in STORAGES:
        within(
            storage, "begin_deliveries", "look", stop, when=lambda one: any_in(DeliveryState.SENDING, [one])
        )


def marked(stop: Stop) -> None:
    """The delivery is marked as being sent, and that is not committed."""
    for deliveries in DELIVERIES:
        behind(
            deliveries, "_write", stop, when=lambda _, arguments: any_in(DeliveryState.SENDING, arguments[1])
        )


def begun(stop: Stop) -> None:
    """That is committed; the request is not written yet."""
    for storage in STORAGES:
        behind(storage, "begin_deliveries", stop, when=lambda begun, _: bool(begun.sending))


def requested(stop: Stop) -> None:
    """The request is written: the gateway has it. Its answer has not been read."""
    inner = httpx.AsyncHTTPTransport.handle_async_request

    async def trace(event: str, _: Any) -> None:
        if event == "http11.receive_response_headers.started":
            stop()

    async def traced(transport: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        request.extensions = {**request.extensions, "trace": trace}
        return await inner(transport, request)

    setattr(httpx.AsyncHTTPTransport, inner.__name__, traced)


def answered(stop: Stop) -> None:
    """The gateway has said that it took the text; nothing of that is written."""
    behind(sender, "acknowledgement", stop, when=lambda _, arguments: isinstance(arguments[0], Sent))


def noted(stop: Stop) -> None:
    """The acknowledgement is written, and not committed."""
    for deliveries in DELIVERIES:
        behind(deliveries, "_write", stop, when=lambda _, arguments: any_in(DeliveryState.SENT, arguments[1]))


def acknowledged(stop: Stop) -> None:
    """The acknowledgement is committed."""
    for storage in STORAGES:
        behind(storage, "amend_deliveries", stop, when=lambda done, _: any_in(DeliveryState.SENT, done))


def resealed(stop: Stop) -> None:
    """The first secret is sealed with the new server key; nothing is committed."""
    for storage in STORAGES:
        within(storage, "rotate_key", "reseal", stop, when=bool)


def rotated(stop: Stop) -> None:
    """Everything sealed with the new server key is committed, and a key file has the old one."""
    for storage in STORAGES:
        behind(storage, "rotate_key", stop, when=lambda done, _: bool(done))


def drafted(stop: Stop) -> None:
    """The new key is in a file beside the key file."""
    behind(keys, "_draft", stop, when=lambda *_: True)


def replaced(stop: Stop) -> None:
    """The new key is in the key file; of a stolen one, the database still has the way from it."""
    behind(keys, "replace", stop, when=lambda *_: True)


POINTS: Final = {
    point.__name__: point
    for point in (
        claimed,
        told,
        expanded,
        parted,
        looked,
        marked,
        begun,
        requested,
        answered,
        noted,
        acknowledged,
        resealed,
        rotated,
        drafted,
        replaced,
    )
}


def main() -> None:
    _, point, times, *arguments = sys.argv
    POINTS[point](stopper(point, int(times)))
    sys.argv = ["huiyao", *arguments]
    cli.main()


if __name__ == "__main__":
    main()
