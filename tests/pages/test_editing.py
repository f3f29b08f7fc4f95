"""Changing and cancelling a meeting: the look at who will be told what, telling nobody, and what came in between."""

import re

import httpx
import msgspec
import pytest

from huiyao.model import Attendee, Meeting
from huiyao.rules import commands
from huiyao.service import meetings
from tests.pages.house import DAY, HERE, HOUR, MINUTE, NOW, THERE, Browser, House, words
from tests.pages.sheet import Sheet

ACCEPTED, DECLINED = 2, 3


def page_of(meeting_id: int, rest: str = "") -> str:
    return f"/workbench/meetings/{meeting_id}{rest}"


async def edit(me: Browser, meeting_id: int) -> Sheet:
    return Sheet(await me.see(page_of(meeting_id, "/edit")))


async def look(me: Browser, sheet: Sheet) -> tuple[str, Sheet]:
    """The preview, in words and as a form."""
    answer = await sheet.press(me)
    assert answer.status_code == 200, words(answer.text)
    return words(answer.text), Sheet(answer.text, "/edit")


def led_to(answer: httpx.Response) -> str:
    assert answer.status_code == 303, words(answer.text)
    return str(answer.headers["location"])


async def state(house: House, meeting_id: int) -> tuple[Meeting, dict[str, Attendee]]:
    whole = await house.storage.whole_meeting(HERE.id, meeting_id)
    assert whole is not None
    return whole[0], {one.uid: one for one in whole[1]}


async def kinds(house: House, uid: str) -> list[str]:
    page = await house.storage.inbox(HERE.id, uid, after=None, size=50)
    return [one.kind for one in page.messages]


async def test_nothing_changed_is_said_and_nothing_stored(house: House) -> None:
    meeting_id = await house.create("u2", "u3")
    me = await house.browser("u1")
    answer = await (await edit(me, meeting_id)).press(me)
    assert "Nothing has changed" in answer.text
    assert (await state(house, meeting_id))[0].sequence == 0


@pytest.mark.parametrize(
    ("content", "address"), [("one\r\ntwo\rthree\n", " room\n1 "), ("\n\nlate", ""), ("  x  ", "a\tb")]
)
async def test_what_a_browser_does_to_line_breaks_is_no_change(
    house: House, content: str, address: str
) -> None:
    meeting_id = await house.create("u2", content=content, address=address)
    me = await house.browser("u1")
    sheet = await edit(me, meeting_id)
    sheet.fill(address=(sheet.get("address") or "").replace("\n", ""))  # as its field does
    assert "Nothing has changed" in (await sheet.press(me)).text


async def test_a_time_between_the_minutes_and_names_and_order_stay_as_they_were(house: House) -> None:
    begin_at = NOW + DAY + 12_345
    meeting_id = await house.create("z9", "u1", "u2", begin_at=begin_at, remind_min=7)
    me = await house.browser("u1")
    sheet = (await edit(me, meeting_id)).fill(content="Other words")
    _, preview = await look(me, sheet)
    led_to(await preview.press(me, "do", "send"))
    meeting, rows = await state(house, meeting_id)
    assert (meeting.content, meeting.begin_at, meeting.remind_min) == ("Other words", begin_at, 7)
    assert [rows[uid].position for uid in ("z9", "u1", "u2")] == [0, 1, 2]
    assert rows["z9"].name == "z9"


async def test_who_is_on_the_list_keeps_the_name_there_whatever_the_form_says(house: House) -> None:
    detail = msgspec.structs.replace(house.detail("u3"), invitees=(commands.Invitee("u2", "小李"),))
    command = commands.Create(requester_name="王芳", detail=detail)
    meeting_id = await meetings.create(house.services, house.caller("u1"), command)
    me = await house.browser("u1")
    sheet = await edit(me, meeting_id)
    assert sheet.people() == [("u2", "小李")]
    assert "Nothing has changed" in (await sheet.fill(person='["u2", "other"]').press(me)).text


async def test_the_second_of_two_equal_times_stays_the_second(house: House) -> None:
    person = await house.storage.person(HERE.id, "u1")
    assert person is not None
    await house.storage.import_people(
        [msgspec.structs.replace(person, timezone="Europe/Berlin", locale="en")]
    )
    twice = 1_824_946_200_000  # 2027-10-31 02:30 in Berlin for the second time
    meeting_id = await house.create("u2", begin_at=twice)
    me = await house.browser("u1")
    sheet = await edit(me, meeting_id)
    assert sheet.get("begin") == "2027-10-31T02:30"
    _, preview = await look(me, sheet.fill(content="Other words"))
    led_to(await preview.press(me, "do", "send"))
    assert (await state(house, meeting_id))[0].begin_at == twice


