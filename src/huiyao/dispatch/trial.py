"""Sends an app's receiver one event to try it, at once and only once."""

import time
from collections.abc import Iterable
from typing import Final

import msgspec

from huiyao.channels.callback import Receiver, Taken, trust
from huiyao.channels.target import Network, Resolver
from huiyao.dispatch.courier import Seal
from huiyao.errors import OperatorError
from huiyao.service.callbacks import trial_event
from huiyao.storage.contract import Storage

MILLION: Final = 1_000_000


class Tried(msgspec.Struct, frozen=True):
    taken: bool
    outcome: str
    ms: int


async def send(storage: Storage, seal: Seal, app_id: int, *, allowed: Iterable[Network], now: int) -> Tried:
    """Raises OperatorError where the app has no callback."""
    app = await storage.app(app_id)
    if app is None:
        raise OperatorError(f"There is no app {app_id}; `huiyao app list` shows them.")
    if app.callback is None or not app.callback_url:
        raise OperatorError(f"App {app_id} has no callback; `huiyao app set {app_id} --callback URL`.")
    request = await seal(trial_event(app, now=now), app, now=now, older=False)
    resolver = Resolver()
    receiver = Receiver(
        app.callback_url,
        allowed=allowed,
        resolve=resolver,
        context=trust(),
    )
    began = time.monotonic_ns()
    try:
        answer = await receiver.post(request, style=app.callback.style)
    finally:
        await receiver.close()
        resolver.close()
    ms = (time.monotonic_ns() - began) // MILLION
    return Tried(isinstance(answer, Taken), answer.outcome, ms)
