"""A meeting as operators see it: found by its id, who is invited, who changed what when, and its texts."""

import re
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import CheckConstraint

from huiyao.pages.admin import entries, meetings
from huiyao.rules import commands, organize
from huiyao.service import history
from huiyao.service import meetings as service
from huiyao.service.caller import Caller
from huiyao.storage import schema
from huiyao.storage.contract import Wanted
from huiyao.storage.postgres import write
from tests.pages.house import DAY, HERE, HOUR, MINUTE, NOW, THERE, House, open_house, words
from tests.pages.test_admin_deliveries import NUMBER, send

MARKUP = "<script>alert(1)</script>"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def either(request: pytest.FixtureRequest) -> AsyncIterator[House]:
    """A house on each database in turn."""
    url = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    async with open_house(url) as made:
        yield made


def page_of(meeting_id: int) -> str:
    return f"/admin/meetings/{HERE.id}/{meeting_id}"


async def changed(house: House, path: str) -> str:
    """The words of the page's history."""
    return words(
        (await (await house.operator()).see(path)).split('id="history-title"')[1].split("</section>")[0]
    )


async def test_its_facts_and_everybodys_answer_are_shown(either: House) -> None:
    meeting_id = await either.create("u2", "u3", "u4", content="季度预算\n第一季度", remind_min=30)
    await either.respond(meeting_id, "u2", 2)
    await either.respond(meeting_id, "u3", 3)
    await either.update(meeting_id, "u2", "u3", content="季度预算\n第一季度")
    await either.tell()
    page = words(await (await either.operator()).see(page_of(meeting_id)))
    assert f"季度预算 {meeting_id} Everybody is told" in page
    assert "Organiser 王芳 u1" in page
    assert "Place 三楼会议室" in page
    assert "App 7" in page
    assert "sequence 1" in page
    assert "Attendees 2 Accepted 1 Declined 1" in page
    assert "李强 u2 Accepted 张敏 u3 Declined 王芳 u1 Not on the list Organiser 刘洋 u4 Removed" in page


async def test_its_history_says_who_changed_what_into_what_through_which_app(either: House) -> None:
    meeting_id = await either.create("u2", "u3")
    either.clock.moment += MINUTE
    await either.respond(meeting_id, "u2", 3, reply="出差")
    by_link = commands.Remind(remind=False)
    await service.remind(either.services, Caller(None, HERE, "u3"), meeting_id, by_link)
    either.clock.moment += MINUTE
    await either.update(
        meeting_id, "u2", "u4", content=MARKUP, address="", begin_at=NOW + 2 * DAY, minutes=90, remind_type=1
    )
    shown = await changed(either, page_of(meeting_id))
    assert "2027-01-15 08:00:00 Created u1 through app 7" in shown
    assert "2027-01-15 08:01:00 Answered u2 through app 7 Answer Unread → Declined Reply None → 出差" in shown
    assert "Reminder turned on or off u3 by text or personal link Reminder On → Off" in shown
    assert "2027-01-15 08:02:00 Changed u1 through app 7" in shown
    assert "Title and description 季度预算 → &lt;script&gt;alert(1)&lt;/script&gt;" in shown
    assert "Place 三楼会议室 → None" in shown
    assert "Begin 2027-01-16 08:00:00 → 2027-01-17 08:00:00" in shown
    assert "Notices In the app → In the app and by SMS" in shown
    assert "Invited u4 No longer invited u3" in shown
    assert shown.index("Created") < shown.index("Answered") < shown.index("Changed")


async def test_a_long_history_goes_on_page_by_page_each_entry_once(
    either: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meetings, "ENTRIES_SHOWN", 3)
    meeting_id = await either.create("u2")
    replies = [f"reply{number}" for number in range(5)]
    for reply in replies:
        await either.respond(meeting_id, "u2", 2, reply=reply)
    operator = await either.operator()
    first = await operator.see(page_of(meeting_id))
    (after,) = re.findall(r'href="(\?after=[0-9.]+)#', first)
    second = await operator.see(page_of(meeting_id) + after)
    assert re.findall(r"<ins>(reply\d)</ins>", first) == replies[:2]
    assert re.findall(r"<ins>(reply\d)</ins>", second) == replies[2:]
    assert "Later ones" not in second
    assert "From the beginning" in second


async def test_a_list_of_many_people_is_cut_short(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries, "MOST_UIDS", 2)
    monkeypatch.setattr(meetings, "ATTENDEES_SHOWN", 2)
    meeting_id = await house.create("u1")
    await house.update(meeting_id, "u1", "u2", "u3", "u4")
    page = words(await (await house.operator()).see(page_of(meeting_id)))
    assert "Invited u2, u3 and 1 more" in page
    assert "2 more are not shown." in page


