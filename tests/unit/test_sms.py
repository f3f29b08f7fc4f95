"""Text messages: to the letter as in tests/unit/texts, and never longer than three parts whatever is in them."""

import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from huiyao import gsm
from huiyao.model import Kind
from huiyao.texts import dates, sms
from huiyao.texts.facts import one_line
from huiyao.wire.fields import LATEST_MOMENT
from tests.unit import golden
from tests.unit.golden import BEGIN, DAY, HOUR, LINK, TOLD, meeting, told

HINTS = ("回复1确定，2拒绝", "Reply 1 to accept, 2 to decline")
ZONES = ("Asia/Shanghai", "America/New_York", "Australia/Lord_Howe", "UTC")

# Any text, and texts that are long, of one alphabet, or of characters that take two units.
any_text = st.one_of(
    st.text(max_size=600),
    st.text("ab ^€.\n", max_size=5000),
    st.text("会议。，\u3000", max_size=600),
    st.text("🎉👩\u200d💻a", max_size=600),
)
moments = st.integers(0, LATEST_MOMENT)


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


@st.composite
def meetings(draw: st.DrawFn) -> Any:
    begin_at, end_at = sorted((draw(moments), draw(moments)))
    return meeting(
        organizer_name=draw(any_text),
        content=draw(any_text),
        address=draw(any_text),
        begin_at=begin_at,
        end_at=end_at,
    )


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    """Everything that `render` may be asked."""
    before = draw(st.none() | meetings())
    old: dict[str, Any] = draw(
        st.fixed_dictionaries({}, optional={"address": any_text, "content": st.booleans()})
    ) | draw(st.just({}) | st.builds(lambda at: {"begin_at": at, "end_at": at + HOUR}, moments))
    return {
        "kind": draw(st.sampled_from(TOLD)),
        "meeting": draw(meetings()),
        "old": None if before is None else told(before, **old),
        "now": draw(moments),
        "timezone": draw(st.sampled_from(ZONES)),
        "locale": draw(st.sampled_from(["zh-CN", "en"])),
        "answerable": draw(st.booleans()),
        "link": draw(
            st.just("") | st.integers(len(LINK), sms.LINK_WIDTH).map(lambda size: LINK.ljust(size, "x"))
        ),
    }


@pytest.mark.parametrize("locale", golden.WORDS)
def test_every_text_is_to_the_letter_as_agreed(locale: str) -> None:
    agreed = (golden.FOLDER / f"sms.{locale}.txt").read_text(encoding="utf-8")
    assert golden.document(locale) == agreed, "meant? then run `python -m tests.unit.golden`"


@given(requests())
@example(
    {
        "kind": Kind.UPDATED,
        "meeting": meeting(
            organizer_name="张三", content="\u202e", address="王" * 40, begin_at=BEGIN, end_at=BEGIN + DAY
        ),
        "old": told(meeting(organizer_name="张三", content="", address="李" * 40), begin_at=0, end_at=DAY),
        "now": BEGIN - 400 * DAY,
        "timezone": "UTC",
        "locale": "en",
        "answerable": True,
        "link": LINK,
    }
)
def test_no_text_has_more_than_three_parts_or_more_than_one_line(asked: dict[str, Any]) -> None:
    text = sms.render(**asked)
    assert sms.parts(text.text) <= 3
    assert gsm.septets(text.text) <= 459 if gsm.is_gsm(text.text) else units(text.text) <= 201
    for one in (text.text, *text.params.values()):
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]", one)
        assert "  " not in one
        assert one == one.strip()


@given(requests())
def test_time_and_link_are_always_whole(asked: dict[str, Any]) -> None:
    text = sms.render(**asked)
    clock = dates.clock(asked["timezone"], now=asked["now"])
    words = dates.ENGLISH if asked["locale"] == "en" else dates.CHINESE
    time = words.span(asked["meeting"].begin_at, asked["meeting"].end_at, clock=clock).replace("–", "-")
    assert time in text.text
    assert text.params["time"] == time
    assert text.text.endswith(asked["link"])


