"""Events of apps on both databases: written with what they tell, taken in turn, given on, rescued, given up."""

import asyncio
from functools import partial

import msgspec
import pytest

from huiyao.channels.contract import Refused
from huiyao.model import Callback, Event, EventState, RemindType
from huiyao.rules import callbacks, commands
from huiyao.rules.callbacks import Attempt
from huiyao.service import meetings
from huiyao.storage.event_contract import EventsWanted
from tests.storage.gateway import Gateway
from tests.storage.node import APP, BOSS, HOUR, MINUTE, NOW, ORG, Node, caller, detail

URL = "https://hooks.example.com/"
CALLBACK = Callback(style="platform", secret=b"sealed")
LEASE = 60_000


@pytest.fixture
async def told(node: Node) -> Node:
    """A node whose app has a callback."""
    await node.storage.put_callback(APP.id, URL, CALLBACK, check="")
    return node


async def events(node: Node) -> list[Event]:
    """The oldest first."""
    return (await node.storage.events(EventsWanted(limit=100_000)))[::-1]


async def facts(node: Node) -> list[tuple[int, str, int | None]]:
    return [(one.type, one.uid, one.msg_status) for one in await events(node)]


async def take(node: Node, room: int = 100) -> list[Event]:
    return await node.storage.begin_events([(APP.id, room)], now=node.clock.now(), lease_ms=LEASE)


async def deliver(node: Node, *given: Event) -> list[Event | None]:
    done = partial(callbacks.delivered, attempt=Attempt(at=node.clock.now(), ms=1, outcome="200"))
    return await node.storage.amend_events([(one.org_id, one.id, done) for one in given])


async def put_off(node: Node, one: Event) -> None:
    attempt = Attempt(at=node.clock.now(), ms=0, outcome="500")
    later = partial(callbacks.put_off, attempt=attempt, after_seconds=None, jitter=1)
    await node.storage.amend_events([(one.org_id, one.id, later)])


async def test_a_whole_life_is_told_in_its_order(told: Node) -> None:
    meeting_id = await told.create("ann", "bob", begin_at=NOW + HOUR)
    assert await facts(told) == []  # nothing is pushed yet
    await told.expand_all()
    await meetings.read(told.services, caller("ann"), meeting_id)
    await told.respond(meeting_id, "ann")
    await told.respond(meeting_id, "bob", declined=True)
    await told.update(meeting_id, "ann", "bob", begin_at=NOW + HOUR, address="room 2")
    told.clock.moment = NOW + 45 * MINUTE
    await told.expand_all()
    await told.cancel(meeting_id)
    await told.expand_all()
    found = await facts(told)
    assert found[:5] == [
        (101, "", None),
        (102, "ann", 1),
        (103, "ann", 2),
        (104, "bob", 3),
        (106, "", None),
    ]
    # Bob declined and is not reminded; the organizer is.
    assert sorted(found[5:7]) == [(105, "ann", 2), (105, BOSS, 0)]
    assert found[7:] == [(107, "", None)]
    first = (await events(told))[0]
    assert (first.app_id, first.meeting_id, first.sequence) == (APP.id, meeting_id, 0)
    assert (first.at, first.due_at, first.give_up_at) == (NOW, NOW, NOW + 24 * HOUR)
    assert [one.sequence for one in await events(told)] == [0, 0, 0, 0, 1, 1, 1, 2]


async def test_nothing_is_told_without_a_callback_or_a_grant_or_to_the_disabled_or_the_gone(
    node: Node,
) -> None:
    storage = node.storage

    async def life() -> int:
        meeting_id = await node.create("ann", begin_at=node.clock.now() + HOUR)
        await node.expand_all()
        await node.respond(meeting_id, "ann")
        node.clock.moment += 50 * MINUTE
        await node.expand_all()
        await node.cancel(meeting_id)
        await node.expand_all()
        return len(await events(node))

    assert await life() == 0
    await storage.put_callback(APP.id, URL, msgspec.structs.replace(CALLBACK, gone_at=NOW), check="")
    assert await life() == 0
    await storage.put_callback(APP.id, URL, CALLBACK, check="")
    await storage.put_app(msgspec.structs.replace(APP, callback_url=URL, disabled=True))
    assert await life() == 0
    await storage.put_app(msgspec.structs.replace(APP, callback_url=URL, orgs=(), default_org=None))
    assert await life() == 0
    await storage.put_app(msgspec.structs.replace(APP, callback_url=URL))
    assert await life() > 0


async def test_a_silent_change_is_told_to_the_app_all_the_same(told: Node) -> None:
    command = commands.Create(requester_name="boss", detail=detail("ann"), silent=True)
    meeting_id = await meetings.create(told.services, caller(BOSS), command)
    await told.expand_all()
    update = commands.Update(detail=detail("ann", address="room 9"), silent=True)
    await meetings.update(told.services, caller(BOSS), meeting_id, update)
    await told.expand_all()
    assert await told.inbox("ann") == []
    assert await facts(told) == [(101, "", None), (106, "", None)]


