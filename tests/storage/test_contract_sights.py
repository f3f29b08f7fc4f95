"""What a sender sees when it looks, on both databases: the person, the message, what was shown, what was sent today."""

import json

import pytest

from huiyao.channels.contract import Refused, Retry, Sent, Unknown, Verdict
from huiyao.model import Delivery, Kind, MsgStatus, Org, Person, RemindType
from huiyao.rules import commands, deliver, timing
from huiyao.rules.deliver import Receipt, Sight
from huiyao.service import meetings
from huiyao.service.caller import Caller
from huiyao.storage.contract import Wanted
from tests.storage.gateway import Gateway
from tests.storage.node import APP, BOSS, HOUR, MINUTE, NOW, ORG, Node, detail, person

SMS = RemindType.SMS
WAIT_SECONDS = 60
WAIT = WAIT_SECONDS * 1000


async def sights(node: Node, *, ahead: int = 0) -> dict[tuple[str, str], Sight]:
    """What a sender would see now, or `ahead` of now, by uid and kind; nothing of it is done."""
    found: dict[tuple[str, str], Sight] = {}

    class Done(Exception):
        """Looked enough; everything is to be as it was."""

    def look(sight: Sight) -> Delivery:
        found[sight.delivery.uid, sight.delivery.kind] = sight
        if len(found) == due:
            raise Done
        return sight.delivery

    now = node.clock.now() + ahead
    waiting = {one.uid for one in await node.deliveries() if one.state == "pending" and one.due_at <= now}
    due = len(waiting)
    with pytest.raises(Done):
        await node.storage.begin_deliveries("sms", now=now, room=99, look_at=99, lease_ms=WAIT, look=look)
    return found


async def invited(node: Node, *verdicts: Verdict, uid: str = "ann") -> int:
    """A meeting whose invitation was sent to ann, with these verdicts of the gateway."""
    await node.people(uid)
    meeting_id = await node.create(uid, remind_type=SMS)
    await node.expand_all()
    await node.send_all(Gateway(*verdicts), wait_seconds=WAIT_SECONDS)
    return meeting_id


async def updated(node: Node, meeting_id: int, place: str = "hall") -> None:
    await node.update(meeting_id, "ann", address=place, remind_type=SMS)
    await node.expand_all()


async def test_it_sees_the_delivery_the_meeting_the_attendee_and_the_person(node: Node) -> None:
    ann = Person(
        org_id=ORG.id,
        uid="ann",
        name="Ann",
        mobile="+8613800138000",
        timezone="Europe/Berlin",
        locale="en",
    )
    await node.storage.import_people([ann])
    meeting_id = await node.create("ann", remind_type=SMS)
    await node.expand_all()
    await node.respond(meeting_id, "ann")
    seen = (await sights(node))["ann", "invited"]
    whole = await node.storage.meeting(ORG.id, meeting_id, "ann")
    assert (seen.meeting, seen.me) == whole
    assert seen.me.msg_status == MsgStatus.ACCEPTED
    assert await node.storage.linked(ORG.id, meeting_id, seen.link_id) == whole
    assert [seen.delivery] == await node.deliveries("ann")
    assert (seen.known, seen.mobile, seen.timezone, seen.locale) == (
        True,
        "+8613800138000",
        "Europe/Berlin",
        "en",
    )
    (message,) = await node.inbox("ann")
    assert seen.params == message.params
    assert (seen.shown, seen.invitation_waits, seen.sent_today) == (-1, True, 0)


async def test_who_has_no_zone_has_their_organisations_and_of_a_stranger_nothing_is_known(node: Node) -> None:
    await node.storage.put_org(Org(id=ORG.id, name="org", timezone="Asia/Tokyo"))
    await node.create("ann", "bob", remind_type=SMS)
    await node.expand_all()
    assert await node.storage.erase_person(ORG.id, "bob")
    found = await sights(node)
    ann, bob = found["ann", "invited"], found["bob", "invited"]
    assert (ann.known, ann.mobile, ann.timezone, ann.locale) == (True, "", "Asia/Tokyo", "")
    assert (bob.known, bob.mobile, bob.timezone, bob.locale) == (False, "", "Asia/Tokyo", "")
    assert ann.params is not None
    assert bob.params is None


