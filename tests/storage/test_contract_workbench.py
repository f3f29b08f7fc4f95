"""The contract of shelves, calendars, lists, engagements and links, on both databases."""

import random
from itertools import pairwise, product
from typing import Any

import pytest

from huiyao.model import Attendee, MsgStatus
from huiyao.storage import workbench
from huiyao.storage.contract import CardsWanted, Place, Shelf
from huiyao.storage.sqlite import workbench as sqlite
from tests.storage import cards
from tests.storage.cards import ORGANIZES, REMOVED, REMOVED_CARD, World, meeting, part, put
from tests.storage.node import BOSS, HOUR, NOW, ORG, Node
from tests.storage.rows import fetch

DAY = 24 * HOUR
WEEK = workbench.LONG_MS
FOREVER = {"begin_at": NOW - 99 * DAY, "end_at": NOW + 99 * DAY}


async def ids_on(node: Node, shelf: Shelf, *, uid: str = "ann", now: int = NOW) -> list[int]:
    found = await node.storage.shelf(ORG.id, uid, shelf, now=now, after=None, size=100)
    return [one.meeting.id for one in found]


async def paged(node: Node, shelf: Shelf, *, uid: str, now: int, size: int) -> list[int]:
    """The whole shelf, page by page."""
    found: list[int] = []
    after: Place | None = None
    while page := await node.storage.shelf(ORG.id, uid, shelf, now=now, after=after, size=size):
        assert len(page) <= size
        found += [one.meeting.id for one in page]
        after = cards.place(page[-1])
    return found


async def times(url: str, meeting_id: int) -> dict[str, tuple[int, int]]:
    """Begin and end as each person's row has them."""
    rows = await fetch(url, f"SELECT uid, begin_at, end_at FROM attendee WHERE meeting_id = {meeting_id}")
    return {uid: (begin_at, end_at) for uid, begin_at, end_at in rows}


async def links(url: str, meeting_id: int) -> dict[str, int]:
    return dict(await fetch(url, f"SELECT uid, link_id FROM attendee WHERE meeting_id = {meeting_id}"))


async def test_what_is_over_and_what_is_not_is_told_by_the_end(node: Node) -> None:
    for meeting_id, end_at in ((1, NOW - 1), (2, NOW), (3, NOW + 1)):
        await put(node.storage, meeting(meeting_id, NOW - HOUR, end_at), part("ann"))
    assert await ids_on(node, Shelf.UPCOMING) == [2, 3]
    assert await ids_on(node, Shelf.PAST) == [1]


async def test_what_is_not_over_is_found_however_long_ago_it_began(node: Node) -> None:
    begins = (NOW - WEEK - 1, NOW - WEEK, NOW - WEEK + 1, NOW - 99 * WEEK, NOW - 1, NOW, NOW + WEEK)
    for number, (begin_at, end_at) in enumerate(product(begins, (NOW, NOW + 1, NOW + 2 * WEEK)), 1):
        await put(node.storage, meeting(number, begin_at, max(begin_at, end_at)), part("ann"))
    found = await node.storage.shelf(ORG.id, "ann", Shelf.UPCOMING, now=NOW, after=None, size=99)
    assert len(found) == 3 * len(begins)
    assert all(cards.place(one) < cards.place(two) for one, two in pairwise(found))
    assert await paged(node, Shelf.UPCOMING, uid="ann", now=NOW, size=2) == [one.meeting.id for one in found]


async def test_a_card_counts_the_answers_of_those_on_the_list(node: Node) -> None:
    parts = [
        part(BOSS, **ORGANIZES),
        part("ann", MsgStatus.ACCEPTED),
        part("bob", MsgStatus.DECLINED, **REMOVED_CARD),
        part("cat", MsgStatus.READ),
        part("dan"),
        part("eve", MsgStatus.ACCEPTED, **REMOVED),
    ]
    await put(node.storage, meeting(1, NOW + HOUR, size=6), *parts)
    (found,) = await node.storage.shelf(ORG.id, "ann", Shelf.UPCOMING, now=NOW, after=None, size=9)
    assert (found.accepted, found.declined, found.waiting) == (1, 1, 2)
    assert (found.meeting.id, found.me) == (1, parts[1])


