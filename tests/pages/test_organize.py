"""A new meeting: the form, what is wrong with it, sending it once and twice, and to whom it is not there."""

import re

import httpx
import pytest

from huiyao.model import Meeting, Org, Person
from huiyao.service import sessions
from tests.pages.house import DAY, HERE, HOUR, NOW, THERE, Browser, House, words
from tests.pages.sheet import Sheet

NEW = "/workbench/new"
SCRIPT = '"><script>alert(1)</script>'


async def blank(me: Browser, query: str = "") -> Sheet:
    return Sheet(await me.see(NEW + query))


async def filled(me: Browser, *uids: str) -> Sheet:
    """A form in which nothing is missing."""
    sheet = await blank(me)
    return sheet.fill(content="Budget\nAll of it", address="Room 3").invite(*(uids or ("u2", "u3")))


def made(answer: httpx.Response) -> int:
    """The meeting whose page the answer leads to."""
    assert answer.status_code == 303, words(answer.text)
    found = re.fullmatch(r"/workbench/meetings/([0-9]+)\?done=created", answer.headers["location"])
    assert found
    return int(found[1])


async def meetings_of(house: House, uid: str) -> int:
    return len(await house.storage.calendar(HERE.id, uid, begin_at=0, end_at=NOW + 400 * DAY, size=100))


async def meeting(house: House, meeting_id: int) -> Meeting:
    whole = await house.storage.whole_meeting(HERE.id, meeting_id)
    assert whole is not None
    return whole[0]


async def names(house: House, meeting_id: int) -> list[tuple[str, str]]:
    whole = await house.storage.whole_meeting(HERE.id, meeting_id)
    assert whole is not None
    listed = sorted((one for one in whole[1] if one.listed), key=lambda one: one.position)
    return [(one.uid, one.name) for one in listed]


async def test_a_new_meeting_begins_at_the_next_half_hour_and_lasts_one(house: House) -> None:
    sheet = await blank(await house.browser("u1"))
    assert (sheet.get("begin"), sheet.get("end")) == ("2027-01-15T16:30", "2027-01-15T17:30")


async def test_the_calendar_may_name_the_time(house: House) -> None:
    me = await house.browser("u1")
    sheet = await blank(me, f"?begin={NOW + DAY}&end={NOW + DAY + HOUR // 2}")
    assert (sheet.get("begin"), sheet.get("end")) == ("2027-01-16T16:00", "2027-01-16T16:30")
    for nonsense in ("?begin=x", "?begin=9999999999999999", "?begin=-1&end=2"):
        assert (await blank(me, nonsense)).get("begin") == "2027-01-15T16:30"


async def test_a_meeting_is_made_as_the_form_says_and_its_page_says_so(house: House) -> None:
    me = await house.browser("u1")
    sheet = await filled(me, "u3", "u2", "new1")
    sheet.fill(begin="2027-01-18T09:00", end="2027-01-18T10:30", remind="60", texting="1", myself="1")
    answer = await sheet.press(me)
    made_id = made(answer)
    stored = await meeting(house, made_id)
    assert (stored.content, stored.address) == ("Budget\nAll of it", "Room 3")
    assert (stored.remind_min, stored.remind_type, stored.organizer_name) == (60, 1, "王芳")
    assert stored.begin_at == NOW + 2 * DAY + 17 * HOUR
    assert stored.end_at == stored.begin_at + 90 * 60_000
    # The directory knows better what people are called; of others it learns.
    assert await names(house, made_id) == [
        ("u1", "王芳"),
        ("u3", "张敏"),
        ("u2", "李强"),
        ("new1", "new1 as given"),
    ]
    page = await me.see(answer.headers["location"])
    assert "The invitations are on their way." in page
    await house.tell()
    assert "Budget" in await (await house.browser("u2")).see("/workbench/messages")


async def test_any_number_of_minutes_before_the_beginning_reminds(house: House) -> None:
    me = await house.browser("u1")
    sheet = (await filled(me)).fill(remind="other", minutes="40320")
    assert (await meeting(house, made(await sheet.press(me)))).remind_min == 40_320