async def test_the_message_seen_is_that_of_the_same_notice(node: Node) -> None:
    meeting_id = await invited(node)
    await updated(node, meeting_id, "hall")
    await node.send_all(Gateway(), wait_seconds=WAIT_SECONDS)
    await updated(node, meeting_id, "roof")
    seen = (await sights(node))["ann", "updated"]
    assert seen.params
    params = json.loads(seen.params)
    assert (seen.delivery.occasion, params["address"], params["old"]) == ("2", "roof", {"address": "hall"})


@pytest.mark.parametrize(
    ("verdicts", "shown", "waits"),
    [
        ((Sent(),), 0, False),
        ((Unknown("?"),), 0, False),
        ((Retry("busy", down=False),), -1, True),
        ((Refused("bad"),), -1, False),
    ],
    ids=["taken", "perhaps taken", "not taken", "never taken"],
)
async def test_an_invitation_that_certainly_did_not_go_out_shows_nothing_and_waits(
    node: Node, verdicts: tuple[Verdict, ...], shown: int, waits: bool
) -> None:
    meeting_id = await invited(node, *verdicts)
    await updated(node, meeting_id)
    seen = (await sights(node))["ann", "updated"]
    assert (seen.shown, seen.invitation_waits) == (shown, waits)


async def test_an_invitation_under_way_is_shown_as_it_was_when_it_was_begun(node: Node) -> None:
    await node.people("ann")
    meeting_id = await node.create("ann", remind_type=SMS)
    await node.expand_all()
    await updated(node, meeting_id)

    def send(sight: Sight) -> Delivery:
        return deliver.begin(sight.delivery, address="+8613800138000", text="t", as_of=1, now=NOW)

    begun = await node.storage.begin_deliveries("sms", now=NOW, room=1, look_at=1, lease_ms=WAIT, look=send)
    assert [one.kind for one, _ in begun.sending] == ["invited"]
    seen = (await sights(node))["ann", "updated"]
    assert (seen.shown, seen.invitation_waits) == (1, False)


async def test_what_was_shown_is_the_newest_state_of_an_invitation_or_update_and_not_of_itself(
    node: Node,
) -> None:
    meeting_id = await invited(node)
    await updated(node, meeting_id, "hall")
    await node.send_all(Gateway(), wait_seconds=WAIT_SECONDS)
    await node.nudge(meeting_id)
    await node.update(meeting_id, "ann", address="roof", remind_type=SMS)
    await node.update(meeting_id, "ann", address="cellar", remind_type=SMS)
    await node.expand_all()
    await node.send_all(Gateway(Sent(), Unknown("?")), wait_seconds=WAIT_SECONDS)
    assert [(one.kind, one.state, one.as_of) for one in await node.deliveries("ann")] == [
        ("invited", "sent", 0),
        ("updated", "sent", 1),
        ("nudged", "sent", 3),
        ("updated", "pending", 3),
    ]
    # Its own request, of which nobody knows, and the nudge show nothing.
    assert (await sights(node, ahead=WAIT))["ann", "updated"].shown == 1


async def test_an_invitation_of_an_earlier_membership_does_not_wait_for_a_later_one(node: Node) -> None:
    meeting_id = await invited(node, Retry("busy", down=False))
    await node.people("bob")
    await node.update(meeting_id, "bob", remind_type=SMS)
    await node.update(meeting_id, "bob", "ann", remind_type=SMS)
    await node.expand_all()
    # The second invitation goes out; the first one, certainly not sent, is still there.
    await node.send_all(Gateway(), wait_seconds=WAIT_SECONDS)
    assert [(one.kind, one.state) for one in await node.deliveries("ann")] == [
        ("invited", "pending"),
        ("invited", "sent"),
    ]
    await node.update(meeting_id, "bob", "ann", address="hall", remind_type=SMS)
    await node.expand_all()
    seen = (await sights(node))["ann", "updated"]
    assert (seen.shown, seen.invitation_waits) == (2, False)