async def test_a_removed_card_or_person_is_on_no_shelf(node: Node) -> None:
    for number, begin_at in enumerate((NOW - 2 * HOUR, NOW + HOUR)):
        await put(node.storage, meeting(number * 2 + 1, begin_at), part("ann", **REMOVED_CARD))
        await put(node.storage, meeting(number * 2 + 2, begin_at), part("ann", **REMOVED))
    assert [await ids_on(node, shelf) for shelf in Shelf] == [[], [], [], []]
    assert await node.storage.calendar(ORG.id, "ann", **FOREVER, size=9) == []
    assert await node.storage.cards(ORG.id, "ann", CardsWanted()) == []
    assert await node.storage.waiting(ORG.id, "ann", now=NOW, at_most=9) == 0


async def test_waiting_are_the_cards_that_ask_this_person_for_an_answer(node: Node) -> None:
    asked = [part("ann"), part("ann", MsgStatus.READ)]
    others = [
        part("ann", MsgStatus.ACCEPTED),
        part("ann", MsgStatus.DECLINED),
        part("ann", **ORGANIZES),
        part("ann", organizer=True),
    ]
    for number, me in enumerate(asked + others, 1):
        await put(node.storage, meeting(number, NOW + HOUR), me)
    await put(node.storage, meeting(7, NOW + HOUR, cancelled=True), part("ann"))
    await put(node.storage, meeting(8, NOW - 2 * WEEK, NOW + HOUR), part("ann"))
    await put(node.storage, meeting(9, NOW - 2 * HOUR), part("ann"))
    assert await ids_on(node, Shelf.WAITING) == [8, 1, 2]
    assert [await node.storage.waiting(ORG.id, "ann", now=NOW, at_most=most) for most in (2, 3, 9)] == [
        2,
        3,
        3,
    ]


async def test_created_are_the_organizers_own_the_last_to_begin_first(node: Node) -> None:
    for number, begin_at in ((1, NOW + HOUR), (2, NOW - DAY), (3, NOW + HOUR), (4, NOW + DAY)):
        await put(node.storage, meeting(number, begin_at), part("ann", **ORGANIZES), part("bob"))
    await put(node.storage, meeting(5, NOW), part(BOSS, **ORGANIZES), part("ann"))
    assert await ids_on(node, Shelf.CREATED) == [4, 3, 1, 2]
    assert await ids_on(node, Shelf.CREATED, uid="bob") == []


async def test_nothing_is_seen_of_another_organisation(node: Node, url: str) -> None:
    await put(node.storage, meeting(1, NOW + HOUR), part("ann"))
    ((_, link_id),) = (await links(url, 1)).items()
    other = ORG.id + 1
    for shelf in Shelf:
        assert await node.storage.shelf(other, "ann", shelf, now=NOW, after=None, size=9) == []
    assert await node.storage.waiting(other, "ann", now=NOW, at_most=9) == 0
    assert await node.storage.calendar(other, "ann", **FOREVER, size=9) == []
    assert await node.storage.cards(other, "ann", CardsWanted()) == []
    assert await node.storage.engagements(other, ["ann"], **FOREVER) == []
    assert await node.storage.linked(other, 1, link_id) is None


@pytest.mark.parametrize(
    ("begin_at", "end_at", "there"),
    [
        (NOW - 1, NOW, False),
        (NOW - 1, NOW + 1, True),
        (NOW, NOW, True),
        (NOW + DAY - 1, NOW + DAY, True),
        (NOW + DAY, NOW + DAY, False),
        (NOW + DAY, NOW + 2 * DAY, False),
        (NOW - 99 * DAY, NOW + 99 * DAY, True),
        (NOW - 99 * DAY, NOW, False),
    ],
)
async def test_a_calendar_has_what_overlaps_its_window(
    node: Node, begin_at: int, end_at: int, there: bool
) -> None:
    await put(node.storage, meeting(1, begin_at, end_at), part("ann"))
    found = await node.storage.calendar(ORG.id, "ann", begin_at=NOW, end_at=NOW + DAY, size=9)
    assert bool(found) == there
    engaged = await node.storage.engagements(ORG.id, ["ann"], begin_at=NOW, end_at=NOW + DAY)
    assert bool(engaged) == (there and begin_at < end_at)  # a moment keeps nobody busy


