"""The calendar: which meetings stand on which days of whose clock, how, and for whom."""

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest

from huiyao.model import MsgStatus
from huiyao.pages.static_files import FOLDER
from huiyao.rules import commands
from huiyao.service import meetings, sessions, workbench
from tests.pages.house import DAY, HERE, HOUR, MINUTE, NOW, THERE, Browser, House, words

CALENDAR = "/workbench/calendar"


async def live_in(house: House, uid: str, timezone: str) -> ZoneInfo:
    person = await house.storage.person(HERE.id, uid)
    assert person is not None
    await house.storage.import_people([msgspec.structs.replace(person, timezone=timezone)])
    return ZoneInfo(timezone)


def moment(text: str, zone: ZoneInfo, *, fold: int = 0) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).timestamp() * 1000)


async def agenda(browser: Browser, day: str, view: str = "week") -> list[int]:
    """The chosen day's meetings, in order."""
    page = await browser.see(f"{CALENDAR}?view={view}&date={day}")
    return [int(found) for found in re.findall(r'id="line-(\d+)"', page)]


def block(page: str, meeting_id: int) -> tuple[str, str]:
    """Classes of a meeting's place among the hours, and of its look."""
    found = re.search(
        rf'<li class="at ([^"]*)"><a class="block ([^"]*)" id="block-[-\d]*-{meeting_id}"', page
    )
    assert found, meeting_id
    return found[1], found[2]


@pytest.mark.parametrize(
    ("zone", "day", "before", "after"),
    [
        ("Europe/Berlin", "2027-03-28", "2027-03-27", "2027-03-29"),
        ("Europe/Berlin", "2027-10-31", "2027-10-30", "2027-11-01"),
        ("America/New_York", "2027-03-14", "2027-03-13", "2027-03-15"),
        ("America/New_York", "2027-11-07", "2027-11-06", "2027-11-08"),
    ],
)
async def test_a_day_on_which_the_clocks_change_is_from_midnight_to_midnight(
    house: House, zone: str, day: str, before: str, after: str
) -> None:
    there = await live_in(house, "u2", zone)
    last = await house.create("u2", begin_at=moment(f"{before}T23:30", there), minutes=30)
    first = await house.create("u2", begin_at=moment(f"{day}T00:00", there))
    late = await house.create("u2", begin_at=moment(f"{day}T23:30", there), minutes=30)
    next_one = await house.create("u2", begin_at=moment(f"{after}T00:00", there))
    monday = (datetime.fromisoformat(day) - timedelta(days=6)).date().isoformat()
    in_its_first_hour = await house.create("u2", begin_at=moment(f"{monday}T00:00", there), minutes=30)
    me = await house.browser("u2")
    for view in ("day", "week", "month"):
        assert await agenda(me, monday, view) == [in_its_first_hour]
        assert await agenda(me, before, view) == [last]
        assert await agenda(me, day, view) == [first, late]
        assert await agenda(me, after, view) == [next_one]


async def test_what_happens_twice_an_hour_apart_is_drawn_by_the_wall_clock_and_named_by_zone(
    house: House,
) -> None:
    berlin = await live_in(house, "u2", "Europe/Berlin")
    first = await house.create("u2", begin_at=moment("2027-10-31T02:30", berlin))
    second = await house.create("u2", begin_at=moment("2027-10-31T02:30", berlin, fold=1))
    me = await house.browser("u2")
    page = await me.see(f"{CALENDAR}?view=day&date=2027-10-31")
    assert block(page, first)[0] == "h2 m30 u3 v0 c1 n2"
    assert block(page, second)[0] == "h2 m30 u3 v30 c0 n2"
    assert "02:30 CEST–02:30 CET" in words(page)


async def test_hours_that_the_clocks_skip_cannot_be_chosen(house: House) -> None:
    berlin = await live_in(house, "u2", "Europe/Berlin")
    await house.create("u2", begin_at=moment("2027-03-28T01:00", berlin))
    me = await house.browser("u2")
    page = await me.see(f"{CALENDAR}?view=day&date=2027-03-28")
    slots = re.findall(
        r'<a class="h(\d+)" tabindex="-1" href="/workbench/new\?begin=(\d+)&amp;end=(\d+)"', page
    )
    assert [int(hour) for hour, _, _ in slots] == [1, *range(3, 19)]
    for hour, begin, end in slots:
        assert int(begin) == moment(f"2027-03-28T{int(hour):02}:00", berlin)
        assert int(end) - int(begin) == HOUR


