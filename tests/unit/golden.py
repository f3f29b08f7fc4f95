"""The text messages that tests/unit/test_sms.py holds to the letter, in tests/unit/texts.

`python -m tests.unit.golden` writes them anew, for a change that is meant: read the difference before you commit it.
"""

from pathlib import Path
from typing import Any, Final

import msgspec

from huiyao.model import Kind, Meeting
from huiyao.rules.announce import EXCERPT_CHARACTERS, Params
from huiyao.texts import sms

FOLDER: Final = Path(__file__).with_name("texts")
MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
BEGIN: Final = 1_795_505_400_000  # 2026-11-24 15:30 in Shanghai, a Tuesday
NEW_YORK_BEGIN: Final = (
    1_793_557_800_000  # 2026-11-01 13:30 in New York, where the clocks went back that night
)
LINK: Final = "https://meet.example.com/m/7Yk2Qw"
ASKING: Final = (Kind.INVITED, Kind.UPDATED, Kind.NUDGED)
TOLD: Final = (Kind.INVITED, Kind.UPDATED, Kind.CANCELLED, Kind.REMOVED, Kind.REMINDER, Kind.NUDGED)

# What the cases below are filled with, in each language.
WORDS: Final[dict[str, dict[str, str]]] = {
    "zh-CN": {
        "organizer": "张三",
        "content": "下季度预算讨论",
        "address": "三楼会议室",
        "elsewhere": "二楼会议室",
        "long": "请各部门负责人携带本季度的支出明细和下季度的预算草案，逐项说明增减的原因。" * 150,
        "wide": "北京市海淀区中关村大街二十七号创新中心东塔十八层一八零六会议室（从南门进入，请携带证件）",
        "named": "亚洲及太平洋地区战略合作与投资发展部办公室",
        "lines": "一、预算\n二、人员\r\n\r\n三、\t其他\u2028",
        "sentence": "请准时参加！",
    },
    "en": {
        "organizer": "Ann Lee",
        "content": "Budget for the next quarter",
        "address": "Room 301",
        "elsewhere": "Room 205",
        "long": "Please bring what your team spent this quarter and what it asks for in the next, item by item. "
        * 60,
        "wide": "Innovation Centre, East Tower, 18th floor, room 1806 (by the south gate)",
        "named": "Office for Strategic Cooperation",
        "lines": "1. Budget\n2. People\r\n\r\n3.\tOther\u2028",
        "sentence": "Please be on time.",
    },
}


def meeting(**facts: Any) -> Meeting:
    """A meeting; what a text does not show is filled in."""
    rest: dict[str, Any] = dict.fromkeys(Meeting.__struct_fields__, 0) | {"cancelled_at": None}
    return Meeting(**(rest | facts))


def told(before: Meeting, **old: Any) -> str:
    """The JSON of an in-app message about the meeting as it was when that was written."""
    params = Params(
        organizer=before.organizer_name,
        content=before.content[:EXCERPT_CHARACTERS],
        address=before.address,
        begin_at=before.begin_at,
        end_at=before.end_at,
        old=msgspec.Raw(msgspec.json.encode(old)),
    )
    return msgspec.json.encode(params).decode()


class Case(msgspec.Struct, kw_only=True):
    """One text; `facts` differ from those of the usual meeting."""

    name: str
    kind: str
    facts: dict[str, Any] = {}
    old: dict[str, Any] | None = None
    written: dict[str, Any] = {}  # facts the in-app message saw otherwise than the text does
    now: int = BEGIN - DAY
    timezone: str = "Asia/Shanghai"
    answerable: bool = False
    link: str = ""