async def test_the_preview_says_who_is_told_what_and_then_they_are(house: House) -> None:
    meeting_id = await house.create("u2", "u3", "u4", remind_type=1)
    await house.tell()
    await house.respond(meeting_id, "u2", ACCEPTED)
    me = await house.browser("u1")
    sheet = (await edit(me, meeting_id)).fill(begin="2027-01-16T17:00", end="2027-01-16T18:00")
    sheet.pairs = [pair for pair in sheet.pairs if '"u3"' not in pair[1]]
    told, preview = await look(me, sheet.invite("new1"))
    assert "Get the invitation 1 person new1 as given By SMS too" in told
    assert "Are told that they are no longer invited 1 person 张敏" in told
    assert "Are told of the change 2 people 李强, 刘洋" in told
    assert "go back to “not answered”: 李强" in told
    assert "16:00–17:00 Sat 16 Jan 17:00–18:00" in told
    assert (await state(house, meeting_id))[0].sequence == 0  # looked at only
    where = led_to(await preview.press(me, "do", "send"))
    assert "Those concerned are being told" in await me.see(where)
    await house.tell()
    assert (await state(house, meeting_id))[1]["u2"].msg_status == 0
    assert await kinds(house, "new1") == ["invited"]
    assert (await kinds(house, "u3"))[-1] == "removed"
    assert (await kinds(house, "u2"))[-1] == "updated"


async def test_telling_nobody_saves_and_tells_nobody(house: House) -> None:
    meeting_id = await house.create("u2")
    await house.tell()
    me = await house.browser("u1")
    _, preview = await look(me, (await edit(me, meeting_id)).fill(address="Elsewhere"))
    assert "Nobody is told" in await me.see(led_to(await preview.press(me, "do", "quiet")))
    await house.tell()
    assert (await state(house, meeting_id))[0].address == "Elsewhere"
    assert await kinds(house, "u2") == ["invited"]


async def test_a_change_that_tells_nobody_can_only_be_saved(house: House) -> None:
    meeting_id = await house.create("u2")
    await house.tell()
    me = await house.browser("u1")
    told, preview = await look(me, (await edit(me, meeting_id)).fill(remind="60"))
    assert "Nobody is told of this change." in told
    assert "Reminder 15 min before 1 h before" in told
    assert ("do", "quiet") not in preview.buttons
    led_to(await preview.press(me, "do", "keep"))
    assert (await state(house, meeting_id))[0].remind_min == 60


async def test_back_to_editing_keeps_all_that_was_entered(house: House) -> None:
    meeting_id = await house.create("u2", "u3")
    me = await house.browser("u1")
    entered = {"content": "One\n\ntwo", "address": "Room", "remind": "other", "minutes": "77", "texting": "1"}
    sheet = (await edit(me, meeting_id)).fill(myself="1", **entered).invite("u4")
    _, preview = await look(me, sheet)
    again = Sheet((await preview.press(me, "do", "back")).text)
    for name, value in entered.items():
        assert again.get(name) == value
    assert again.get("myself") == "1"
    assert again.people() == sheet.people()


@pytest.mark.parametrize("late", ["looking", "sending"])
async def test_what_came_in_between_is_shown_and_what_was_entered_kept(house: House, late: str) -> None:
    meeting_id = await house.create("u2", content="Before")
    me = await house.browser("u1")
    sheet = (await edit(me, meeting_id)).fill(content="Mine")
    if late == "sending":
        _, sheet = await look(me, sheet)
    await house.update(meeting_id, "u2", content="Theirs")
    answer = await sheet.press(me, "do", "send" if late == "sending" else "save")
    assert answer.status_code == 409
    assert "changed meanwhile" in answer.text
    assert "Title Theirs" in words(answer.text)
    again = Sheet(answer.text)
    assert again.get("content") == "Mine"
    assert (await state(house, meeting_id))[0].content == "Theirs"
    _, preview = await look(me, again)
    led_to(await preview.press(me, "do", "send"))
    assert (await state(house, meeting_id))[0].content == "Mine"


async def test_what_is_wrong_is_told_with_nothing_changed(house: House) -> None:
    meeting_id = await house.create("u2")
    me = await house.browser("u1")
    answer = await (await edit(me, meeting_id)).fill(end="2027-01-01T10:00", content="").press(me)
    assert answer.status_code == 422
    assert "fault-content" in answer.text
    assert "fault-end" in answer.text
    assert (await state(house, meeting_id))[0].sequence == 0


async def test_cancelling_says_who_will_be_told_and_then_tells_them(house: House) -> None:
    meeting_id = await house.create("u2", "u3", remind_type=1)
    await house.tell()
    await house.respond(meeting_id, "u3", DECLINED)
    me = await house.browser("u1")
    page = await me.see(page_of(meeting_id, "/cancel"))
    assert "Are told that the meeting is cancelled 2 people 李强, 张敏 1 of them by SMS too" in words(page)
    answer = await Sheet(page, "/cancel").press(me, "", "")
    assert "The meeting is cancelled." in await me.see(led_to(answer))
    await house.tell()
    assert (await kinds(house, "u3"))[-1] == "cancelled"
    # There is nothing left to do with it but to read the answers.
    rest = await me.see(page_of(meeting_id))
    assert "/edit" not in rest
    assert "/nudge" not in rest
    assert "answers.csv" in rest
    for path in ("/edit", "/cancel"):
        assert led_to(await me.get(page_of(meeting_id, path))).endswith("done=gone")
    sent = await me.send_form(page_of(meeting_id, "/edit"), sequence="0", content="x")
    assert led_to(sent).endswith("done=gone")


