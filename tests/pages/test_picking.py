"""Choosing people and a time: the picker's search, pasted lists, and who is busy."""

import re

import pytest

from huiyao.model import Org, Person
from huiyao.rules import commands
from huiyao.service import meetings
from tests.pages.house import DAY, HERE, HOUR, NOW, Browser, House, words

MOBILE = "+8613800138000"


async def directory(house: House, *people: tuple[str, str], mobile: str = "") -> None:
    await house.storage.import_people(
        [Person(org_id=HERE.id, uid=uid, name=name, mobile=mobile) for uid, name in people]
    )


def found(page: str) -> list[str]:
    return re.findall(r'name="add" value="([^"]*)"', page)


async def search(me: Browser, text: str) -> list[str]:
    answer = await me.get("/workbench/people", params={"q": text})
    assert answer.status_code == 200
    return found(answer.text)


async def paste(me: Browser, text: str) -> tuple[list[str], dict[str, list[str]], list[str]]:
    """Who was found, the choices of what is unclear, and what is unknown."""
    page = (await me.send_form("/workbench/people/paste", htmx=True, paste=text)).text
    added = re.findall(r'<li data-uid="([^"]*)"', page)
    unclear = {
        entry: found(part)
        for entry, part in re.findall(r'class="unclear"[^>]*data-entry="([^"]*)">(.*?)</div>', page, re.S)
    }
    return added, unclear, re.findall(r'class="entry" data-entry="([^"]*)"', page)


async def test_people_are_found_by_name_pinyin_initials_number_and_uid(house: House) -> None:
    await directory(house, ("u7", "曾芳"), mobile=MOBILE)
    me = await house.browser("u1")
    for text in ("曾芳", "zengfang", "zf", "ZF", "u7", "138 0013 8000", "+86 138-0013-8000"):
        assert "u7" in await search(me, text), text
    assert await search(me, "nobody") == []
    assert await search(me, " ") == []
    assert await search(me, "1380013800") == []  # part of a number finds nobody
    assert MOBILE[3:] not in await me.see("/workbench/people?q=zf")


async def test_at_most_twenty_are_shown_and_the_one_meant_is_among_them(house: House) -> None:
    await directory(house, *((f"a{number:03}", f"李强{number}") for number in range(100)), ("zz", "李强"))
    me = await house.browser("u1")
    shown = await search(me, "李强")
    assert len(shown) == 20
    assert set(shown[:2]) == {"u2", "zz"}


async def test_a_pasted_list_is_read_however_it_is_written(house: House) -> None:
    await directory(house, ("m1", "孙丽"), mobile=MOBILE)
    me = await house.browser("u1")
    text = "u2, 张敏；刘洋\tu4\n13800138000\r\nu2\n  王芳  "
    assert await paste(me, text) == (["u2", "u3", "u4", "m1", "u1"], {}, [])
    assert await paste(me, "张敏\t李强") == (["u3", "u2"], {}, [])
    assert await paste(me, "u4\t刘洋") == (["u4"], {}, [])


async def test_what_is_not_clear_is_asked_and_what_is_unknown_told(house: House) -> None:
    await directory(house, ("u8", "李强"), ("u9", "李强"))
    me = await house.browser("u1")
    assert await paste(me, "李强\nnobody\n张敏") == (["u3"], {"李强": ["u2", "u8", "u9"]}, ["nobody"])


async def test_an_open_directory_takes_somebody_new_by_name_and_number(house: House) -> None:
    me = await house.browser("u1")
    assert await paste(me, "New One\tn1") == (["n1"], {}, [])
    assert await paste(me, "New One\tnot a uid") == ([], {}, ["New One", "not a uid"])


async def test_a_closed_directory_takes_nobody_new(house: House) -> None:
    await house.storage.put_org(Org(id=HERE.id, name=HERE.name, closed=True))
    me = await house.browser("u1")
    assert await paste(me, "New One\tn1") == ([], {}, ["New One", "n1"])


async def test_ten_thousand_lines_of_every_kind_find_their_people(house: House) -> None:
    await directory(house, *((f"p{number}", f"Person {number}") for number in range(5_000)))
    me = await house.browser("u1")
    lines = [f"p{number}" if number % 2 else f"person  {number}" for number in range(5_000)]
    lines += [f"1380000{number:04}" for number in range(5_000)]
    added, unclear, unknown = await paste(me, "\n".join(lines))
    assert len(added) == 5_000
    assert unclear == {}
    assert len(unknown) == 50  # as many as are shown