def random_part(chance: random.Random, uid: str) -> Attendee:
    state: dict[str, Any] = chance.choice([{}] * 6 + [ORGANIZES, {"organizer": True}, REMOVED_CARD, REMOVED])
    return part(uid, chance.randrange(4), **state)


def random_world(seed: int) -> World:
    """Meetings around NOW that two people share, of all lengths and in all states."""
    chance = random.Random(seed)
    world = []
    for number in range(1, 151):
        begin_at = NOW + chance.choice([0, WEEK, -WEEK, 2 * WEEK, -2 * WEEK]) + chance.randrange(-3, 4) * HOUR
        lasts = chance.choice([0, HOUR, 2 * HOUR, DAY, WEEK - 1, WEEK, WEEK + 1, 3 * WEEK])
        one = meeting(number, begin_at, begin_at + lasts, cancelled=chance.random() < 0.15)
        world.append((one, [random_part(chance, uid) for uid in ("ann", "bob")]))
    return world


@pytest.mark.parametrize("seed", [1, 2])
async def test_every_question_is_answered_as_a_plain_look_at_everything_would(node: Node, seed: int) -> None:
    world = random_world(seed)
    for one, parts in world:
        await put(node.storage, one, *parts)
    storage = node.storage
    for uid, now in product(("ann", "bob"), (NOW - WEEK, NOW, NOW + HOUR)):
        for shelf in Shelf:
            expected = cards.shelf_of(world, uid, shelf, now=now)
            assert await storage.shelf(ORG.id, uid, shelf, now=now, after=None, size=999) == expected
            assert await paged(node, shelf, uid=uid, now=now, size=7) == [one.meeting.id for one in expected]
        count = len(cards.shelf_of(world, uid, Shelf.WAITING, now=now))
        assert await storage.waiting(ORG.id, uid, now=now, at_most=999) == count > 1
        window = {"begin_at": now, "end_at": now + 2 * HOUR}
        found = await storage.calendar(ORG.id, uid, **window, size=999)
        assert found == cards.in_window(world, uid, **window) != []
        assert await storage.calendar(ORG.id, uid, **window, size=3) == found[:3]
        engaged = await storage.engagements(ORG.id, ["bob", uid], **window)
        assert engaged == cards.engaged(world, {uid, "bob"}, **window) != []
    moments = ((None, None), (NOW, None), (None, NOW), (NOW, NOW + HOUR))
    for window_, status, organizer, below in product(moments, (None, 0, 2), (None, True, False), (None, 90)):
        wanted = CardsWanted(
            begin_at=window_[0],
            end_at=window_[1],
            msg_status=status,
            organizer=organizer,
            below=below,
            size=20,
        )
        assert await storage.cards(ORG.id, "ann", wanted) == cards.wanted_of(world, "ann", wanted), wanted


async def test_only_an_organizer_on_the_list_is_found_by_their_answer(node: Node) -> None:
    await put(node.storage, meeting(1, NOW), part("ann", **ORGANIZES))
    await put(node.storage, meeting(2, NOW), part("ann", organizer=True))
    found = await node.storage.cards(ORG.id, "ann", CardsWanted(msg_status=MsgStatus.UNREAD))
    assert [one.id for one, _ in found] == [2]


async def test_cards_that_are_there_throughout_come_exactly_once_while_others_come_and_move(
    node: Node,
) -> None:
    made = [await node.create("ann") for _ in range(9)]
    found: list[int] = []
    below = None
    while page := await node.storage.cards(ORG.id, "ann", CardsWanted(below=below, size=2)):
        found += [one.id for one, _ in page]
        below = found[-1]
        await node.create("ann")
        await node.update(made[0], "ann", begin_at=NOW + len(found) * HOUR)
    assert found == made[::-1]