async def test_a_meeting_over_midnight_is_on_both_days_and_above_the_hours_once(house: House) -> None:
    shanghai = ZoneInfo("Asia/Shanghai")
    one = await house.create("u2", begin_at=moment("2027-02-02T22:00", shanghai), minutes=240)
    me = await house.browser("u2")
    assert await agenda(me, "2027-02-02") == await agenda(me, "2027-02-03") == [one]
    assert await agenda(me, "2027-02-01") == await agenda(me, "2027-02-04") == []
    week = await me.see(f"{CALENDAR}?date=2027-02-02")
    assert week.count(f'id="band-{one}"') == 1
    assert '<li class="a2 w2">' in week
    assert "from 22:00" in words(week)
    assert "until 02:00" in words(await me.see(f"{CALENDAR}?date=2027-02-03"))


async def test_a_meeting_that_lasts_for_weeks_stands_on_every_day(house: House) -> None:
    shanghai = ZoneInfo("Asia/Shanghai")
    one = await house.create("u2", begin_at=moment("2027-01-28T10:00", shanghai), minutes=40 * 1440)
    me = await house.browser("u2")
    page = await me.see(f"{CALENDAR}?view=month&date=2027-02-10")
    assert page.count(f"-{one}") >= 28
    assert "all day" in words(page)
    assert f'<li class="a1 w7"><a class="block waiting" id="band-{one}"' in await me.see(
        f"{CALENDAR}?date=2027-02-10"
    )


async def test_a_meeting_that_ends_at_midnight_is_not_on_the_next_day(house: House) -> None:
    shanghai = ZoneInfo("Asia/Shanghai")
    one = await house.create("u2", begin_at=moment("2027-02-02T23:00", shanghai))
    me = await house.browser("u2")
    assert await agenda(me, "2027-02-02") == [one]
    assert await agenda(me, "2027-02-03") == []
    page = await me.see(f"{CALENDAR}?view=day&date=2027-02-02")
    assert block(page, one)[0] == "h23 m0 u24 v0 c0 n1"
    assert "23:00–24:00" in words(page)


async def test_months_and_years_go_on_at_their_edges(house: House) -> None:
    shanghai = ZoneInfo("Asia/Shanghai")
    eve = await house.create("u2", begin_at=moment("2027-12-31T20:00", shanghai), minutes=30)
    new_year = await house.create("u2", begin_at=moment("2028-01-01T00:00", shanghai), minutes=30)
    me = await house.browser("u2")
    for month, chosen in (("2027-12-31", eve), ("2028-01-01", new_year)):
        page = await me.see(f"{CALENDAR}?view=month&date={month}")
        assert f'id="chip-2027-12-31-{eve}"' in page
        assert f'id="chip-2028-01-01-{new_year}"' in page
        assert re.findall(r'id="line-(\d+)"', page) == [str(chosen)]
    december = await me.see(f"{CALENDAR}?view=month&date=2027-12-31")
    assert "December 2027" in december
    assert re.search(r'id="calendar-next" rel="next" href="[^"]*date=2028-01-31"', december)
    week = await me.see(f"{CALENDAR}?view=week&date=2027-12-31")
    assert "27 Dec 2027 – 2 Jan 2028" in words(week)


async def test_the_calendar_ends_where_meetings_end(house: House) -> None:
    me = await house.browser("u2")
    last = await me.see(f"{CALENDAR}?view=month&date=2099-12-31")
    assert 'id="calendar-next"' not in last
    assert 'id="calendar-previous"' in last
    assert "December 2099" in await me.see(f"{CALENDAR}?view=month&date=9999-12-31")
    assert "January 1970" in await me.see(f"{CALENDAR}?view=month&date=0001-01-01")


@pytest.mark.parametrize("query", ["date=2027-02-30", "date=", "date=tomorrow", "view=year", "view="])
async def test_what_is_no_date_and_no_view_is_not_found(house: House, query: str) -> None:
    me = await house.browser("u2")
    assert (await me.get(f"{CALENDAR}?{query}")).status_code == 404


async def test_today_is_the_readers_today(house: House) -> None:
    house.clock.moment = NOW + 9 * HOUR  # Saturday, one o'clock in Shanghai
    await live_in(house, "u3", "America/New_York")
    saturday = await (await house.browser("u2")).see(f"{CALENDAR}?view=day")
    friday = await (await house.browser("u3")).see(f"{CALENDAR}?view=day")
    assert "Sat, 16 Jan 2027" in words(saturday)
    assert 'class="now h1 m0"' in saturday
    assert "Fri, 15 Jan 2027" in words(friday)
    assert 'class="now h12 m0"' in friday


