"""What the in-app messages say, to the character."""

from typing import Any

import msgspec
import pytest

from huiyao.model import Kind, Message
from huiyao.rules.announce import Answer, Params
from huiyao.texts import inbox

BEGIN = 1_795_505_400_000  # 2026-11-24 15:30 in Shanghai, a Tuesday
HOUR = 3_600_000
DAY = 24 * HOUR


def text(
    kind: Kind,
    *,
    locale: str = "zh-CN",
    timezone: str = "Asia/Shanghai",
    created_at: int = BEGIN - 15 * 60_000,
    **changes: Any,
) -> str:
    old = changes.pop("old", None)
    raw = msgspec.Raw(msgspec.json.encode(old)) if old is not None else None
    facts: dict[str, Any] = {
        "organizer": "张三",
        "content": "预算讨论",
        "address": "三楼",
        "begin_at": BEGIN,
        "end_at": BEGIN + HOUR,
    }
    params = Params(**(facts | changes), old=raw)
    message = Message(
        id=1,
        meeting_id=2,
        kind=kind,
        params=msgspec.json.encode(params).decode(),
        created_at=created_at,
        read_at=None,
    )
    return inbox.render(message, timezone=timezone, locale=locale)


@pytest.mark.parametrize(
    ("kind", "zh", "en"),
    [
        (
            Kind.INVITED,
            "张三邀请您参加会议：预算讨论。时间：11月24日 周二 15:30–16:30，地点：三楼",
            "张三 invites you to a meeting: 预算讨论. Tue 24 Nov 15:30–16:30, at 三楼",
        ),
        (
            Kind.CANCELLED,
            "张三取消了会议：预算讨论。原定时间：11月24日 周二 15:30–16:30，地点：三楼",
            "张三 cancelled the meeting: 预算讨论. It was to be Tue 24 Nov 15:30–16:30, at 三楼",
        ),
        (
            Kind.REMOVED,
            "您已不在以下会议的参会名单中：预算讨论。时间：11月24日 周二 15:30–16:30，地点：三楼",
            "You are no longer invited to the meeting: 预算讨论. Tue 24 Nov 15:30–16:30, at 三楼",
        ),
        (
            Kind.REMINDER,
            "会议将在15分钟后开始：预算讨论。时间：11月24日 周二 15:30–16:30，地点：三楼",
            "The meeting starts in 15 min: 预算讨论. Tue 24 Nov 15:30–16:30, at 三楼",
        ),
        (
            Kind.NUDGED,
            "张三请您尽快答复会议邀请：预算讨论。时间：11月24日 周二 15:30–16:30，地点：三楼",
            "张三 asks you to answer the invitation: 预算讨论. Tue 24 Nov 15:30–16:30, at 三楼",
        ),
    ],
)
def test_each_kind_has_a_text_in_both_languages(kind: Kind, zh: str, en: str) -> None:
    assert text(kind) == zh
    assert text(kind, locale="en") == en


@pytest.mark.parametrize(
    ("old", "zh", "en"),
    [
        (
            {"begin_at": BEGIN - DAY, "end_at": BEGIN - DAY + HOUR},
            "时间由 11月23日 周一 15:30–16:30 改为 11月24日 周二 15:30–16:30，地点：三楼",
            "Moved from Mon 23 Nov 15:30–16:30 to Tue 24 Nov 15:30–16:30, at 三楼",
        ),
        (
            {"address": "二楼"},
            "时间：11月24日 周二 15:30–16:30；地点由 二楼 改为 三楼",
            "Tue 24 Nov 15:30–16:30; place changed from 二楼 to 三楼",
        ),
        (
            {"address": " "},
            "时间：11月24日 周二 15:30–16:30；地点由 （无） 改为 三楼",
            "Tue 24 Nov 15:30–16:30; place changed from (none) to 三楼",
        ),
        (
            {"content": True},
            "时间：11月24日 周二 15:30–16:30，地点：三楼；会议内容已修改",
            "Tue 24 Nov 15:30–16:30, at 三楼; content changed",
        ),
        (
            {"begin_at": BEGIN, "end_at": BEGIN, "address": "二楼", "content": True},
            "时间由 11月24日 周二 15:30 改为 11月24日 周二 15:30–16:30；地点由 二楼 改为 三楼；会议内容已修改",
            "Moved from Tue 24 Nov 15:30 to Tue 24 Nov 15:30–16:30; place changed from 二楼 to 三楼; content changed",
        ),
    ],
)
def test_an_update_says_what_was_and_what_is(old: dict[str, object], zh: str, en: str) -> None:
    assert text(Kind.UPDATED, old=old) == f"会议有变更：预算讨论。{zh}"
    assert text(Kind.UPDATED, old=old, locale="en-GB") == f"The meeting has changed: 预算讨论. {en}"


def test_an_update_there_and_back_shows_the_present_alone() -> None:
    old = {"begin_at": BEGIN, "end_at": BEGIN + HOUR, "address": " 三楼 "}
    assert text(Kind.UPDATED, old=old) == "会议有变更：预算讨论。时间：11月24日 周二 15:30–16:30，地点：三楼"


