"""The words of the notices, Chinese and English, and how they are put together."""

from typing import Final

import msgspec

from huiyao.model import Kind
from huiyao.texts import dates
from huiyao.texts.dates import Dates
from huiyao.texts.facts import Facts


class Language(msgspec.Struct, frozen=True, kw_only=True):
    """One language's words; {names} in them are filled in."""

    dates: Dates
    openings: dict[str, str]  # by kind; what is told, before the colon
    starts: str
    started: str
    colon: str
    stop: str  # between two sentences
    gap: str  # the same, behind one that brings its own end
    ends: tuple[str, ...]  # what a sentence may end with
    was: dict[str, str]  # by kind; before the time
    time: str
    moved: str
    place: str
    replaced: str
    nowhere: str
    rewritten: str
    joint: str  # between two changes
    hint: str  # how to answer by text
    link: str
    comma: str  # between two people's answers
    accepted: str
    declined: str
    reply: str
    others: str

    def opening(self, kind: str, facts: Facts) -> str:
        """What is told, and of which meeting."""
        start = self.started
        if kind == Kind.REMINDER and facts.minutes_left > 0:
            start = self.starts.format(left=self.dates.duration(facts.minutes_left))
        opening = self.openings[kind].format(organizer=facts.organizer, start=start)
        return f"{opening}{self.colon}{facts.content}" if facts.content else opening

    def details(self, kind: str, facts: Facts) -> str:
        """Time and place as they are now, each behind what it was where it has changed."""
        text = self._moved(facts) or self.time.format(time=self.span(facts))
        replaced = self._replaced(facts)
        if replaced:
            text += f"{self.joint}{replaced}"
        elif facts.place:
            text += self.place.format(place=facts.place)
        if facts.old.content:
            text += f"{self.joint}{self.rewritten}"
        return _capital(self.was.get(kind, "") + text)

    def changes(self, facts: Facts) -> str:
        """Only what has changed; "" for nothing."""
        rewritten = self.rewritten if facts.old.content else ""
        return _capital(self.joint.join(filter(None, (self._moved(facts), self._replaced(facts), rewritten))))

    def span(self, facts: Facts) -> str:
        return self.dates.span(facts.begin_at, facts.end_at, clock=facts.clock)

    def sentences(self, *parts: str) -> str:
        """One after the other; a sentence that ends by itself gets no second stop. Empty ones are left out."""
        text = ""
        for part in filter(None, parts):
            text += (self.gap if text.endswith(self.ends) else self.stop) + part if text else part
        return text

    def _moved(self, facts: Facts) -> str:
        before = facts.moved
        if before is None:
            return ""
        return self.moved.format(before=self.dates.span(*before, clock=facts.clock), time=self.span(facts))

    def _replaced(self, facts: Facts) -> str:
        before = facts.place_before
        if before is None:
            return ""
        return self.replaced.format(before=before or self.nowhere, place=facts.place or self.nowhere)


def is_english(locale: str) -> bool:
    """True for en and en-…; people of any other locale read Chinese."""
    return locale == "en" or locale.startswith("en-")


def of(locale: str) -> Language:
    return ENGLISH if is_english(locale) else CHINESE


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


CHINESE: Final = Language(
    dates=dates.CHINESE,
    openings={
        Kind.INVITED: "{organizer}邀请您参加会议",
        Kind.UPDATED: "会议有变更",
        Kind.CANCELLED: "{organizer}取消了会议",
        Kind.REMOVED: "您已不在以下会议的参会名单中",
        Kind.REMINDER: "会议{start}",
        Kind.NUDGED: "{organizer}请您尽快答复会议邀请",
    },
    starts="将在{left}后开始",
    started="已经开始",
    colon="：",
    stop="。",
    gap="",
    ends=tuple("。！？!?"),
    was={Kind.CANCELLED: "原定"},
    time="时间：{time}",
    moved="时间由 {before} 改为 {time}",
    place="，地点：{place}",
    replaced="地点由 {before} 改为 {place}",
    nowhere="（无）",
    rewritten="会议内容已修改",
    joint="；",
    hint="回复1确定，2拒绝",
    link="详情：{link}",
    comma="，",
    accepted="{name}已接受",
    declined="{name}已拒绝",
    reply="（{reply}）",
    others="，另有{count}人已答复",
)
ENGLISH: Final = Language(
    dates=dates.ENGLISH,
    openings={
        Kind.INVITED: "{organizer} invites you to a meeting",
        Kind.UPDATED: "The meeting has changed",
        Kind.CANCELLED: "{organizer} cancelled the meeting",
        Kind.REMOVED: "You are no longer invited to the meeting",
        Kind.REMINDER: "The meeting {start}",
        Kind.NUDGED: "{organizer} asks you to answer the invitation",
    },
    starts="starts in {left}",
    started="has started",
    colon=": ",
    stop=". ",
    gap=" ",
    ends=tuple(".!?…。！？"),
    was={Kind.CANCELLED: "It was to be "},
    time="{time}",
    moved="moved from {before} to {time}",
    place=", at {place}",
    replaced="place changed from {before} to {place}",
    nowhere="(none)",
    rewritten="content changed",
    joint="; ",
    hint="Reply 1 to accept, 2 to decline",
    link="Details: {link}",
    comma=", ",
    accepted="{name} accepted",
    declined="{name} declined",
    reply=" ({reply})",
    others=", and {count} more answered",
)