async def test_another_organisations_meetings_are_never_shown(house: House) -> None:
    own = await house.create("u2", content="Ours")
    await house.create("u2", content="Theirs", org=THERE)
    await house.create("u3", content="Not mine")
    day = "2027-01-16"
    for query in (f"date={day}", f"view=month&date={day}", f"view=day&date={day}", f"beside=1&date={day}"):
        page = await (await house.browser("u2")).see(f"{CALENDAR}?{query}")
        assert f"/workbench/meetings/{own}" in page
        assert "Theirs" not in page
        assert "Not mine" not in page
        other = await (await house.browser("u2", org=THERE)).see(f"{CALENDAR}?{query}")
        assert "Theirs" in other
        assert "Ours" not in other


async def test_states_are_told_in_words_and_by_more_than_colour(house: House) -> None:
    ids = {
        name: await house.create("u2", content=name, begin_at=NOW + DAY + number * HOUR, minutes=30)
        for number, name in enumerate(("waits", "accepted", "declined", "off"))
    }
    ids["own"] = await house.create("u1", by="u2", content="own", begin_at=NOW + DAY - 2 * HOUR)
    ids["missed"] = await house.create("u2", content="missed", begin_at=NOW - 30 * HOUR)
    await house.respond(ids["accepted"], "u2", MsgStatus.ACCEPTED)
    await house.respond(ids["declined"], "u2", MsgStatus.DECLINED)
    await meetings.cancel(house.services, house.caller("u1"), ids["off"], commands.Cancel())
    me = await house.browser("u2")
    page = await me.see(f"{CALENDAR}?date=2027-01-16")
    looks = {name: block(page, meeting_id)[1] for name, meeting_id in ids.items()}
    assert looks == {
        "waits": "waiting",
        "accepted": "accepted",
        "declined": "declined",
        "off": "cancelled",
        "own": "accepted mine",
        "missed": "missed",
    }
    hours = words(page)
    for told in ("Please answer: waits", "Accepted: accepted", "Declined: declined", "Cancelled: off"):
        assert told in hours
    assert "Yours: own" in hours
    assert "Not answered: missed" in hours


async def test_a_removed_card_is_not_in_the_calendar(house: House) -> None:
    one = await house.create("u2")
    await meetings.delete(house.services, house.caller("u2"), one)
    assert await agenda(await house.browser("u2"), "2027-01-16") == []


async def test_meetings_at_once_stand_side_by_side_and_too_many_are_counted(house: House) -> None:
    for number in range(6):
        await house.create("u2", begin_at=NOW + DAY + number * MINUTE)
    me = await house.browser("u2")
    week = await me.see(f"{CALENDAR}?date=2027-01-16")
    assert [place[-5:] for place in re.findall(r'<li class="at ([^"]*)"', week)] == [
        "c0 n3",
        "c1 n3",
        "c2 n3",
    ]
    assert "+4 more at that time" in words(week)
    day = await me.see(f"{CALENDAR}?view=day&date=2027-01-16")
    assert len(re.findall(r'<li class="at [^"]* n6"', day)) == 6


async def test_beyond_what_is_shown_it_says_so_and_the_chosen_day_is_still_right(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbench, "MOST_IN_CALENDAR", 5)
    for number in range(6):
        await house.create("u2", begin_at=NOW + DAY + number * MINUTE)
    later = await house.create("u2", begin_at=NOW + 10 * DAY)
    me = await house.browser("u2")
    page = await me.see(f"{CALENDAR}?view=month&date=2027-01-25")
    assert "only the first 5 are shown" in page
    assert re.findall(r'id="line-(\d+)"', page) == [str(later)]
    assert "only the first" not in await me.see(f"{CALENDAR}?view=day&date=2027-01-25")
    assert "only the first 5 are shown" in await me.see(f"{CALENDAR}?view=day&date=2027-01-16")