async def test_what_changes_nothing_and_what_is_no_event_tells_nothing(told: Node) -> None:
    meeting_id = await told.create("ann")
    await told.expand_all()
    before = await facts(told)
    await told.update(meeting_id, "ann")
    await told.remind(meeting_id, "ann", wanted=False)
    await meetings.delete(told.services, caller("ann"), meeting_id)
    await told.nudge(meeting_id)
    await told.expand_all()
    assert await facts(told) == before


async def test_nobody_is_told_twice_that_somebody_was_reminded(told: Node) -> None:
    meeting_id = await told.create("ann", "bob", begin_at=NOW + HOUR)
    await told.expand_all()
    told.clock.moment = NOW + 45 * MINUTE
    await told.expand_all()
    # A clock that goes back, and the same reminder once more.
    told.clock.moment = NOW + 40 * MINUTE
    await told.update(meeting_id, "ann", "bob", begin_at=NOW + HOUR, remind_min=1)
    await told.update(meeting_id, "ann", "bob", begin_at=NOW + HOUR, remind_min=15)
    told.clock.moment = NOW + 50 * MINUTE
    await told.expand_all()
    assert sorted(one[1] for one in await facts(told) if one[0] == 105) == ["ann", "bob", BOSS]


async def test_a_large_meeting_is_told_of_in_parts_and_nobody_twice(told: Node) -> None:
    uids = [f"u{number:03}" for number in range(50)]
    await told.create(*uids, begin_at=NOW + HOUR)
    await told.expand_all(rows=7)
    told.clock.moment = NOW + 45 * MINUTE
    await told.expand_all(rows=7)
    found = await facts(told)
    assert [one for one in found if one[0] == 101] == [(101, "", None)]
    assert sorted(one[1] for one in found if one[0] == 105) == sorted([*uids, BOSS])


async def test_a_text_that_fails_for_good_is_told_with_its_reason(told: Node) -> None:
    await told.people("ann")
    meeting_id = await told.create("ann", remind_type=RemindType.SMS)
    await told.expand_all()
    await told.send_all(Gateway(Refused("bad_number")))
    found = (await events(told))[-1]
    assert (found.type, found.uid, found.reason, found.meeting_id) == (108, "ann", "bad_number", meeting_id)


async def test_one_of_a_meeting_is_under_way_at_a_time_and_in_order(told: Node) -> None:
    one = await told.create("ann", "bob")
    other = await told.create("ann")
    await told.expand_all()
    await told.respond(one, "ann")
    await told.respond(one, "bob")
    seen: list[tuple[int, int]] = []
    while begun := await take(told):
        assert len({event.meeting_id for event in begun}) == len(begun)
        assert all(event.state == EventState.SENDING and event.attempt == 1 for event in begun)
        assert await take(told) == []  # those are leased, the others wait for them
        seen += ((event.meeting_id, event.id) for event in begun)
        await deliver(told, *begun)
    assert len(seen) == 4
    for meeting_id in (one, other):
        ids = [event_id for about, event_id in seen if about == meeting_id]
        assert ids == sorted(ids)
    assert await told.storage.waiting_apps() == []


async def test_what_is_retried_holds_up_its_own_meeting_only(told: Node) -> None:
    stuck = await told.create("ann")
    await told.expand_all()
    await told.respond(stuck, "ann")
    (first,) = await take(told)
    await put_off(told, first)
    assert await told.storage.waiting_apps() == [(APP.id, NOW + 5_000)]
    fine = await told.create("ann")
    await told.expand_all()
    (second,) = await take(told)
    assert second.meeting_id == fine
    await deliver(told, second)
    told.clock.moment = NOW + 5_000
    (again,) = await take(told)
    assert (again.id, again.attempt, again.failures) == (first.id, 2, 1)
    assert callbacks.attempts(again) == [Attempt(at=NOW, ms=0, outcome="500")]
    await deliver(told, again)
    assert [event.type for event in await take(told)] == [103]


async def test_a_new_event_does_not_hurry_one_that_waits_to_be_retried(told: Node) -> None:
    meeting_id = await told.create("ann")
    await told.expand_all()
    (first,) = await take(told)
    await put_off(told, first)
    await told.respond(meeting_id, "ann")
    assert await take(told) == []


async def test_room_bounds_what_is_begun(told: Node) -> None:
    for _ in range(5):
        await told.create("ann")
    await told.expand_all()
    assert len(await take(told, room=2)) == 2
    assert len(await take(told, room=2)) == 2
    assert len(await take(told, room=2)) == 1


async def test_a_lease_that_is_over_frees_the_event_for_another_try(told: Node) -> None:
    await told.create("ann")
    await told.expand_all()
    await told.storage.rescue_events()
    (lost,) = await told.storage.begin_events([(APP.id, 1)], now=NOW, lease_ms=0)
    async with asyncio.timeout(10):
        while not await told.storage.rescue_events():
            await asyncio.sleep(0.01)
    (again,) = await take(told)
    assert (again.id, again.attempt) == (lost.id, 2)
    assert await told.storage.rescue_events() == 0