async def test_busy_times_are_shown_on_the_organizers_clock(house: House) -> None:
    begin_at = NOW + DAY - 6 * HOUR  # 10:00 in Shanghai
    await house.create("u2", by="u4", begin_at=begin_at)
    meeting_id = await house.create("u3", by="u4", begin_at=begin_at)
    await house.respond(meeting_id, "u3", 2)
    me = await house.browser("u1")
    answer = await me.get("/workbench/busy?uids=u2,u3&day=2027-01-16")
    told = words(answer.text)
    assert "Busy times, Sat 16 Jan" in told
    assert "李强 Perhaps 10:00–11:00" in told
    assert "张敏 Busy 10:00–11:00" in told
    assert 'class="busy" x="600" y="3" width="60"' in answer.text


async def test_who_is_busy_at_the_time_and_when_all_are_free_is_told(house: House) -> None:
    await house.create("u2", by="u4", begin_at=NOW + DAY - 8 * HOUR, minutes=180)  # from 8:00 until 11:00
    me = await house.browser("u1")
    fields = {"person": '["u2", "李强"]', "begin": "2027-01-16T09:00", "end": "2027-01-16T10:00"}
    page = (await me.post("/workbench/busy", data=fields, headers={"sec-fetch-site": "same-origin"})).text
    assert "0 of 2 are busy at that time, 1 may be." in words(page)
    assert re.findall(r'name="take" value="([^"]*)"', page) == [
        "2027-01-16T11:00/2027-01-16T12:00",
        "2027-01-16T11:30/2027-01-16T12:30",
        "2027-01-16T12:00/2027-01-16T13:00",
    ]


async def test_the_meeting_being_changed_makes_nobody_busy(house: House) -> None:
    meeting_id = await house.create("u2", begin_at=NOW + DAY)
    me = await house.browser("u1")
    path = "/workbench/busy?uids=u2&begin=2027-01-16T16:00&end=2027-01-16T17:00"
    assert "You are busy at that time" in await me.see(path)
    page = await me.see(f"{path}&meeting={meeting_id}")
    assert "Everybody is free at that time." in page
    assert "You are busy at that time" not in page


async def test_at_most_two_hundred_people_are_looked_at_and_it_says_so(house: House) -> None:
    me = await house.browser("u1")
    uids = ",".join(f"p{number}" for number in range(300))
    page = await me.see(f"/workbench/busy?uids={uids}&day=2027-01-16")
    assert "Only the first 200 people" in page
    assert page.count('class="bar"') == 200


@pytest.mark.parametrize(
    ("day", "hours"),
    [("2027-03-28", 23), ("2027-10-31", 25), ("2027-06-01", 24)],
)
async def test_a_day_on_which_the_clocks_change_has_its_own_length(
    house: House, day: str, hours: int
) -> None:
    await house.storage.import_people(
        [Person(org_id=HERE.id, uid="u1", name="王芳", timezone="Europe/Berlin", locale="en")]
    )
    me = await house.browser("u1")
    page = await me.see(f"/workbench/busy?day={day}")
    noon = re.search(r'<text x="([0-9.]+)%"[^>]*>12:00', page)
    assert noon
    assert round(float(noon[1])) == round(100 * (hours - 12) / hours)


async def test_nobody_is_asked_about_whom_a_closed_directory_does_not_know(house: House) -> None:
    await house.storage.put_org(Org(id=HERE.id, name=HERE.name, closed=True))
    me = await house.browser("u1")
    page = words(await me.see("/workbench/busy?uids=u2,stranger&day=2027-01-16"))
    assert "李强" in page
    assert "stranger" not in page


async def test_no_day_no_busy_times(house: House) -> None:
    me = await house.browser("u1")
    for query in ("", "?day=nonsense", "?begin=&end="):
        assert "Busy times" not in await me.see(f"/workbench/busy{query}")


async def test_the_search_and_busy_times_are_for_those_who_are_signed_in(house: House) -> None:
    nobody = await house.browser()
    for path in ("/workbench/people?q=li", "/workbench/busy?uids=u1&day=2027-01-16"):
        assert (await nobody.get(path)).status_code == 401
    assert (await nobody.send_form("/workbench/people/paste", paste="u1")).status_code == 401


async def test_a_cancelled_meeting_keeps_nobody_busy(house: House) -> None:
    meeting_id = await house.create("u2", begin_at=NOW + DAY)
    await meetings.cancel(house.services, house.caller("u1"), meeting_id, commands.Cancel())
    me = await house.browser("u1")
    page = await me.see("/workbench/busy?uids=u2&begin=2027-01-16T16:00&end=2027-01-16T17:00")
    assert "Everybody is free at that time." in page
