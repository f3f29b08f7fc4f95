"""My invitations: the shelves, one meeting's page, and what I do with my part."""

from typing import Any

import pytest

from huiyao.model import MsgStatus
from huiyao.rules import commands
from huiyao.service import meetings
from tests.pages.house import DAY, HERE, HOUR, MINUTE, NOW, THERE, House, words

ACCEPT, DECLINE = 2, 3


async def status(house: House, meeting_id: int, uid: str) -> int:
    found = await house.storage.meeting(HERE.id, meeting_id, uid)
    assert found is not None
    return found[1].msg_status


async def test_an_invitation_stands_on_the_shelves_it_belongs_to(house: House) -> None:
    await house.create("u2", content="Coming")
    await house.create("u2", content="Gone", begin_at=NOW - DAY)
    await house.create("u3", by="u2", content="Mine", begin_at=NOW + 2 * DAY)
    me = await house.browser("u2")
    upcoming = await me.see("/workbench/")
    assert "Coming" in upcoming
    assert "Mine" in upcoming
    assert "Gone" not in upcoming
    waiting = await me.see("/workbench/?shelf=waiting")
    assert "Coming" in waiting
    assert "Mine" not in waiting
    assert "Gone" in await me.see("/workbench/?shelf=past")
    created = await me.see("/workbench/?shelf=created")
    assert "Mine" in created
    assert "Coming" not in created
    assert (await me.get("/workbench/?shelf=nonsense")).status_code == 404


async def test_empty_shelves_say_so_in_both_languages(house: House) -> None:
    for language, nothing in (("en", "Nothing is coming up."), ("zh-CN", "暂无即将开始的会议。")):
        me = await house.browser("u4", language=language)
        assert nothing in await me.see("/workbench/")


async def test_show_more_goes_on_where_the_page_ended_with_and_without_script(house: House) -> None:
    for number in range(45):
        await house.create("u2", content=f"No{number:02}!", begin_at=NOW + DAY + number * HOUR)
    me = await house.browser("u2")
    seen: list[str] = []
    page = await me.see("/workbench/")
    while True:
        seen += [f"No{number:02}!" for number in range(45) if f">No{number:02}!<" in page]
        if "Show more" not in page:
            break
        after = page.split("shelf=upcoming&amp;after=")[1].split('"')[0]
        page = await me.see(f"/workbench/?shelf=upcoming&after={after}")
    assert seen == [f"No{number:02}!" for number in range(45)]


async def test_opening_a_meeting_marks_it_and_its_messages_as_read(house: House) -> None:
    meeting = await house.create("u2")
    await house.tell()
    me = await house.browser("u2")
    assert 'data-unread="1"' in await me.see("/workbench/")
    assert await status(house, meeting, "u2") == MsgStatus.UNREAD
    assert "季度预算" in await me.see(f"/workbench/meetings/{meeting}")
    assert await status(house, meeting, "u2") == MsgStatus.READ
    assert 'data-unread="0"' in await me.see("/workbench/")


async def test_accepting_and_declining_with_words_reach_the_organizer(house: House) -> None:
    meeting = await house.create("u2", "u3")
    for uid, answer, reply in (("u2", ACCEPT, ""), ("u3", DECLINE, "<script>alert(1)</script>")):
        me = await house.browser(uid)
        done = await me.send_form(
            f"/workbench/meetings/{meeting}/respond", status=answer, reply=reply, sequence=0
        )
        assert done.status_code == 303
        assert await status(house, meeting, uid) == answer
    organizer = await house.browser("u1")
    page = await organizer.see(f"/workbench/meetings/{meeting}")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert(1)" not in page
    # Other attendees see who answered what, not the words.
    other = await house.browser("u2")
    assert "alert(1)" not in await other.see(f"/workbench/meetings/{meeting}")


async def test_an_answer_to_an_old_time_is_refused_and_explained(house: House) -> None:
    meeting = await house.create("u2")
    await house.update(meeting, "u2", begin_at=NOW + 3 * DAY)
    for language, told in (("en", "has changed meanwhile"), ("zh-CN", "会议刚刚有变更")):
        me = await house.browser("u2", language=language)
        answer: dict[str, Any] = {"status": ACCEPT, "reply": "", "sequence": 0}
        refused = await me.send_form(f"/workbench/meetings/{meeting}/respond", **answer)
        assert refused.status_code == 409
        assert told in refused.text
    assert await status(house, meeting, "u2") == MsgStatus.UNREAD


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "9", "sequence": "0"},
        {"status": "", "sequence": "0"},
        {"status": "2"},
        {"status": "2", "sequence": "x"},
        {},
    ],
)
async def test_an_answer_that_says_nothing_is_no_answer(house: House, fields: dict[str, Any]) -> None:
    meeting = await house.create("u2")
    me = await house.browser("u2")
    refused = await me.send_form(f"/workbench/meetings/{meeting}/respond", **fields)
    assert refused.status_code == 400
    assert await status(house, meeting, "u2") == MsgStatus.UNREAD