async def test_amending_what_is_not_there_or_leaves_it_as_it_is_changes_nothing(told: Node) -> None:
    await told.create("ann")
    await told.expand_all()
    (one,) = await events(told)
    assert await told.storage.amend_events(
        [(ORG.id, 1 << 50, lambda _: None), (2, one.id, lambda _: None)]
    ) == [
        None,
        None,
    ]
    assert await told.storage.amend_events([(ORG.id, one.id, lambda _: None)]) == [None]
    assert await events(told) == [one]
    assert len(await take(told)) == 1


async def test_a_replay_goes_before_what_waits_and_leaves_what_is_under_way(told: Node) -> None:
    meeting_id = await told.create("ann", "bob")
    await told.expand_all()
    (pushed,) = await take(told)
    await deliver(told, pushed)
    await told.respond(meeting_id, "ann")
    await told.respond(meeting_id, "bob")
    (under_way,) = await take(told)
    again = partial(callbacks.replay, now=NOW)
    await told.storage.amend_events([(ORG.id, pushed.id, again)])
    assert await take(told) == []
    await deliver(told, under_way)
    assert [one.id for one in await take(told)] == [pushed.id]


async def test_a_replay_after_everything_is_delivered_makes_a_turn_anew(told: Node) -> None:
    await told.create("ann")
    await told.expand_all()
    (pushed,) = await take(told)
    await deliver(told, pushed)
    await told.storage.amend_events([(ORG.id, pushed.id, partial(callbacks.replay, now=NOW))])
    (again,) = await take(told)
    assert (again.id, again.attempt) == (pushed.id, 2)


async def test_what_has_waited_too_long_is_found_and_given_up_and_the_turn_goes_on(told: Node) -> None:
    meeting_id = await told.create("ann")
    await told.expand_all()
    told.clock.moment = NOW + 10 * HOUR
    await told.respond(meeting_id, "ann")
    late = NOW + 25 * HOUR
    overdue = await told.storage.overdue_events(before=late - callbacks.OVERDUE_MS, limit=10)
    assert overdue == [(ORG.id, (await events(told))[0].id)]
    await told.storage.amend_events([(*key, partial(callbacks.give_up, now=late)) for key in overdue])
    assert [(one.type, one.state) for one in await events(told)] == [(101, "failed"), (103, "pending")]
    assert [one.type for one in await take(told)] == [103]


async def test_a_receiver_that_is_gone_is_remembered_by_its_url(told: Node) -> None:
    await told.storage.close_callback(APP.id, "https://another.example.com/", now=NOW)
    app = await told.storage.app(APP.id)
    assert app
    assert app.callback == CALLBACK
    await told.storage.close_callback(APP.id, URL, now=NOW)
    app = await told.storage.app(APP.id)
    assert app
    assert app.callback == msgspec.structs.replace(CALLBACK, gone_at=NOW)
    await told.storage.put_app(app)  # what is put of an app leaves its callback alone
    assert await told.storage.app(APP.id) == app
    await told.storage.put_callback(APP.id, "", None, check="")
    app = await told.storage.app(APP.id)
    assert app
    assert (app.callback, app.callback_url) == (None, "")


async def test_events_are_listed_by_what_is_asked_for(told: Node) -> None:
    one = await told.create("ann")
    await told.create("ann")
    await told.expand_all()
    await told.respond(one, "ann")
    storage = told.storage
    assert len(await storage.events(EventsWanted(meeting_id=one))) == 2
    assert len(await storage.events(EventsWanted(type=103))) == 1
    assert await storage.events(EventsWanted(app_id=8)) == []
    assert await storage.events(EventsWanted(org_id=2)) == []
    newest = await storage.events(EventsWanted(state="pending", limit=2))
    rest = await storage.events(EventsWanted(below=newest[-1].id))
    assert len(newest) == 2
    assert len(rest) == 1
    assert await storage.event(ORG.id, rest[0].id) == rest[0]
    assert await storage.event(2, rest[0].id) is None
    assert ("callback", "101", 2) in {
        (found.channel, found.kind, found.depth) for found in await storage.queues(now=NOW)
    }


async def test_ended_events_are_forgotten_after_their_time(told: Node) -> None:
    await told.create("ann")
    await told.expand_all()
    await deliver(told, *await take(told))
    assert await told.storage.prune(now=NOW, ended_before=NOW) == 0
    assert len(await events(told)) == 1
    await told.storage.prune(now=NOW, ended_before=NOW + HOUR)
    assert await events(told) == []


async def test_answers_of_many_at_once_are_all_told(told: Node) -> None:
    uids = [f"u{number}" for number in range(40)]
    meeting_id = await told.create(*uids)
    await told.expand_all()
    await asyncio.gather(*(told.respond(meeting_id, uid) for uid in uids))
    assert sorted(one[1] for one in await facts(told) if one[0] == 103) == sorted(uids)