async def test_a_thousand_answers_are_counted_and_thousands_of_engagements_found(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On SQLite: what is too much for the event loop is read in a thread, to the same answer."""
    world = random_world(3)
    for one, parts in world:
        await put(node.storage, one, *parts)
    monkeypatch.setattr(sqlite, "MOST_ROWS", 5)
    expected = cards.shelf_of(world, "ann", Shelf.UPCOMING, now=NOW)
    assert await node.storage.shelf(ORG.id, "ann", Shelf.UPCOMING, now=NOW, after=None, size=99) == expected
    engaged = await node.storage.engagements(ORG.id, ["ann", "bob"], **FOREVER)
    assert engaged == cards.engaged(world, ["ann", "bob"], **FOREVER)
    monkeypatch.setattr(sqlite, "MOST_ROWS", len(engaged))
    assert await node.storage.engagements(ORG.id, ["ann", "bob"], **FOREVER) == engaged


async def test_every_row_has_the_meetings_times_and_follows_when_it_moves(node: Node, url: str) -> None:
    first, later = NOW + 24 * HOUR, NOW + 48 * HOUR
    meeting_id = await node.create("ann", "bob", "cat")
    assert set((await times(url, meeting_id)).values()) == {(first, first + HOUR)}
    await node.update(meeting_id, "ann", "bob")
    await node.update(meeting_id, "ann", "dan", begin_at=later)
    found = await times(url, meeting_id)
    assert set(found) == {BOSS, "ann", "bob", "cat", "dan"}
    assert {uid for uid, moments in found.items() if moments == (later, later + HOUR)} == {BOSS, "ann", "dan"}
    assert found["bob"] == found["cat"] == (first, first + HOUR)  # they are not part of it any more
    await node.update(meeting_id, "ann", "cat", begin_at=later)
    assert (await times(url, meeting_id))["cat"] == (later, later + HOUR)
    assert await ids_on(node, Shelf.UPCOMING, uid="cat", now=later) == [meeting_id]
    assert await ids_on(node, Shelf.UPCOMING, uid=BOSS, now=later) == [meeting_id]


async def test_a_link_names_one_membership_and_no_other(node: Node, url: str) -> None:
    meeting_id = await node.create("ann", "bob")
    first = await links(url, meeting_id)
    assert len(set(first.values())) == 3
    assert all(0 < link_id < 1 << 63 for link_id in first.values())
    assert await node.storage.linked(ORG.id, meeting_id, first["ann"]) == await node.storage.meeting(
        ORG.id, meeting_id, "ann"
    )
    await node.respond(meeting_id, "ann")
    await node.update(meeting_id, "ann", "bob", begin_at=NOW + 48 * HOUR)
    assert await links(url, meeting_id) == first  # neither an answer nor a move changes it
    await node.update(meeting_id, "bob", begin_at=NOW + 48 * HOUR)
    found = await node.storage.linked(ORG.id, meeting_id, first["ann"])
    assert found
    assert found[1].removed_at
    await node.update(meeting_id, "ann", "bob", begin_at=NOW + 48 * HOUR)
    again = await links(url, meeting_id)
    assert again == first | {"ann": again["ann"]} != first
    assert await node.storage.linked(ORG.id, meeting_id, first["ann"]) is None
    other = await node.create("ann")
    assert await node.storage.linked(ORG.id, other, again["ann"]) is None
    assert await node.storage.linked(ORG.id, 404, again["ann"]) is None


async def test_a_link_is_found_in_a_large_meeting(
    node: Node, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "MOST_ROWS", 2)
    meeting_id = await node.create("ann", "bob")
    found = await node.storage.linked(ORG.id, meeting_id, (await links(url, meeting_id))["bob"])
    assert found == await node.storage.meeting(ORG.id, meeting_id, "bob")


def test_link_ids_are_positive_and_below_2_to_the_63() -> None:
    found = workbench.link_ids(10_000)
    assert len(set(found)) == 10_000
    assert all(0 < one < 1 << 63 for one in found)
    assert sum(one >> 62 for one in found) > 4_000  # the topmost bit is used
