"""What a channel is, and its verdicts: values that say what became of one request, with the reason.

A channel writes one request and says what it knows. Whether it may be written again is decided above it
(rules.deliver), so a channel never repeats anything by itself.
"""

from typing import Protocol

import msgspec


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """One text for one number."""

    org_id: int
    delivery_id: int  # goes to the gateway as our reference
    attempt: int
    kind: str  # which template; a value of model.Kind
    english: bool
    number: str  # E.164, with +
    text: str  # rendered, for gateways that take any text
    params: dict[str, str]  # of the template, for gateways that send only registered ones; see texts.sms


class Sent(msgspec.Struct, frozen=True):
    """The gateway took it."""

    provider_id: str = ""


class Retry(msgspec.Struct, frozen=True):
    """It certainly did not take it, and may later. `after_seconds` is the gateway's own wish, if it had one.

    `down`: the gateway as a whole is of no use now (the circuit counts these), not just this request.
    """

    reason: str
    down: bool = True
    after_seconds: int | None = None


class Refused(msgspec.Struct, frozen=True):
    """It will never take it: a number or text it does not accept."""

    reason: str


class Unknown(msgspec.Struct, frozen=True):
    """The request was written and no answer understood: it may or may not have been taken."""

    reason: str


Verdict = Sent | Retry | Refused | Unknown


class Channel(Protocol):
    """One gateway. Reasons are short words of [A-Za-z0-9_:.-], never a number, a text or a secret."""

    name: str  # of the deliveries it takes: "sms"
    gateway: str  # which one: the URL's scheme
    concurrency: int  # requests under way at once
    per_second: float  # requests begun, at the most
    two_way: bool  # whether answers by text come back to us

    async def send(self, message: Outgoing) -> Verdict:
        """Write one request and wait at most REQUEST_SECONDS for its answer."""

    async def close(self) -> None: ...


REQUEST_SECONDS = 10.0