@pytest.mark.parametrize("reply", ["x" * 501, "a\x00b", "a\x1bb"])
async def test_words_that_are_too_long_or_hold_control_characters_are_refused(
    house: House, reply: str
) -> None:
    meeting = await house.create("u2")
    me = await house.browser("u2")
    answer: dict[str, Any] = {"status": DECLINE, "reply": reply, "sequence": 0}
    refused = await me.send_form(f"/workbench/meetings/{meeting}/respond", **answer)
    assert refused.status_code == 409
    assert "Reply" in words(refused.text)
    assert await status(house, meeting, "u2") != DECLINE


async def test_after_the_end_and_after_a_cancellation_nobody_answers(house: House) -> None:
    over = await house.create("u2", begin_at=NOW - DAY)
    cancelled = await house.create("u2")
    await meetings.cancel(house.services, house.caller("u1"), cancelled, commands.Cancel())
    me = await house.browser("u2")
    for meeting, told in ((over, "The meeting is over."), (cancelled, "The meeting has been cancelled.")):
        path = f"/workbench/meetings/{meeting}"
        assert 'name="status"' not in await me.see(path)
        refused = await me.send_form(f"{path}/respond", status=2, reply="", sequence=0)
        assert refused.status_code == 409
        assert told in refused.text


async def test_a_removed_card_can_be_put_back(house: House) -> None:
    meeting = await house.create("u2")
    me = await house.browser("u2")
    removed = await me.send_form(f"/workbench/meetings/{meeting}/remove?view=card", htmx=True)
    assert "Undo" in removed.text
    assert "季度预算" not in await me.see("/workbench/")
    back = await me.send_form(f"/workbench/meetings/{meeting}/restore?view=card", htmx=True)
    assert f'id="card-{meeting}"' in back.text
    assert "季度预算" in await me.see("/workbench/")


async def test_reminders_are_turned_off_and_on(house: House) -> None:
    meeting = await house.create("u2")
    me = await house.browser("u2")
    for wanted in (False, True):
        await me.send_form(f"/workbench/meetings/{meeting}/remind", remind=int(wanted))
        found = await house.storage.meeting(HERE.id, meeting, "u2")
        assert found is not None
        assert found[1].remind is wanted


async def test_what_else_i_do_at_that_time_is_shown_before_i_accept(house: House) -> None:
    busy = await house.create("u2", by="u3", content="Dentist", begin_at=NOW + DAY + 30 * MINUTE)
    await house.create("u2", by="u3", content="Declined one", begin_at=NOW + DAY)
    await house.respond(busy, "u2", ACCEPT)
    await house.create("u2", content="New one", begin_at=NOW + DAY)
    me = await house.browser("u2")
    page = words(await me.see("/workbench/?shelf=waiting"))
    assert "At the same time: Dentist" in page
    assert "At the same time: Declined one" not in page


async def test_the_organizers_time_is_shown_where_their_zone_differs(house: House) -> None:
    await house.create("u2")
    away = await house.storage.person(HERE.id, "u2")
    assert away is not None
    me = await house.browser("u2")
    assert "For the organiser" not in await me.see("/workbench/")
    changed = await me.send_form("/workbench/me", locale="en", timezone="Europe/Berlin")
    assert changed.status_code == 303
    page = words(await me.see("/workbench/"))
    assert "09:00–10:00" in page
    assert "For the organiser: Sat 16 Jan 16:00–17:00" in page


async def test_language_follows_the_person_then_the_browser(house: House) -> None:
    me = await house.browser("u2", language="en")
    assert "My invitations" in await me.see("/workbench/")
    await me.send_form("/workbench/me", locale="zh-CN", timezone="")
    assert "我的邀请" in await me.see("/workbench/")
    refused = await me.send_form("/workbench/me", locale="xx", timezone="")
    assert refused.status_code == 400
    assert (await me.send_form("/workbench/me", locale="", timezone="No/Where")).status_code == 400


async def test_nobody_sees_a_meeting_that_is_not_theirs(house: House) -> None:
    """Unknown, another organisation's and one I am no part of are one answer."""
    foreign = await house.create("u3", by="u1", org=THERE)
    others = await house.create("u3", by="u1")
    me = await house.browser("u2")
    for meeting in (foreign, others, 999_999, 2**53, 2**62):
        path = f"/workbench/meetings/{meeting}"
        assert (await me.get(path)).status_code == 404
        assert (await me.get(f"{path}/card")).status_code == 404
        for act in ("respond", "remind", "remove", "restore"):
            done = await me.send_form(f"{path}/{act}", status=2, sequence=0, remind=0)
            assert done.status_code == 404, (path, act)
    assert (await me.get(f"/workbench/meetings/{10**30}")).status_code == 404


async def test_a_member_who_was_removed_sees_nothing_any_more(house: House) -> None:
    meeting = await house.create("u2", "u3")
    await house.update(meeting, "u3")
    me = await house.browser("u2")
    assert (await me.get(f"/workbench/meetings/{meeting}")).status_code == 404


async def test_messages_are_shown_newest_first_and_read_by_looking(house: House) -> None:
    await house.create("u2", content="First")
    await house.tell()
    await house.create("u2", content="Second")
    await house.tell()
    me = await house.browser("u2")
    page = await me.see("/workbench/messages")
    assert page.index("Second") < page.index("First")
    assert page.count("message unread") == 2
    assert (await me.see("/workbench/messages")).count("message unread") == 0