@pytest.mark.parametrize(
    ("fields", "field", "fault"),
    [
        ({"content": " \n "}, "content", "must not be blank"),
        ({"content": "x" * 5001}, "content", "must not exceed 5000"),
        ({"content": "a\x07b"}, "content", "control characters"),
        ({"address": "x" * 513}, "address", "must not exceed 512"),
        ({"begin": ""}, "begin", "Begin: please give a day and a time"),
        ({"begin": "tomorrow"}, "begin", "Begin: please give a day and a time"),
        ({"begin": "1900-01-01T10:00"}, "begin", "from 1974 to 2099"),
        ({"end": "2100-01-01T10:00"}, "end", "from 1974 to 2099"),
        ({"begin": "2027-01-18T10:00", "end": "2027-01-18T09:59"}, "end", "must not be before"),
        ({"remind": "other", "minutes": ""}, "minutes", "must be an integer"),
        ({"remind": "other", "minutes": "40321"}, "minutes", "between 0 and 40320"),
        ({"remind": "7"}, "remind", "must be an integer"),
        ({"person": None}, "people", "invite at least one person"),
        ({"person": '["", ""]'}, "people", "cannot be a person"),
    ],
)
async def test_what_is_wrong_is_told_beside_its_field_with_all_that_was_entered(
    house: House, fields: dict[str, str | None], field: str, fault: str
) -> None:
    me = await house.browser("u1")
    sheet = await filled(me)
    entered = {"content": "Budget", "address": "Room 9"} | fields
    answer = await sheet.fill(**entered).press(me)
    assert answer.status_code == 422
    page = answer.text
    assert 'role="alert"' in page
    assert re.search(rf'id="fault-{field}">[^<]*{fault}', page), words(page)
    assert re.search(rf'id="{field}"[^>]*aria-invalid="true"[^>]*aria-describedby="fault-{field}', page, re.S)
    again = Sheet(page)
    for name, value in entered.items():
        if name not in ("person", "remind"):
            assert again.get(name) == value
    assert again.people() == sheet.people()
    assert await meetings_of(house, "u1") == 0


async def test_faults_are_told_in_chinese_too(house: House) -> None:
    me = await house.browser("u1", language="zh-CN")
    page = (await (await filled(me)).fill(content=" ").press(me)).text
    assert re.search(r'id="fault-content">[^<]*不能为空', page)


async def test_no_more_people_than_the_settings_allow(house: House) -> None:
    me = await house.browser("u1")
    sheet = (await filled(me)).invite(*(f"p{number}" for number in range(10_000)))
    answer = await sheet.press(me)
    assert "At most 10000 people" in answer.text


async def test_sending_twice_makes_one_meeting(house: House) -> None:
    me = await house.browser("u1")
    sheet = await filled(me)
    assert made(await sheet.press(me)) == made(await sheet.press(me))
    assert await meetings_of(house, "u1") == 1


async def test_sending_something_else_from_the_same_form_asks_and_then_makes_another(house: House) -> None:
    me = await house.browser("u1")
    sheet = await filled(me)
    first = made(await sheet.press(me))
    answer = await sheet.fill(begin="2027-01-19T09:00", end="2027-01-19T10:00").press(me)
    assert answer.status_code == 409
    assert "made from this form already" in answer.text
    assert made(await Sheet(answer.text).press(me)) != first


async def test_each_of_two_blank_forms_makes_its_meeting(house: House) -> None:
    me = await house.browser("u1")
    first, second = (
        await filled(me),
        (await filled(me)).fill(begin="2027-01-19T09:00", end="2027-01-19T10:00"),
    )
    assert made(await first.press(me)) != made(await second.press(me))


async def test_a_time_in_the_past_is_pointed_out_once_and_then_taken(house: House) -> None:
    me = await house.browser("u1")
    sheet = (await filled(me)).fill(begin="2027-01-15T09:00", end="2027-01-15T10:00")
    answer = await sheet.press(me)
    assert answer.status_code == 200
    assert "over already" in words(answer.text)
    made(await Sheet(answer.text).press(me))


async def test_ones_own_meeting_at_the_time_is_pointed_out_once_and_for_another_time_again(
    house: House,
) -> None:
    await house.create("u2", content="Standup", begin_at=NOW + DAY)
    me = await house.browser("u1")
    sheet = (await filled(me)).fill(begin="2027-01-16T16:30", end="2027-01-16T17:30")
    answer = await sheet.press(me)
    assert answer.status_code == 200
    assert "You are busy at that time: Standup" in words(answer.text)
    moved = Sheet(answer.text).fill(begin="2027-01-16T16:00")
    answer = await moved.press(me)
    assert "You are busy at that time: Standup" in words(answer.text)
    made(await Sheet(answer.text).press(me))


async def berlin(house: House) -> Browser:
    await house.storage.import_people(
        [Person(org_id=HERE.id, uid="u1", name="王芳", timezone="Europe/Berlin", locale="en")]
    )
    return await house.browser("u1")


async def test_a_time_that_the_clocks_skip_is_refused_and_the_next_one_named(house: House) -> None:
    me = await berlin(house)
    sheet = (await filled(me)).fill(begin="2027-03-28T02:30", end="2027-03-28T04:00")
    answer = await sheet.press(me)
    assert answer.status_code == 422
    assert "does not exist" in answer.text
    assert "03:00" in re.search(r'id="fault-begin">([^<]*)', answer.text)[1]  # type: ignore[index]


async def test_of_a_time_that_comes_twice_the_first_is_taken(house: House) -> None:
    me = await berlin(house)
    sheet = (await filled(me)).fill(begin="2027-10-31T02:30", end="2027-10-31T03:00")
    stored = await meeting(house, made(await sheet.press(me)))
    assert stored.end_at - stored.begin_at == HOUR + HOUR // 2


