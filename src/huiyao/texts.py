"""What an in-app message says: Chinese or English, in the reader's time zone.

The parameters are what `rules.announce` put into the message; nothing is read here.
"""

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from huiyao.model import Kind, Message, MsgStatus
from huiyao.rules.announce import EXCERPT_CHARACTERS, Answer, Params

ENGLISH: Final = "en"
NAMES_SHOWN: Final = 3  # of the people whose answers one message reports

_WEEKDAYS_ZH: Final = "一二三四五六日"
_WEEKDAYS_EN: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS_EN: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Old(msgspec.Struct, frozen=True):
    """What was true before an update, of what changed only."""

    begin_at: int | None = None
    end_at: int | None = None
    address: str | None = None
    content: bool = False


class Shown(Params, frozen=True, kw_only=True):
    """The parameters with what `rules.announce` passes on as it is, read."""

    old: Old = Old()  # type: ignore[assignment]


class Facts(msgspec.Struct, frozen=True):
    """One message as its templates see it."""

    params: Shown
    created_at: int
    zone: ZoneInfo
    year: int  # the message's own; a date of another year names it

    @property
    def content(self) -> str:
        """The excerpt on one line."""
        text = " ".join(self.params.content.split())
        return f"{text}…" if len(self.params.content) >= EXCERPT_CHARACTERS else text

    @property
    def place(self) -> str:
        return self.params.address.strip()

    @property
    def minutes_left(self) -> int:
        """Until the beginning, from when the message was written, rounded up."""
        return -((self.created_at - self.params.begin_at) // 60_000)


_decode = msgspec.json.Decoder(Shown).decode


def render(message: Message, *, timezone: str, locale: str) -> str:
    """The text for a reader: of `locale` en in English, of any other in Chinese."""
    zone = _zone(timezone)
    facts = Facts(
        params=_decode(message.params),
        created_at=message.created_at,
        zone=zone,
        year=_local(message.created_at, zone).year,
    )
    english = locale == ENGLISH or locale.startswith(f"{ENGLISH}-")
    return (_ENGLISH if english else _CHINESE)[message.kind](facts)


@lru_cache(maxsize=1000)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _local(moment: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(moment / 1000, zone)


# Chinese


def _day_zh(when: datetime, year: int) -> str:
    day = f"{when.month}月{when.day}日 周{_WEEKDAYS_ZH[when.weekday()]}"
    return day if when.year == year else f"{when.year}年{day}"


def _span_zh(facts: Facts, begin_at: int, end_at: int) -> str:
    return _span(facts, begin_at, end_at, day=_day_zh)


def _details_zh(facts: Facts) -> str:
    place = f"，地点：{facts.place}" if facts.place else ""
    return f"时间：{_span_zh(facts, facts.params.begin_at, facts.params.end_at)}{place}"


def _invited_zh(facts: Facts) -> str:
    return f"{facts.params.organizer}邀请您参加会议：{facts.content}。{_details_zh(facts)}"


def _updated_zh(facts: Facts) -> str:
    params, old = facts.params, facts.params.old
    changes = []
    if old.begin_at is not None and old.end_at is not None:
        before = _span_zh(facts, old.begin_at, old.end_at)
        changes.append(f"时间由 {before} 改为 {_span_zh(facts, params.begin_at, params.end_at)}")
    if old.address is not None:
        changes.append(f"地点由 {old.address.strip() or '（无）'} 改为 {facts.place or '（无）'}")
    if old.content:
        changes.append("会议内容已修改")
    return f"会议有变更：{facts.content}。{'；'.join(changes)}"


def _cancelled_zh(facts: Facts) -> str:
    return f"{facts.params.organizer}取消了会议：{facts.content}。原定{_details_zh(facts)}"


def _removed_zh(facts: Facts) -> str:
    return f"您已不在会议的参会人员中：{facts.content}。{_details_zh(facts)}"


def _reminder_zh(facts: Facts) -> str:
    left = facts.minutes_left
    start = f"将在{_duration(left, ('天', '小时', '分钟'), '')}后开始" if left > 0 else "已经开始"
    return f"会议{start}：{facts.content}。{_details_zh(facts)}"


def _nudged_zh(facts: Facts) -> str:
    return f"{facts.params.organizer}请您尽快答复会议邀请：{facts.content}。{_details_zh(facts)}"


def _answered_zh(facts: Facts) -> str:
    def told(answer: Answer) -> str:
        verb = "接受" if answer.msg_status == MsgStatus.ACCEPTED else "拒绝"
        return f"{answer.name}已{verb}" + (f"（{answer.reply.strip()}）" if answer.reply.strip() else "")

    shown = facts.params.answers[:NAMES_SHOWN]
    more = facts.params.answer_count - len(shown)
    rest = f"，另有{more}人已答复" if more > 0 else ""
    return f"{'，'.join(map(told, shown))}{rest}：{facts.content}"


# English


def _day_en(when: datetime, year: int) -> str:
    day = f"{_WEEKDAYS_EN[when.weekday()]} {when.day} {_MONTHS_EN[when.month - 1]}"
    return day if when.year == year else f"{day} {when.year}"


def _span_en(facts: Facts, begin_at: int, end_at: int) -> str:
    return _span(facts, begin_at, end_at, day=_day_en)


def _details_en(facts: Facts) -> str:
    place = f", at {facts.place}" if facts.place else ""
    return f"{_span_en(facts, facts.params.begin_at, facts.params.end_at)}{place}"


def _invited_en(facts: Facts) -> str:
    return f"{facts.params.organizer} invites you to a meeting: {facts.content}. {_details_en(facts)}"


def _updated_en(facts: Facts) -> str:
    params, old = facts.params, facts.params.old
    changes = []
    if old.begin_at is not None and old.end_at is not None:
        before = _span_en(facts, old.begin_at, old.end_at)
        changes.append(f"moved from {before} to {_span_en(facts, params.begin_at, params.end_at)}")
    if old.address is not None:
        changes.append(f"place changed from {old.address.strip() or '(none)'} to {facts.place or '(none)'}")
    if old.content:
        changes.append("content changed")
    return f"The meeting has changed: {facts.content}. {'; '.join(changes)}"


def _cancelled_en(facts: Facts) -> str:
    return (
        f"{facts.params.organizer} cancelled the meeting: {facts.content}. It was to be {_details_en(facts)}"
    )


def _removed_en(facts: Facts) -> str:
    return f"You are no longer invited to the meeting: {facts.content}. {_details_en(facts)}"


def _reminder_en(facts: Facts) -> str:
    left = facts.minutes_left
    start = f"starts in {_duration(left, (' d', ' h', ' min'), ' ')}" if left > 0 else "has started"
    return f"The meeting {start}: {facts.content}. {_details_en(facts)}"


def _nudged_en(facts: Facts) -> str:
    return (
        f"{facts.params.organizer} asks you to answer the invitation: {facts.content}. {_details_en(facts)}"
    )


def _answered_en(facts: Facts) -> str:
    def told(answer: Answer) -> str:
        verb = "accepted" if answer.msg_status == MsgStatus.ACCEPTED else "declined"
        return f"{answer.name} {verb}" + (f" ({answer.reply.strip()})" if answer.reply.strip() else "")

    shown = facts.params.answers[:NAMES_SHOWN]
    more = facts.params.answer_count - len(shown)
    rest = f", and {more} more answered" if more > 0 else ""
    return f"{', '.join(map(told, shown))}{rest}: {facts.content}"


# Both


def _span(facts: Facts, begin_at: int, end_at: int, *, day: Callable[[datetime, int], str]) -> str:
    """From begin to end; of an end on the same day only the time."""
    begin, end = _local(begin_at, facts.zone), _local(end_at, facts.zone)
    start = f"{day(begin, facts.year)} {begin:%H:%M}"
    if begin.date() != end.date():
        return f"{start} – {day(end, facts.year)} {end:%H:%M}"
    return start if begin == end else f"{start}–{end:%H:%M}"


def _duration(minutes: int, units: tuple[str, str, str], gap: str) -> str:
    """Days, hours and minutes, without those that are none."""
    hours, rest = divmod(minutes, 60)
    amounts = (*divmod(hours, 24), rest)
    return gap.join(f"{amount}{unit}" for amount, unit in zip(amounts, units, strict=True) if amount)


_CHINESE: Final[dict[str, Callable[[Facts], str]]] = {
    Kind.INVITED: _invited_zh,
    Kind.UPDATED: _updated_zh,
    Kind.CANCELLED: _cancelled_zh,
    Kind.REMOVED: _removed_zh,
    Kind.REMINDER: _reminder_zh,
    Kind.NUDGED: _nudged_zh,
    Kind.ANSWERED: _answered_zh,
}
_ENGLISH: Final[dict[str, Callable[[Facts], str]]] = {
    Kind.INVITED: _invited_en,
    Kind.UPDATED: _updated_en,
    Kind.CANCELLED: _cancelled_en,
    Kind.REMOVED: _removed_en,
    Kind.REMINDER: _reminder_en,
    Kind.NUDGED: _nudged_en,
    Kind.ANSWERED: _answered_en,
}