async def test_its_texts_are_listed_with_numbers_only_at_their_end(either: House) -> None:
    meeting_id = await either.create("u2", "u3", remind_type=1)
    other = await either.create("u4", remind_type=1)
    await either.tell()
    await send(either, "text")
    page = await (await either.operator()).see(page_of(meeting_id))
    assert "Invitation Sent" in words(page)
    assert "…8002" in page
    assert NUMBER[:10] not in page
    assert f'href="/admin/deliveries?org={HERE.id}&amp;meeting={meeting_id}"' in page
    mine = {one.id for one in await either.storage.deliveries(Wanted(meeting_id=meeting_id))}
    theirs = {one.id for one in await either.storage.deliveries(Wanted(meeting_id=other))}
    links = f"/admin/deliveries/{HERE.id}/"
    assert {one for one in mine | theirs if f'"{links}{one}"' in page} == mine
    assert len(mine) == 2


async def test_texts_that_were_sent_lead_to_their_meeting(house: House) -> None:
    meeting_id = await house.create("u2", remind_type=1)
    await house.tell()
    operator = await house.operator()
    listed = await operator.see("/admin/deliveries")
    assert f'href="{page_of(meeting_id)}"' in listed
    one = listed.split(f'href="/admin/deliveries/{HERE.id}/')[1].split('"')[0]
    assert f'href="{page_of(meeting_id)}"' in await operator.see(f"/admin/deliveries/{HERE.id}/{one}")


async def test_a_meeting_is_found_by_its_id_from_the_organisations_page(house: House) -> None:
    meeting_id = await house.create("u2")
    operator = await house.operator()
    form = f"/admin/meetings/{HERE.id}"
    assert f'action="{form}"' in await operator.see(f"/admin/organisations/{HERE.id}")
    found = await operator.get(f"{form}?meeting=%20{meeting_id}")
    assert (found.status_code, found.headers["location"]) == (303, page_of(meeting_id))
    assert "Find the meeting" in await operator.see(form)
    for typed in ("", "x", str(meeting_id + 1), "9" * 400, "%00"):
        missing = await operator.get(f"{form}?meeting={typed}")
        assert missing.status_code == 404, typed
        assert "This organisation has no meeting of this id." in missing.text


async def test_what_is_no_meeting_of_the_organisation_is_not_there(house: House) -> None:
    theirs = await house.create("u2", org=THERE)
    mine = await house.create("u2")
    operator = await house.operator()
    for path in (
        page_of(theirs),
        page_of(mine + 1_000_000),
        page_of(2**63),
        f"/admin/meetings/{HERE.id}/x",
        f"/admin/meetings/9/{mine}",
        f"/admin/meetings/{2**63}",
        f"{page_of(mine)}?after=x",
        f"{page_of(mine)}?after=1",
        f"{page_of(mine)}?after=1.{2**63}",
    ):
        assert (await operator.get(path)).status_code == 404, path
    assert (await operator.get(f"/admin/meetings/{HERE.id}?meeting={theirs}")).status_code == 404


async def test_nobody_but_an_operator_sees_it(house: House) -> None:
    meeting_id = await house.create("u2")
    for browser in (await house.browser(), await house.browser("u1")):
        for path in (page_of(meeting_id), f"/admin/meetings/{HERE.id}"):
            assert (await browser.get(path)).status_code == 401


async def test_a_missed_reminder_and_an_erased_persons_answer_are_told_without_words(either: House) -> None:
    meeting_id = await either.create("u2", begin_at=NOW + HOUR)
    await either.respond(meeting_id, "u2", 2, reply="secret reason")
    await either.tell()
    either.clock.moment = NOW + 3 * HOUR
    await either.tell()
    await either.storage.erase_person(HERE.id, "u2")
    page = await (await either.operator()).see(page_of(meeting_id))
    assert "secret" not in page
    assert "Answered u2 through app 7 2027" in words(page)
    assert "Reminder missed: it would have come too late" in page


def test_every_kind_and_field_of_an_entry_has_a_word() -> None:
    kinds = next(
        str(one.sqltext)
        for one in schema.history.constraints
        if isinstance(one, CheckConstraint) and "missed" in str(one.sqltext)
    )
    assert set(re.findall(r"'(\w+)'", kinds)) == entries.KINDS.keys()
    own = set(write._OWN_FIELDS) - set(history._REPEATING)
    assert {*organize._COMPARED, *own, *history.UIDS} == entries.FIELDS.keys()