def cases(locale: str) -> list[Case]:
    words = WORDS[locale]
    hour = {"begin_at": BEGIN - DAY, "end_at": BEGIN - DAY + HOUR}
    everything = {"organizer_name": words["named"], "content": words["long"], "address": words["wide"]}
    days = {"begin_at": BEGIN, "end_at": BEGIN + 2 * DAY + HOUR}
    new_year = {"begin_at": BEGIN + 37 * DAY + 8 * HOUR, "end_at": BEGIN + 38 * DAY + 9 * HOUR}
    new_york = {"begin_at": NEW_YORK_BEGIN, "end_at": NEW_YORK_BEGIN + HOUR}
    night = {"begin_at": NEW_YORK_BEGIN - 13 * HOUR, "end_at": NEW_YORK_BEGIN - 10 * HOUR}
    names = ("organizer_name", "content")
    emoji = "🎉👩‍💻" * 100
    return [
        *(Case(name="plain", kind=kind) for kind in TOLD),
        *(Case(name="without a place", kind=kind, facts={"address": " "}) for kind in TOLD),
        *(Case(name="to be answered by text", kind=kind, old=hour, answerable=True) for kind in TOLD),
        *(Case(name="with a link", kind=kind, old=hour, answerable=True, link=LINK) for kind in ASKING),
        *(Case(name="much of everything", kind=kind, facts=everything) for kind in TOLD),
        Case(name="time", kind=Kind.UPDATED, old=hour),
        Case(name="place", kind=Kind.UPDATED, old={"address": words["elsewhere"]}, answerable=True),
        Case(name="a place came", kind=Kind.UPDATED, old={"address": ""}),
        Case(
            name="the place went", kind=Kind.UPDATED, facts={"address": ""}, old={"address": words["address"]}
        ),
        Case(name="text", kind=Kind.UPDATED, old={"content": True}),
        Case(name="all", kind=Kind.UPDATED, old={**hour, "address": words["elsewhere"], "content": True}),
        Case(
            name="there and back again",
            kind=Kind.UPDATED,
            old={"begin_at": BEGIN, "end_at": BEGIN + HOUR},
            answerable=True,
        ),
        Case(
            name="place, and then time", kind=Kind.UPDATED, old={"address": words["elsewhere"]}, written=hour
        ),
        Case(
            name="everything from much to much",
            kind=Kind.UPDATED,
            facts=everything | new_year,
            old={**days, "address": words["wide"][3:], "content": True},
            answerable=True,
        ),
        Case(name="in a minute", kind=Kind.REMINDER, now=BEGIN - 1),
        Case(name="in 15 minutes", kind=Kind.REMINDER, now=BEGIN - 15 * MINUTE),
        Case(name="in 90 minutes", kind=Kind.REMINDER, now=BEGIN - 90 * MINUTE),
        Case(name="in two days and more", kind=Kind.REMINDER, now=BEGIN - 2 * DAY - 3 * HOUR - MINUTE),
        Case(name="just begun", kind=Kind.REMINDER, now=BEGIN),
        Case(name="begun a minute ago", kind=Kind.REMINDER, now=BEGIN + MINUTE, old={}),
        Case(name="of no length", kind=Kind.INVITED, facts={"end_at": BEGIN}),
        Case(name="of several days", kind=Kind.INVITED, facts=days),
        Case(name="into another year", kind=Kind.INVITED, facts=new_year),
        Case(name="in New York", kind=Kind.INVITED, facts=new_york, timezone="America/New_York"),
        Case(name="while the clocks go back", kind=Kind.INVITED, facts=night, timezone="America/New_York"),
        Case(
            name="over the night when the clocks go back",
            kind=Kind.UPDATED,
            facts=new_york,
            old={"begin_at": NEW_YORK_BEGIN - DAY, "end_at": NEW_YORK_BEGIN - DAY + HOUR},
            timezone="America/New_York",
            now=NEW_YORK_BEGIN - 2 * DAY,
        ),
        Case(name="of several lines", kind=Kind.INVITED, facts={"content": words["lines"]}),
        Case(
            name="with marks that turn what follows", kind=Kind.INVITED, facts={"content": "\u202e\u2067abc"}
        ),
        Case(name="with nothing but such marks", kind=Kind.INVITED, facts=dict.fromkeys(names, "\u202e")),
        Case(name="a whole sentence", kind=Kind.INVITED, facts={"content": words["sentence"]}),
        Case(name="emoji", kind=Kind.INVITED, facts=dict.fromkeys(names, emoji)),
        Case(name="a meeting in Chinese", kind=Kind.INVITED, facts={"content": WORDS["zh-CN"]["long"]}),
        Case(name="characters of two septets", kind=Kind.INVITED, facts={"content": "[{€}]" * 100}),
        Case(
            name="the longest link",
            kind=Kind.INVITED,
            facts=everything,
            link=LINK.ljust(sms.LINK_WIDTH, "x"),
            answerable=True,
        ),
        Case(name="too long a link", kind=Kind.INVITED, link=LINK.ljust(sms.LINK_WIDTH + 1, "x")),
        Case(
            name="the least room",
            kind=Kind.NUDGED,
            facts=everything | new_year | {"organizer_name": WORDS["zh-CN"]["named"]},
            answerable=True,
            link=LINK.ljust(sms.LINK_WIDTH, "x"),
        ),
    ]


def rendered(case: Case, locale: str) -> sms.Text:
    words = WORDS[locale]
    usual = {
        "organizer_name": words["organizer"],
        "content": words["content"],
        "address": words["address"],
        "begin_at": BEGIN,
        "end_at": BEGIN + HOUR,
    }
    return sms.render(
        case.kind,
        meeting(**(usual | case.facts)),
        old=None if case.old is None else told(meeting(**(usual | case.facts | case.written)), **case.old),
        now=case.now,
        timezone=case.timezone,
        locale=locale,
        answerable=case.answerable,
        link=case.link,
    )


def document(locale: str) -> str:
    """Every case with its text and, of the first of each kind, the parameters."""
    blocks = []
    seen: set[str] = set()
    for case in cases(locale):
        text = rendered(case, locale)
        count = sms.parts(text.text)
        lines = [f"== {case.kind}, {case.name} ({count} part{'s' if count > 1 else ''})", text.text]
        if case.kind not in seen or case.old is not None:
            lines += [f"   {name}: {value}".rstrip() for name, value in text.params.items()]
        seen.add(case.kind)
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def write() -> None:
    for locale in WORDS:
        (FOLDER / f"sms.{locale}.txt").write_text(document(locale), encoding="utf-8")


if __name__ == "__main__":
    write()
