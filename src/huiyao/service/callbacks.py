"""Where apps get their events: setting it up, rotating its secret, looking at events and replaying them.

All raise OperatorError, one sentence each.
"""

import base64
import secrets
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final

import msgspec

from huiyao import telemetry
from huiyao.channels import callback as channel
from huiyao.channels.target import BadTarget, Network
from huiyao.errors import CallbackRefused, OperatorError
from huiyao.keys import Keys
from huiyao.model import App, Callback, CallbackStyle, Event, EventState, EventType
from huiyao.rules import callbacks, timing
from huiyao.service.keyring import Keyring
from huiyao.storage.contract import Storage

TOKEN_BYTES: Final = 24  # of randomness: 32 characters
STANDARD_BYTES: Final = 32
OVERLAP_MS: Final = timing.DAY_MS  # how long the secret before a rotation stays good beside the new one

_REASONS: Final = {
    "bad_url": "is no plain http:// or https:// address",
    "private_address": "leads to an address that is not public; HUIYAO_CALLBACK_PRIVATE can allow its network",
}


async def set_callback(
    storage: Storage,
    keyring: Keyring,
    app_id: int,
    *,
    url: str | None,
    style: str | None,
    rotate: bool,
    allowed: Iterable[Network],
    now: int,
) -> str | None:
    """What is None stays; a URL of "" ends it. The secret where there is a new one: it is shown only now.

    `rotate`: a new secret, beside which the old one stays good for a day. Another style has a secret of its own, which
    is good at once. Setting the URL, even to what it is, begins anew with a receiver that said it was gone.
    """
    if style is not None and style not in list(CallbackStyle):
        raise OperatorError(f"--callback-style must be one of {', '.join(CallbackStyle)}.")
    keys = keyring.current  # before the app is read: what is sealed in it is of this key or a newer one
    app = await storage.app(app_id)
    if app is None:
        raise OperatorError(f"There is no app {app_id}; `huiyao app list` shows them.")
    if url == "":
        await storage.put_callback(app_id, "", None, check=keys.check)
        return None
    where = app.callback_url if url is None else url
    if not where:
        raise OperatorError(f"App {app_id} has no callback; name its URL with --callback.")
    await check(where, allowed=allowed)
    before = app.callback
    after, secret = _rotated(before, style, keys, app_id=app_id, rotate=rotate, now=now)
    if url is not None:
        after = msgspec.structs.replace(after, gone_at=None)
    if not await storage.put_callback(app_id, where, after, check=keys.check):
        await keyring.another()
        return await set_callback(
            storage, keyring, app_id, url=url, style=style, rotate=rotate, allowed=allowed, now=now
        )
    return secret


async def check(url: str, *, allowed: Iterable[Network]) -> None:
    """Raises CallbackRefused."""
    try:
        await channel.check(url, allowed=allowed)
    except BadTarget as error:
        raise CallbackRefused(_REASONS[error.reason]) from error


def _rotated(
    before: Callback | None, style: str | None, keys: Keys, *, app_id: int, rotate: bool, now: int
) -> tuple[Callback, str | None]:
    wanted = style or (before.style if before else CallbackStyle.PLATFORM)
    if before and before.style == wanted and not rotate:
        return before, None
    secret = _secret(wanted)
    sealed = keys.seal(secret, app_id=app_id)
    if before and before.style == wanted:
        until = now + OVERLAP_MS
        return msgspec.structs.replace(
            before, secret=sealed, old_secret=before.secret, old_until=until
        ), secret
    return Callback(style=wanted, secret=sealed, gone_at=before.gone_at if before else None), secret


def _secret(style: str) -> str:
    if style == CallbackStyle.STANDARD:
        return f"whsec_{base64.b64encode(secrets.token_bytes(STANDARD_BYTES)).decode()}"
    return secrets.token_urlsafe(TOKEN_BYTES)


async def find_event(storage: Storage, org_id: int, event_id: int) -> Event:
    found = await storage.event(org_id, event_id)
    if found is None:
        raise OperatorError(
            f"There is no event {event_id} in organisation {org_id}; `huiyao callback list` shows them."
        )
    return found


async def replay_events(storage: Storage, org_id: int, event_ids: Sequence[int], *, now: int) -> None:
    """Send events that have ended once more; none of them unless all can be."""
    for event_id in event_ids:
        found = await find_event(storage, org_id, event_id)
        if callbacks.replay(found, now=now) is None:
            raise OperatorError(f"Event {event_id} is {found.state}: it is still to be delivered.")
    again = partial(callbacks.replay, now=now)
    await storage.amend_events([(org_id, event_id, again) for event_id in event_ids])


def trial_event(app: App, *, now: int) -> Event:
    """What `huiyao callback test` sends: of no meeting, and never stored."""
    from_id = secrets.randbelow(1 << 40) + (1 << 52)  # like no event's own
    return Event(
        org_id=app.default_org or 0,
        id=from_id,
        app_id=app.id,
        meeting_id=0,
        type=EventType.TEST,
        sequence=0,
        uid="",
        msg_status=None,
        reason="",
        at=now,
        due_at=now,
        give_up_at=now,
    )


def record(event: Event) -> None:
    """One line and one count for each thing that becomes of an event; ids only."""
    telemetry.EVENTS.labels(str(event.type), event.state, event.outcome).inc()
    log = telemetry.logger()
    (log.warning if event.state == EventState.FAILED else log.info)(
        "event",
        org_id=event.org_id,
        event_id=event.id,
        app_id=event.app_id,
        meeting_id=event.meeting_id,
        type=event.type,
        state=event.state,
        attempt=event.attempt,
        outcome=event.outcome,
    )
