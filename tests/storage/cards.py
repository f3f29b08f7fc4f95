"""Meetings in any state on people's workbenches, and what belongs where, said once more in plain Python."""

from collections.abc import Iterable, Sequence
from typing import Any

from huiyao.model import Attendee, Card, Engagement, Entry, Meeting, MsgStatus, PushStatus
from huiyao.rules.change import Change
from huiyao.storage.contract import CardsWanted, Committed, Place, Shelf, Storage
from tests.storage.node import APP, BOSS, HOUR, NOW, ORG

UNANSWERED = (MsgStatus.UNREAD, MsgStatus.READ)
World = Sequence[tuple[Meeting, Sequence[Attendee]]]


def meeting(
    meeting_id: int, begin_at: int, end_at: int | None = None, *, cancelled: bool = False, size: int = 2
) -> Meeting:
    """Of an hour unless an end is given."""
    return Meeting(
        org_id=ORG.id,
        id=meeting_id,
        app_id=APP.id,
        organizer_uid=BOSS,
        organizer_name="name of boss",
        content=f"meeting {meeting_id}",
        address="room",
        begin_at=begin_at,
        end_at=begin_at + HOUR if end_at is None else end_at,
        remind_min=15,
        remind_type=0,
        push_status=PushStatus.CANCELLED if cancelled else PushStatus.PENDING,
        sequence=3,
        moved_sequence=0,
        ical_uid=f"{meeting_id}@huiyao",
        create_time=NOW,
        created_at=NOW,
        updated_at=NOW,
        cancelled_at=NOW if cancelled else None,
        nudged_at=None,
        size=size,
    )


def part(uid: str, status: int = MsgStatus.UNREAD, **fields: Any) -> Attendee:
    """Somebody's row, on the list unless it says otherwise."""
    known: dict[str, Any] = {
        "name": f"name of {uid}",
        "position": 0,
        "organizer": False,
        "remind": True,
        "reply": "",
        "read_at": NOW if status else None,
        "answered_at": NOW if status >= MsgStatus.ACCEPTED else None,
        "card_removed_at": None,
        "removed_at": None,
        "membership": 1,
        "invited_sequence": 0,
        "removed_sequence": None,
        "quiet": False,
    }
    return Attendee(uid=uid, msg_status=status, **(known | fields))


ORGANIZES = {"organizer": True, "position": -1}
REMOVED_CARD = {"card_removed_at": NOW}
REMOVED = {"removed_at": NOW, "removed_sequence": 2}


async def put(storage: Storage, one: Meeting, *parts: Attendee) -> None:
    """Write it as it is."""
    entry = Entry(id=one.id, at=NOW, app_id=APP.id, actor_uid=BOSS, kind="created", change="{}")
    change = Change(org_id=one.org_id, meeting_id=one.id, entry=entry, meeting=one, added=parts)
    assert await storage.commit(change) == Committed()


def card(one: Meeting, me: Attendee, parts: Iterable[Attendee]) -> Card:
    answers = [each.msg_status for each in parts if each.listed]
    return Card(
        meeting=one,
        me=me,
        accepted=answers.count(MsgStatus.ACCEPTED),
        declined=answers.count(MsgStatus.DECLINED),
        waiting=sum(answer in UNANSWERED for answer in answers),
    )


def cards(world: World, uid: str) -> list[Card]:
    """All of this person's, by begin, then id."""
    found = [
        card(one, me, parts)
        for one, parts in world
        for me in parts
        if me.uid == uid and me.removed_at is None and me.card_removed_at is None
    ]
    return sorted(found, key=place)


def place(one: Card) -> Place:
    return Place(one.meeting.begin_at, one.meeting.id)


def on_shelf(shelf: Shelf, one: Card, *, now: int) -> bool:
    over = one.meeting.end_at < now
    if shelf == Shelf.CREATED:
        return one.me.organizer
    if shelf == Shelf.PAST:
        return over
    if shelf == Shelf.UPCOMING:
        return not over
    waits = one.me.listed and not one.me.organizer and one.me.msg_status in UNANSWERED
    return not over and waits and one.meeting.cancelled_at is None


def shelf_of(world: World, uid: str, shelf: Shelf, *, now: int) -> list[Card]:
    """In the shelf's own order."""
    found = [one for one in cards(world, uid) if on_shelf(shelf, one, now=now)]
    return found[::-1] if shelf in (Shelf.PAST, Shelf.CREATED) else found


def in_window(world: World, uid: str, begin_at: int, end_at: int) -> list[Card]:
    return [
        one
        for one in cards(world, uid)
        if (one.meeting.begin_at < end_at and one.meeting.end_at > begin_at)
        or begin_at <= one.meeting.begin_at == one.meeting.end_at < end_at
    ]


def wanted_of(world: World, uid: str, wanted: CardsWanted) -> list[tuple[Meeting, Attendee]]:
    """The last id first."""
    found = [
        (one.meeting, one.me)
        for one in cards(world, uid)
        if (wanted.begin_at is None or one.meeting.end_at > wanted.begin_at)
        and (wanted.end_at is None or one.meeting.begin_at < wanted.end_at)
        and (wanted.msg_status is None or (one.me.listed and one.me.msg_status == wanted.msg_status))
        and (wanted.organizer is None or one.me.organizer == wanted.organizer)
        and (wanted.below is None or one.meeting.id < wanted.below)
    ]
    return sorted(found, key=lambda pair: -pair[0].id)[: wanted.size]


def engaged(world: World, uids: Iterable[str], begin_at: int, end_at: int) -> list[Engagement]:
    return sorted(
        Engagement(me.uid, one.begin_at, one.end_at, one.id, me.organizer, me.msg_status)
        for one, parts in world
        for me in parts
        if me.uid in uids and me.removed_at is None and one.cancelled_at is None
        if one.begin_at < one.end_at and one.begin_at < end_at and one.end_at > begin_at
    )
