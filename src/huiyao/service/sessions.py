"""Signing in: one-time tickets (contract section 6), and the sessions of people and of the operator they begin.

A ticket's text and a cookie's secret are `<org id>-<43 random characters>`; only their hashes are stored.
"""

import re
import secrets
from hashlib import sha256
from typing import Final

from huiyao import telemetry
from huiyao.model import Session, Ticket
from huiyao.service.caller import Caller, Services, check_directory

TICKET_SECONDS: Final = 60
OPERATOR_TICKET_SECONDS: Final = 600
OPERATOR_SESSION_HOURS: Final = 8  # at the most
OPERATOR: Final = 0  # stands for the organisation in what is the operator's
ENTRANCE: Final = "/workbench/enter"
OPERATOR_ENTRANCE: Final = "/admin/enter"
HOUR_MS: Final = 3_600_000

_LARGEST_ORG: Final = 2**63 - 1
_TEXT: Final = re.compile(r"(0|[1-9][0-9]{0,18})-[A-Za-z0-9_-]{43}")  # 43 characters: 32 bytes of randomness


async def issue_ticket(services: Services, caller: Caller) -> str:
    """A ticket good once, for TICKET_SECONDS, for a session as the caller. Raises UnknownPerson (closed directory).

    An open directory may not know the caller yet: it learns people when they first do something.
    """
    await check_directory(services, caller.org, [caller.uid])
    return await _issue(services, caller.org.id, uid=caller.uid, app_id=caller.app_id, seconds=TICKET_SECONDS)


async def issue_operator_ticket(services: Services) -> str:
    """A ticket good once, for OPERATOR_TICKET_SECONDS, for a session as the operator."""
    return await _issue(services, OPERATOR, uid="", app_id=None, seconds=OPERATOR_TICKET_SECONDS)


def entrance(address: str, text: str) -> str:
    """The URL at which a browser uses the ticket. `address`: where people find the server (Settings.address)."""
    path = OPERATOR_ENTRANCE if _org_id(text) == OPERATOR else ENTRANCE
    return f"{address}{path}?ticket={text}"


async def find_ticket(services: Services, text: str) -> Ticket | None:
    """The ticket, if it can still be used; looking does not use it. Any text may be asked for."""
    org_id = _org_id(text)
    if org_id is None:
        return None
    return await services.storage.ticket(org_id, _hash(text), now=services.clock.now())


async def redeem(services: Services, text: str) -> tuple[str, Session] | None:
    """Use the ticket: the new session and the secret for its cookie; None where it cannot be used (any more).

    Of any number at once, one gets the session.
    """
    org_id = _org_id(text)
    if org_id is None:
        return None
    return await _open(services, org_id, ticket_hash=_hash(text))


async def begin(services: Services, org_id: int, *, uid: str, app_id: int | None) -> tuple[str, Session]:
    """A session without a ticket, for whoever has made sure by other means who it is; with its cookie's secret."""
    opened = await _open(services, org_id, uid=uid, app_id=app_id)
    assert opened is not None  # only a ticket can be used up
    return opened


async def find(services: Services, secret: str) -> Session | None:
    """The session of a cookie, if it has not ended. Any text may be asked for."""
    org_id = _org_id(secret)
    if org_id is None:
        return None
    return await services.storage.session(org_id, _hash(secret), now=services.clock.now())


async def sign_out(services: Services, secret: str) -> None:
    """End this session, if there is one."""
    org_id = _org_id(secret)
    if org_id is not None:
        await services.storage.end_session(org_id, _hash(secret))
        telemetry.logger().info("signed out", org_id=org_id)


async def sign_out_everywhere(services: Services, session: Session) -> int:
    """End all sessions of this one's person, and their unused tickets; how many sessions."""
    ended = await services.storage.end_sessions(session.org_id, session.uid)
    telemetry.logger().info(
        "signed out everywhere", org_id=session.org_id, app_id=session.app_id, sessions=ended
    )
    return ended


async def _issue(services: Services, org_id: int, *, uid: str, app_id: int | None, seconds: int) -> str:
    text, now = _random(org_id), services.clock.now()
    ticket = Ticket(
        org_id=org_id,
        hash=_hash(text),
        uid=uid,
        app_id=app_id,
        created_at=now,
        expires_at=now + seconds * 1000,
    )
    await services.storage.put_ticket(ticket)
    telemetry.logger().info("ticket issued", org_id=org_id, app_id=app_id)
    return text


async def _open(
    services: Services,
    org_id: int,
    *,
    uid: str = "",
    app_id: int | None = None,
    ticket_hash: bytes | None = None,
) -> tuple[str, Session] | None:
    """With a ticket, the session is its uid's and app's."""
    hours = services.session_hours
    if org_id == OPERATOR:
        hours = min(hours, OPERATOR_SESSION_HOURS)
    secret, now = _random(org_id), services.clock.now()
    session = Session(
        org_id=org_id,
        hash=_hash(secret),
        uid=uid,
        app_id=app_id,
        created_at=now,
        expires_at=now + hours * HOUR_MS,
    )
    begun = await services.storage.open_session(session, ticket_hash)
    if begun is None:
        return None
    telemetry.logger().info("session begun", org_id=org_id, app_id=begun.app_id)
    return secret, begun


def _random(org_id: int) -> str:
    return f"{org_id}-{secrets.token_urlsafe(32)}"


def _org_id(text: str) -> int | None:
    """The organisation a ticket or secret begins with; None where it is of another form."""
    found = _TEXT.fullmatch(text)
    if found is None:
        return None
    org_id = int(found[1])
    return org_id if org_id <= _LARGEST_ORG else None


def _hash(text: str) -> bytes:
    """Unsalted: of 32 random bytes nobody makes a table."""
    return sha256(text.encode()).digest()