@pytest.mark.parametrize("field", ["content", "address", "begin", "minutes", "paste", "q"])
async def test_script_in_a_field_stays_text(house: House, field: str) -> None:
    me = await house.browser("u1")
    sheet = (await filled(me)).fill(remind="other", person=None, **{field: SCRIPT})
    answer = await sheet.press(me)
    assert answer.status_code == 422
    assert "<script>alert" not in answer.text
    assert Sheet(answer.text).get(field) == SCRIPT or field == "q"


async def test_script_in_names_stays_text_wherever_people_are_shown(house: House) -> None:
    await house.storage.import_people([Person(org_id=HERE.id, uid="x1", name=SCRIPT)])
    me = await house.browser("u1")
    pages = [
        (await (await filled(me)).fill(content="", paste="x1").press(me)).text,
        await me.see("/workbench/people?q=x1"),
        await me.see("/workbench/busy?uids=x1&day=2027-01-16"),
        (await me.send_form("/workbench/people/paste", paste=f"x1\n{SCRIPT}\nno {SCRIPT}")).text,
    ]
    for page in pages:
        assert "alert(1)" in page
        assert "<script>alert" not in page


async def test_a_person_who_is_none_of_a_closed_directory_is_refused_by_name(house: House) -> None:
    await house.storage.put_org(Org(id=HERE.id, name=HERE.name, closed=True))
    me = await house.browser("u1")
    answer = await (await filled(me, "u2", "stranger")).press(me)
    assert answer.status_code == 422
    assert "Not in the directory: stranger as given (stranger)" in words(answer.text)
    made(await (await filled(me, "u2")).press(me))


async def test_another_organisations_people_are_nobody_here(house: House) -> None:
    await house.storage.import_people([Person(org_id=THERE.id, uid="far", name="Farther")])
    me = await house.browser("u1")
    assert "Farther" not in await me.see("/workbench/people?q=far")
    assert "Farther" not in (await me.send_form("/workbench/people/paste", paste="far")).text


async def test_without_script_people_are_found_added_and_removed_by_buttons(house: House) -> None:
    me = await house.browser("u1")
    sheet = (await blank(me)).fill(content="Budget", q="lq")
    found = Sheet((await sheet.press(me, "do", "find")).text)
    assert found.get("content") == "Budget"
    added = Sheet((await found.press(me, "add", "u2")).text)
    assert added.people() == [("u2", "李强")]
    assert added.get("q") == ""
    assert Sheet((await added.press(me, "drop", "u2")).text).people() == []


async def test_without_script_a_list_is_pasted_and_what_is_unclear_stays_to_be_corrected(
    house: House,
) -> None:
    await house.storage.import_people([Person(org_id=HERE.id, uid="u9", name="李强")])
    me = await house.browser("u1")
    sheet = (await blank(me)).fill(content="Budget", paste="张敏\n李强\nnobody")
    answer = await sheet.press(me)
    assert answer.status_code == 422
    again = Sheet(answer.text)
    assert again.people() == [("u3", "张敏")]
    assert again.get("paste") == "李强\nnobody"
    chosen = Sheet((await again.press(me, "add", "u9")).text).fill(paste="")
    assert chosen.people() == [("u3", "张敏"), ("u9", "李强")]
    made(await chosen.press(me))


async def test_enter_in_the_search_finds_and_sends_nothing(house: House) -> None:
    me = await house.browser("u1")
    sheet = (await filled(me)).fill(q="lq")
    answer = await sheet.press(me, "do", "enter")
    assert answer.status_code == 200
    assert ("add", "u2") in Sheet(answer.text).buttons
    assert await meetings_of(house, "u1") == 0


async def test_who_came_without_an_app_cannot_organize_and_is_not_offered_to(house: House) -> None:
    mine = await house.create("u2")
    me = await house.browser()
    secret, _ = await sessions.begin(house.services, HERE.id, uid="u1", app_id=None)
    me.cookies.set("huiyao", secret, domain="huiyao.test")
    for path in (NEW, f"/workbench/meetings/{mine}/edit", f"/workbench/meetings/{mine}/cancel"):
        assert (await me.get(path)).status_code == 404
    assert (await me.send_form(f"/workbench/meetings/{mine}/nudge")).status_code == 404
    page = await me.see(f"/workbench/meetings/{mine}")
    assert "/edit" not in page
    assert NEW not in page


async def test_nothing_is_made_from_another_site(house: House) -> None:
    me = await house.browser("u1")
    sheet = await filled(me)
    fields = {"content": "Budget", "begin": sheet.get("begin"), "end": sheet.get("end"), "paste": "u2"}
    for headers in ({}, {"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}):
        assert (await me.post(NEW, data=fields, headers=headers)).status_code == 403
    assert await meetings_of(house, "u1") == 0


async def test_people_that_our_form_would_not_send_are_refused(house: House) -> None:
    me = await house.browser("u1")
    assert (await me.send_form(NEW, person="u2")).status_code == 400