async def test_an_empty_day_says_so_and_offers_a_meeting_to_those_who_may_call_one(house: House) -> None:
    me = await house.browser("u2")
    page = await me.see(f"{CALENDAR}?date=2027-01-20")
    nine = moment("2027-01-20T09:00", ZoneInfo("Asia/Shanghai"))
    assert "No meetings on this day." in page
    assert f'href="/workbench/new?begin={nine}&amp;end={nine + HOUR}"' in page
    today = await me.see(CALENDAR)
    assert f'href="/workbench/new?begin={NOW + HOUR // 2}&amp;end={NOW + HOUR // 2 + HOUR}"' in today
    assert re.findall(r'<a class="h(\d+)" tabindex="-1"', await me.see(f"{CALENDAR}?view=day")) == [
        "17",
        "18",
    ]
    past = await me.see(f"{CALENDAR}?date=2027-01-05")
    assert "No meetings on this day." in past
    assert "/workbench/new?" not in past
    secret, _ = await sessions.begin(house.services, HERE.id, uid="u2", app_id=None)
    me.cookies.set("huiyao", secret)
    assert "/workbench/new" not in await me.see(f"{CALENDAR}?date=2027-01-20")


async def test_both_languages_name_days_and_states(house: House) -> None:
    await house.create("u2")
    chinese = await house.browser("u2", language="zh-CN")
    page = words(await chinese.see(f"{CALENDAR}?view=month&date=2027-01-16"))
    assert "2027年1月" in page
    assert "周一 周二" in page
    assert "待答复" in page
    assert "1月16日 周六" in page
    assert "2027年1月11日至17日" in words(await chinese.see(f"{CALENDAR}?date=2027-01-16"))
    english = await house.browser("u2", language="en")
    page = words(await english.see(f"{CALENDAR}?view=month&date=2027-01-16"))
    assert "January 2027" in page
    assert "Mon Tue" in page
    assert "Please answer" in page
    assert "Sat 16 Jan, 1 meeting, 1 to answer" in page


async def test_our_script_gets_the_part_that_changes_and_the_list_its_month(house: House) -> None:
    one = await house.create("u2")
    me = await house.browser("u2")
    part = await me.get(f"{CALENDAR}?view=week&date=2027-01-16", headers={"hx-request": "true"})
    assert part.text.lstrip().startswith('<div id="calendar"')
    assert f"live-{one} from:body" in part.text
    assert f'data-watched="{one}"' in part.text
    assert 'hx-push-url="true"' in part.text
    beside = await me.see(f"{CALENDAR}?beside=1&date=2027-01-16")
    assert beside.lstrip().startswith('<div id="calendar"')
    assert "hx-push-url" not in beside
    assert 'hx-get="/workbench/calendar?beside=1&amp;date=2027-01-17"' in beside
    assert 'href="/workbench/calendar?view=month&amp;date=2027-01-17"' in beside
    assert "<h1" not in beside
    whole = await me.see(f"{CALENDAR}?view=week&date=2027-01-16")
    assert f'data-watched="{one}"' in whole.split("<main")[0]


async def test_what_is_written_in_a_meeting_stays_text(house: House) -> None:
    await house.create("u2", content="<b>x</b>", address='"><script>')
    me = await house.browser("u2")
    for view in ("day", "week", "month"):
        page = await me.see(f"{CALENDAR}?view={view}&date=2027-01-16")
        assert "&lt;b&gt;x&lt;/b&gt;" in page
        assert "<b>x" not in page
        assert '"><script>' not in page


async def test_every_class_of_a_place_is_in_the_style_and_no_style_is_in_the_page(house: House) -> None:
    """The policy of the pages forbids style attributes: places are classes, minute by minute."""
    style = (FOLDER / "calendar.css").read_text()
    names = {
        *(f"h{number}" for number in range(24)),
        *(f"u{number}" for number in range(25)),
        *(f"{letter}{number}" for letter in "mv" for number in range(60)),
        *(f"c{number}" for number in range(8)),
        *(f"n{number}" for number in range(1, 9)),
        *(f"f{number}" for number in range(9)),
        *(f"l{number}" for number in range(19, 25)),
        *(f"{letter}{number}" for letter in "aw" for number in range(1, 8)),
    }
    for name in names:
        assert f".{name}{{--{name[0]}:{name[1:]}}}" in style
    await house.create("u2")
    me = await house.browser("u2")
    for view in ("day", "week", "month"):
        assert "style=" not in await me.see(f"{CALENDAR}?view={view}&date=2027-01-16")


async def test_nobody_sees_a_calendar_without_signing_in(house: House) -> None:
    stranger = await house.browser()
    assert (await stranger.get(CALENDAR)).status_code == 401
