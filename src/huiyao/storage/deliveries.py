"""What both databases share of deliveries: what a sender sees of each, and what becomes of those it took."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import msgspec

from huiyao.model import Attendee, Delivery, DeliveryState, Meeting
from huiyao.rules.deliver import Sight
from huiyao.storage.contract import Begun, Look, Wanted

# What changes of a delivery; the lease is the database's own business.
CHANGING: Final = (
    "due_at",
    "give_up_at",
    "state",
    "attempt",
    "failures",
    "uncertain",
    "sent_at",
    "as_of",
    "address",
    "text",
    "provider_id",
    "reason",
    "ended_at",
)
# Each table that is pruned: its key, and what is old.
PRUNED: Final = (
    ("idempotency", ("org_id", "app_id", "uid", "key"), "expires_at <= {now}"),
    ("delivery", ("org_id", "id"), "ended_at < {ended_before}"),
    ("inbound", ("org_id", "id"), "at < {ended_before}"),
    ("event", ("org_id", "id"), "ended_at < {ended_before}"),
    ("ticket", ("org_id", "hash"), "expires_at <= {now}"),
    ("session", ("org_id", "hash"), "expires_at <= {now}"),
)
PRUNED_AT_ONCE: Final = 1000

_SAME: Final = (
    "{0}.org_id = d.org_id AND {0}.meeting_id = d.meeting_id AND {0}.uid = d.uid AND {0}.channel = d.channel"
)
# What a sender sees beside the delivery d, its meeting m and its attendee a; the person p may be unknown. A text of
# which nobody knows whether it went out counts as shown; one that certainly did not, does not. An invitation waits
# while it has not ended and no request of it is uncertain, as one under way always is (said so, and by sequence instead
# of occasion, PostgreSQL finds it by the index of the meeting).
SEEN: Final = f"""
    a.link_id, p.uid IS NOT NULL, coalesce(p.mobile, ''), coalesce(nullif(p.timezone, ''), o.timezone),
    coalesce(p.locale, ''),
    (SELECT g.params FROM message g
        WHERE g.org_id = d.org_id AND g.meeting_id = d.meeting_id AND g.uid = d.uid AND g.kind = d.kind
            AND g.occasion = d.occasion),
    (SELECT coalesce(max(s.as_of), -1) FROM delivery s
        WHERE {_SAME.format("s")} AND s.kind IN ('invited', 'updated') AND s.id <> d.id
            AND (s.state IN ('sending', 'sent', 'delivered') OR s.state = 'pending' AND s.uncertain > 0)),
    EXISTS (SELECT 1 FROM delivery i
        WHERE {_SAME.format("i")} AND i.kind = 'invited' AND i.sequence = a.invited_sequence
            AND i.ended_at IS NULL AND i.uncertain = 0),
    (SELECT CAST(coalesce(sum(CASE WHEN t.state IN ('sent', 'delivered') THEN t.uncertain + 1
            WHEN t.state = 'pending' OR t.uncertain > 0 THEN t.uncertain ELSE 1 END), 0) AS bigint)
        FROM delivery t
        WHERE t.org_id = d.org_id AND t.uid = d.uid AND t.channel = d.channel AND t.sent_at > {{day_ago}})
"""
LAST_OUTCOMES: Final = (
    "SELECT state FROM delivery WHERE ended_at IS NOT NULL ORDER BY ended_at DESC LIMIT {limit}"
)
_BEHIND_ALL: Final = 1 << 60
_DELIVERY_WIDTH: Final = len(Delivery.__struct_fields__)
_MEETING_END: Final = _DELIVERY_WIDTH + len(Meeting.__struct_fields__)
_ATTENDEE_END: Final = _MEETING_END + len(Attendee.__struct_fields__)


def sight(
    row: Sequence[Any],
    delivery: Callable[[Sequence[Any]], Delivery],
    meeting: Callable[[Sequence[Any]], Meeting],
    attendee: Callable[[Sequence[Any]], Attendee],
) -> Sight:
    """What a sender sees, from the columns of delivery, meeting, attendee and SEEN, read by the database's own rows."""
    link_id, known, mobile, timezone, locale, params, shown, waits, sent_today = row[_ATTENDEE_END:]
    return Sight(
        delivery=delivery(row[:_DELIVERY_WIDTH]),
        meeting=meeting(row[_DELIVERY_WIDTH:_MEETING_END]),
        me=attendee(row[_MEETING_END:_ATTENDEE_END]),
        link_id=link_id,
        known=bool(known),
        mobile=mobile,
        timezone=timezone,
        locale=locale,
        params=params,
        shown=shown,
        invitation_waits=bool(waits),
        sent_today=sent_today,
    )


def look_through(sights: Iterable[Sight], *, room: int, look: Look) -> list[tuple[Delivery, Sight]]:
    """Each delivery as it is to be written, in order, until `room` of them are to be sent.

    Of one person's deliveries about one meeting only the first is looked at: what the others should do depends on it.
    """
    found: list[tuple[Delivery, Sight]] = []
    seen: set[tuple[int, int, str]] = set()
    begun: Counter[tuple[int, str]] = Counter()
    for given in sights:
        one = given.delivery
        about, person = (one.org_id, one.meeting_id, one.uid), (one.org_id, one.uid)
        if about in seen:
            continue
        seen.add(about)
        what = msgspec.structs.replace(given, sent_today=given.sent_today + begun[person])
        delivery = look(what)
        found.append((delivery, what))
        if delivery.state == DeliveryState.SENDING:
            begun[person] += 1
            room -= 1
            if room == 0:
                break
    return found


def begun(found: Sequence[tuple[Delivery, Sight]], *, due: int | None, now: int) -> Begun:
    """What a sender's transaction did; `due` is the earliest delivery that still waits."""
    return Begun(
        sending=tuple(one for one in found if one[0].state == DeliveryState.SENDING),
        ended=tuple(delivery for delivery, _ in found if delivery.ended_at is not None),
        more=bool(found) and due is not None and due <= now,
        next_due_at=due,
    )


def conditions(wanted: Wanted) -> dict[str, object]:
    """The columns that matter, with their values."""
    names = ("org_id", "state", "channel", "kind", "meeting_id", "uid")
    return {name: value for name in names if (value := getattr(wanted, name)) is not None}


def below(wanted: Wanted) -> int:
    """Only ids below this."""
    return _BEHIND_ALL if wanted.below is None else wanted.below
