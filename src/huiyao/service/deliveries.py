"""The use cases on deliveries: what a gateway reports of one, and an invitation answered by text."""

import re
from collections.abc import Sequence
from functools import partial
from typing import Final

from huiyao import errors, telemetry, telephone
from huiyao.model import Delivery, DeliveryState, Inbound, MsgStatus
from huiyao.rules import commands, deliver
from huiyao.rules.deliver import Receipt
from huiyao.service import meetings
from huiyao.service.caller import Caller, Services

ANSWER_WITHIN_MS: Final = 72 * 3_600_000  # an answer goes to the newest invitation sent since

# Anything else is no answer: "1点可以吗" must not accept.
_ANSWER: Final = re.compile(r"\s*(?:(?P<yes>[1１]|确定)|[2２]|拒绝)[\s。．.!！]*")


async def receive(services: Services, org_id: int, delivery_id: int, receipt: Receipt) -> None:
    """Note what the gateway says became of a request; what is unknown or says nothing new changes nothing."""
    amend = partial(deliver.receive, receipt=receipt, now=services.clock.now())
    for written in await services.storage.amend_deliveries([(org_id, delivery_id, amend)]):
        if written is not None:
            record(written)


def record(delivery: Delivery) -> None:
    """One line and one count for each thing that becomes of a delivery; ids only."""
    telemetry.DELIVERIES.labels(delivery.channel, delivery.kind, delivery.state, delivery.reason).inc()
    log = telemetry.logger()
    (log.warning if delivery.state == DeliveryState.FAILED else log.info)(
        "delivery",
        org_id=delivery.org_id,
        delivery_id=delivery.id,
        meeting_id=delivery.meeting_id,
        channel=delivery.channel,
        kind=delivery.kind,
        state=delivery.state,
        attempt=delivery.attempt,
        reason=delivery.reason,
    )


def understand(text: str) -> MsgStatus | None:
    """What a person answers by text: 1 or 确定 accepts, 2 or 拒绝 declines; None: neither."""
    found = _ANSWER.fullmatch(text)
    if found is None:
        return None
    return MsgStatus.ACCEPTED if found["yes"] else MsgStatus.DECLINED


async def answer_by_text(services: Services, number: str, text: str) -> Inbound:
    """Answer the newest invitation sent to this number, however it is written, and record what became of it.

    Repeating it is harmless.
    """
    now = services.clock.now()
    people: Sequence[tuple[int, str]] = ()
    invitation = None
    normal = telephone.normalise(number)
    if normal is not None:
        people, invitation = await services.storage.answerable(
            normal, kinds=sorted(deliver.ANSWERABLE), since=now - ANSWER_WITHIN_MS
        )
    org_id, uid = people[0] if len(people) == 1 else (0, "")
    inbound = Inbound(
        org_id=org_id,
        id=next(await services.ids.take(1)),
        at=now,
        uid=uid,
        meeting_id=invitation.meeting_id if invitation else 0,
        outcome=await _outcome(services, len(people), invitation, understand(text)),
    )
    await services.storage.record_inbound(inbound)
    telemetry.INBOUND.labels(inbound.outcome).inc()
    telemetry.logger().info(
        "text came in",
        inbound_id=inbound.id,
        org_id=inbound.org_id,
        meeting_id=inbound.meeting_id,
        outcome=inbound.outcome,
    )
    return inbound


async def _outcome(
    services: Services, people: int, invitation: Delivery | None, answer: MsgStatus | None
) -> str:
    """Do what it says, if it is clear who says it and of what; one word."""
    if people != 1:
        return "several" if people else "nobody"
    if answer is None:
        return "not_understood"
    if invitation is None:
        return "no_invitation"
    try:
        await _respond(services, invitation, answer)
    except errors.SequenceChanged:
        return "moved"
    except errors.MeetingOver:
        return "over"
    except errors.MeetingCancelled:
        return "cancelled"
    except (errors.NotAuthorised, errors.NoSuchMeeting, errors.NotListed, errors.UnknownPerson):
        return "not_member"
    return "accepted" if answer == MsgStatus.ACCEPTED else "declined"


async def _respond(services: Services, invitation: Delivery, answer: MsgStatus) -> None:
    """People answer what their text showed: if the meeting has moved since, that is no answer to the new time."""
    org = await services.storage.org(invitation.org_id)
    if org is None:
        raise errors.NotAuthorised
    caller = Caller(None, org, invitation.uid)
    command = commands.Respond(msg_status=answer, sequence=invitation.as_of)
    await meetings.respond(services, caller, invitation.meeting_id, command)