@pytest.mark.parametrize("kind", [Kind.INVITED, Kind.REMOVED])
def test_who_comes_or_goes_with_an_update_is_not_told_what_it_changed(kind: Kind) -> None:
    old = {"begin_at": BEGIN - DAY, "end_at": BEGIN, "address": "二楼", "content": True}
    assert text(kind, old=old) == text(kind)
    assert text(kind, old=old, locale="en") == text(kind, locale="en")


ANSWERS = (Answer("李四", 2, ""), Answer("王五", 3, " 出差 "), Answer("赵六", 2, ""), Answer("钱七", 2, ""))


@pytest.mark.parametrize(
    ("shown", "count", "zh", "en"),
    [
        (1, 1, "李四已接受：预算讨论", "李四 accepted: 预算讨论"),
        (2, 2, "李四已接受，王五已拒绝（出差）：预算讨论", "李四 accepted, 王五 declined (出差): 预算讨论"),
        (
            4,
            12,
            "李四已接受，王五已拒绝（出差），赵六已接受，另有9人已答复：预算讨论",
            "李四 accepted, 王五 declined (出差), 赵六 accepted, and 9 more answered: 预算讨论",
        ),
    ],
)
def test_answers_name_three_people_and_count_the_others(shown: int, count: int, zh: str, en: str) -> None:
    assert text(Kind.ANSWERED, answers=ANSWERS[:shown], answer_count=count) == zh
    assert text(Kind.ANSWERED, answers=ANSWERS[:shown], answer_count=count, locale="en") == en


@pytest.mark.parametrize(
    ("left", "zh", "en"),
    [
        (60_001, "会议将在2分钟后开始", "The meeting starts in 2 min"),
        (60_000, "会议将在1分钟后开始", "The meeting starts in 1 min"),
        (90 * 60_000, "会议将在1小时30分钟后开始", "The meeting starts in 1 h 30 min"),
        (28 * DAY, "会议将在28天后开始", "The meeting starts in 28 days"),
        (DAY + HOUR, "会议将在1天1小时后开始", "The meeting starts in 1 day 1 h"),
        (0, "会议已经开始", "The meeting has started"),
        (-60_000, "会议已经开始", "The meeting has started"),
    ],
)
def test_a_reminder_says_how_long_it_was_when_it_was_written(left: int, zh: str, en: str) -> None:
    assert text(Kind.REMINDER, created_at=BEGIN - left).startswith(zh)
    assert text(Kind.REMINDER, created_at=BEGIN - left, locale="en").startswith(en)


def test_times_are_told_in_the_readers_zone() -> None:
    assert "11月24日 周二 07:30–08:30" in text(Kind.INVITED, timezone="UTC")
    assert "Mon 23 Nov 23:30 – Tue 24 Nov 00:30" in text(
        Kind.INVITED, timezone="America/Los_Angeles", locale="en"
    )


def test_where_the_clocks_change_the_zone_tells_which_time_is_meant() -> None:
    begin = 1_793_511_000_000  # 01:30 in New York on 1 November 2026, for the first time
    twice = text(Kind.INVITED, begin_at=begin, end_at=begin + HOUR, timezone="America/New_York", locale="en")
    assert "Sun 1 Nov 01:30 EDT–01:30 EST" in twice
    later = text(
        Kind.INVITED, begin_at=begin + HOUR, end_at=begin + 2 * HOUR, timezone="America/New_York", locale="en"
    )
    assert "Sun 1 Nov 01:30–02:30" in later


def test_a_date_of_another_year_than_the_messages_names_the_year() -> None:
    begin = BEGIN + 40 * DAY
    assert "时间：2027年1月3日 周日 15:30–16:30" in text(Kind.INVITED, begin_at=begin, end_at=begin + HOUR)
    assert "Sun 3 Jan 2027 15:30" in text(Kind.INVITED, begin_at=begin, end_at=begin, locale="en")
    later = text(Kind.INVITED, begin_at=begin, end_at=begin + HOUR, created_at=begin - HOUR)
    assert "时间：1月3日 周日 15:30–16:30" in later


def test_a_place_that_is_blank_is_left_out() -> None:
    assert text(Kind.INVITED, address=" ").endswith("15:30–16:30")
    assert text(Kind.INVITED, address="", locale="en").endswith("15:30–16:30")


def test_a_content_that_ends_a_sentence_gets_no_second_stop() -> None:
    assert "会议：讨论预算！时间：" in text(Kind.INVITED, content="讨论预算！")
    assert "meeting: The budget. Tue" in text(Kind.INVITED, content="The budget.", locale="en")


def test_a_text_of_several_lines_stands_on_one_and_an_excerpt_shows_that_it_is_one() -> None:
    assert "会议：一 二。时间" in text(Kind.INVITED, content="一\n\n二\n")
    assert "地点：一楼 大厅" in text(Kind.INVITED, address="一楼\n大厅\t")
    assert f"会议：{'字' * 200}…。时间" in text(Kind.INVITED, content="字" * 200)