async def sent_today(node: Node, *, ahead: int = 0) -> int:
    """As seen by one more text to ann."""
    await node.create("ann", remind_type=SMS)
    await node.expand_all()
    return (await sights(node, ahead=ahead))["ann", "invited"].sent_today


@pytest.mark.parametrize(
    ("verdict", "counted"),
    [(Sent(), 1), (Unknown("?"), 1), (Refused("bad"), 1), (Retry("busy", down=False), 0)],
    ids=lambda one: type(one).__name__,
)
async def test_every_request_counts_but_those_certainly_not_taken(
    node: Node, verdict: Verdict, counted: int
) -> None:
    await invited(node, verdict)
    assert await sent_today(node) == counted


async def test_a_request_counts_for_twenty_four_hours(node: Node) -> None:
    await invited(node)
    assert await sent_today(node, ahead=timing.DAY_MS - 1) == 1
    assert (await sights(node, ahead=timing.DAY_MS))["ann", "invited"].sent_today == 0


async def test_a_repeat_counts_too(node: Node) -> None:
    await invited(node, Unknown("?"))
    node.clock.moment += WAIT
    await node.send_all(Gateway(Sent()), wait_seconds=WAIT_SECONDS)
    assert await node.outcomes("ann") == [("invited", "sent", "")]
    assert await sent_today(node) == 2


async def test_a_request_of_which_nobody_knows_counts_when_it_is_to_be_repeated(node: Node) -> None:
    await invited(node, Unknown("?"))
    assert (await sights(node, ahead=WAIT))["ann", "invited"].sent_today == 1


async def test_a_receipt_makes_no_two_of_one_request(node: Node) -> None:
    await invited(node, Unknown("?"))
    (one,) = await node.deliveries("ann")
    receipt = Receipt(1, "delivered")
    await node.storage.amend_deliveries(
        [(ORG.id, one.id, lambda found: deliver.receive(found, receipt, now=NOW))]
    )
    assert await sent_today(node) == 1


async def test_texts_to_others_do_not_count_nor_those_of_another_organisation(node: Node) -> None:
    other = Org(id=ORG.id + 1, name="other")
    await node.storage.put_org(other)
    await node.storage.import_people([person("ann", org_id=other.id)])
    boss = Caller(app_id=APP.id, org=other, uid=BOSS)
    command = commands.Create(requester_name="boss", detail=detail("ann", remind_type=SMS))
    await meetings.create(node.services, boss, command)
    await invited(node, uid="bob")
    await invited(node, uid="ann")
    assert len(await node.storage.deliveries(Wanted(uid="ann", state="sent"))) == 2
    assert await sent_today(node) == 1


async def test_several_begun_in_one_transaction_count_for_each_other(node: Node) -> None:
    await node.people("ann", "bob")
    for _ in range(3):
        await node.create("ann", "bob", remind_type=SMS)
    await node.expand_all()
    seen: dict[str, list[int]] = {"ann": [], "bob": []}

    def look(sight: Sight) -> Delivery:
        seen[sight.me.uid].append(sight.sent_today)
        if sight.sent_today == 2 or sight.delivery.id == skipped:
            return deliver.skip(sight.delivery, "daily_limit", now=NOW)
        return deliver.begin(sight.delivery, address=sight.mobile, text="t", as_of=0, now=NOW)

    skipped = min(one.id for one in await node.deliveries("bob"))
    await node.storage.begin_deliveries("sms", now=NOW, room=99, look_at=99, lease_ms=WAIT, look=look)
    assert seen == {"ann": [0, 1, 2], "bob": [0, 0, 1]}


async def test_a_reminder_sees_who_it_is_for(node: Node) -> None:
    await node.storage.import_people([person(BOSS, mobile="+8613800138000")])
    meeting_id = await node.create("ann", begin_at=NOW + HOUR, remind_type=SMS)
    await node.expand_all()
    await node.remind(meeting_id, "ann", wanted=False)
    node.clock.moment = NOW + 45 * MINUTE
    await node.expand_all()
    await node.remind(meeting_id, BOSS, wanted=False)
    seen = (await sights(node))[BOSS, Kind.REMINDER]
    assert (seen.me.organizer, seen.me.remind, seen.mobile) == (True, False, "+8613800138000")