@given(requests(), st.sampled_from([Kind.INVITED, Kind.NUDGED]))
@example(
    {
        "meeting": meeting(
            organizer_name="王" * 20,
            content="🎉" * 99,
            address="王" * 40,
            begin_at=BEGIN + 300 * DAY,
            end_at=BEGIN + 400 * DAY,
        ),
        "old": None,
        "now": BEGIN - 400 * DAY,
        "timezone": "Australia/Lord_Howe",
        "locale": "en",
    },
    Kind.NUDGED,
)
def test_how_to_answer_is_told_whatever_else_there_is_if_no_link_leads_there(
    asked: dict[str, Any], kind: Kind
) -> None:
    asked |= {"kind": kind, "answerable": True, "link": ""}
    assert sms.render(**asked).text.endswith(HINTS)


@given(requests())
def test_no_text_ends_within_a_character_and_every_parameter_is_there(asked: dict[str, Any]) -> None:
    text = sms.render(**asked)
    assert tuple(text.params) == sms.PARAMS
    for one in (text.text, *text.params.values()):
        one.encode()  # a half of a surrogate pair could not be encoded


@given(requests())
def test_the_meetings_text_gives_way_only_where_there_is_no_more_room(asked: dict[str, Any]) -> None:
    asked["locale"] = "zh-CN"
    text = sms.render(**asked).text
    whole = one_line(asked["meeting"].content) in text
    assert whole or units(text) >= 201 - 8  # emoji leave up to a unit of each part, and a cut end is trimmed


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 1),
        ("会" * 70, 1),
        ("会" * 71, 2),
        ("会" * 134, 2),
        ("会" * 135, 3),
        ("会" * 201, 3),
        ("会" * 202, 4),
        ("会" * 66 + "🎉" + "会" * 66, 3),  # the emoji begins the second part
        ("会" * 66 + "🎉" + "会" * 65, 2),
        ("会" * 66 + "🎉" * 34, 3),
        ("🎉" * 35, 1),
        ("🎉" * 66, 2),  # 33 in each, although 67 units would hold half of one more
        ("🎉" * 67, 3),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 459, 3),
        ("a" * 460, 4),
        ("€" * 80, 1),
        ("a" + "€" * 80, 2),
        ("€" * 152, 2),  # 76 in each: an escape character stays with the one it belongs to
        ("€" * 153, 3),
        ("a" * 70 + "…", 2),
    ],
)
def test_parts_are_counted_as_networks_take_a_text_apart(text: str, count: int) -> None:
    assert sms.parts(text) == count


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("三楼会议室", 5, "三楼会议室"),
        ("三楼会议室", 4, "三楼会…"),
        ("Room 301", 7, "Room 3…"),
        ("Room 301", 6, "Room…"),
        ("🎉🎉🎉", 6, "🎉🎉🎉"),
        ("🎉🎉🎉", 5, "🎉🎉…"),
        ("🎉🎉🎉", 4, "🎉…"),
        ("👩\u200d💻👩\u200d💻", 9, "👩\u200d💻👩…"),
        ("三楼", 0, ""),
    ],
)
def test_what_is_cut_shows_it_and_leaves_nothing_hanging(text: str, width: int, shown: str) -> None:
    assert sms.cut(text, width, "…") == shown


@pytest.mark.parametrize("locale", golden.WORDS)
@pytest.mark.parametrize("kind", TOLD)
def test_only_who_is_to_answer_is_told_how(kind: Kind, locale: str) -> None:
    old = told(meeting(organizer_name="张三", content="预算", address="三楼"), begin_at=BEGIN, end_at=BEGIN)
    asked: dict[str, Any] = {"old": old, "now": BEGIN, "timezone": "UTC", "locale": locale}
    budget = meeting(
        organizer_name="张三", content="预算", address="三楼", begin_at=BEGIN + DAY, end_at=BEGIN + DAY
    )
    hinted = sms.render(kind, budget, answerable=True, **asked).text.endswith(HINTS)
    assert hinted is (kind in golden.ASKING)
    assert not any(hint in sms.render(kind, budget, answerable=False, **asked).text for hint in HINTS)