async def test_a_cancellation_of_what_has_changed_asks_again(house: House) -> None:
    meeting_id = await house.create("u2")
    me = await house.browser("u1")
    sheet = Sheet(await me.see(page_of(meeting_id, "/cancel")), "/cancel")
    await house.update(meeting_id, "u2", content="Theirs")
    answer = await sheet.press(me, "", "")
    assert answer.status_code == 409
    assert "Theirs" in answer.text
    assert led_to(await Sheet(answer.text, "/cancel").press(me, "", "")).endswith("done=cancelled")


async def test_before_the_invitations_are_out_nobody_hears_of_a_cancellation(house: House) -> None:
    meeting_id = await house.create("u2")
    page = await (await house.browser("u1")).see(page_of(meeting_id, "/cancel"))
    assert "Nobody is told of it." in page


async def test_those_who_have_not_answered_are_nudged_and_not_at_once_again(house: House) -> None:
    meeting_id = await house.create("u2", "u3", "u1", begin_at=NOW + HOUR)
    await house.tell()
    await house.respond(meeting_id, "u3", ACCEPTED)
    me = await house.browser("u1")
    assert "Nudge the 1 who has not answered" in await me.see(page_of(meeting_id))
    where = led_to(await me.send_form(page_of(meeting_id, "/nudge")))
    page = await me.see(where)
    assert "asked once more" in page
    assert "Again in 5 min" in page
    await house.tell()
    assert (await kinds(house, "u2"))[-1] == "nudged"
    assert led_to(await me.send_form(page_of(meeting_id, "/nudge"))).endswith("done=early")
    house.clock.moment += 5 * MINUTE
    assert "Again in" not in await me.see(page_of(meeting_id))
    assert led_to(await me.send_form(page_of(meeting_id, "/nudge"))).endswith("done=nudged")
    house.clock.moment += 3 * HOUR
    assert "/nudge" not in await me.see(page_of(meeting_id))
    assert led_to(await me.send_form(page_of(meeting_id, "/nudge"))).endswith("done=over")


async def test_only_the_organizer_has_these_pages(house: House) -> None:
    mine = await house.create("u2")
    theirs = await house.create("u1", by="u2")
    me, far = await house.browser("u1"), await house.browser("u1", org=THERE)
    calls = [("GET", "/edit"), ("GET", "/cancel"), ("GET", "/answers.csv")]
    calls += [("POST", "/edit"), ("POST", "/cancel"), ("POST", "/nudge")]
    for browser, meeting_id in ((me, theirs), (far, mine), (me, 999_999_999)):
        for method, path in calls:
            address = page_of(meeting_id, path)
            sent = browser.get(address) if method == "GET" else browser.send_form(address, sequence="0")
            assert (await sent).status_code == 404, (method, path)
    assert "/edit" not in await me.see(page_of(theirs))
    assert (await state(house, mine))[0].cancelled_at is None


async def test_nothing_is_changed_from_another_site(house: House) -> None:
    meeting_id = await house.create("u2")
    me = await house.browser("u1")
    for path in ("/edit", "/cancel", "/nudge"):
        sent = await me.post(
            page_of(meeting_id, path), data={"sequence": "0"}, headers={"sec-fetch-site": "cross-site"}
        )
        assert sent.status_code == 403
    assert (await state(house, meeting_id))[0].cancelled_at is None


async def test_the_preview_and_the_confirmation_speak_chinese(house: House) -> None:
    meeting_id = await house.create("u2")
    await house.tell()
    me = await house.browser("u1", language="zh-CN")
    told, _ = await look(me, (await edit(me, meeting_id)).fill(address="四楼"))
    assert "收到变更通知 1人 李强" in told
    assert "收到取消通知 1人 李强" in words(await me.see(page_of(meeting_id, "/cancel")))


async def test_ten_thousand_people_pass_from_step_to_step(house: House) -> None:
    uids = [f"p{number}" for number in range(9_999)]
    detail = house.detail(*uids)
    command = commands.Create(requester_name="王芳", detail=detail)
    meeting_id = await meetings.create(house.services, house.caller("u1"), command)
    me = await house.browser("u1")
    told, preview = await look(me, (await edit(me, meeting_id)).fill(address="Hall"))
    assert re.search(r"9999 people p0, p1, .* and 9989 more", told)
    led_to(await preview.press(me, "do", "send"))
    assert (await state(house, meeting_id))[0].address == "Hall"
    assert (await state(house, meeting_id))[0].end_at == NOW + DAY + HOUR
