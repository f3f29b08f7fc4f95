"""Callbacks as operators see them: which events, what became of each, and once more."""

from functools import partial

import pytest

from huiyao.model import Callback, Event, EventState
from huiyao.rules import callbacks
from huiyao.rules.callbacks import Attempt
from huiyao.storage.event_contract import EventsWanted
from tests.pages.house import APP_ID, HERE, THERE, House, words

URL = "https://hooks.example.com/"


@pytest.fixture
async def told(house: House) -> House:
    """A house whose app has a callback, with a meeting and an answer."""
    check = house.application.keyring.current.check
    await house.storage.put_callback(APP_ID, URL, Callback(style="standard", secret=b"sealed"), check=check)
    meeting_id = await house.create("u2", "u3")
    await house.tell()
    await house.respond(meeting_id, "u2", 2)
    return house


async def end(house: House, one: Event, outcome: str, *, delivered: bool) -> None:
    attempt = Attempt(at=house.clock.now(), ms=12, outcome=outcome)
    what = partial(callbacks.delivered if delivered else callbacks.refused, attempt=attempt)
    await house.storage.amend_events([(one.org_id, one.id, what)])


async def test_the_list_and_the_page_say_what_became_of_each(told: House) -> None:
    answered, pushed = await told.storage.events(EventsWanted())
    await end(told, pushed, "200", delivered=True)
    await end(told, answered, "timeout", delivered=False)
    operator = await told.operator()
    page = words(await operator.see("/admin/callbacks"))
    assert page.index(str(answered.id)) < page.index(str(pushed.id))
    assert "Delivered" in page
    assert "The receiver did not answer within 10 seconds. timeout" in page
    shown = words(await operator.see(f"/admin/callbacks/{HERE.id}/{answered.id}"))
    assert "timeout 12 ms" in shown
    assert "sequence 0" in shown
    shown = words(await operator.see(f"/admin/callbacks/{HERE.id}/{pushed.id}"))
    assert "The receiver took it. 200 12 ms" in shown
    assert URL in words(await operator.see(f"/admin/apps/{APP_ID}"))


async def test_filters_show_what_they_name(told: House) -> None:
    operator = await told.operator()
    answered, pushed = await told.storage.events(EventsWanted())
    for query, found in (
        (f"app={APP_ID}", 2),
        ("type=103", 1),
        ("state=pending", 2),
        ("state=failed", 0),
        (f"org={THERE.id}", 0),
        (f"meeting={pushed.meeting_id}&type=101", 1),
        ("meeting=nonsense", 0),
        ("type=999", 0),
        (f"below={answered.id}", 1),
        ("state=%00%3Cscript%3E", 0),
    ):
        page = await operator.see(f"/admin/callbacks?{query}")
        assert page.count('<li class="card">') == found, query


async def test_an_event_is_replayed_once_it_has_ended(told: House) -> None:
    _, pushed = await told.storage.events(EventsWanted())
    operator = await told.operator()
    path = f"/admin/callbacks/{HERE.id}/{pushed.id}"
    assert "replay" not in await operator.see(path)
    assert (await operator.send_form(f"{path}/replay")).status_code == 409
    await end(told, pushed, "410", delivered=False)
    answer = await operator.send_form(f"{path}/replay")
    assert answer.status_code == 303
    assert "same eventId" in words(await operator.see(answer.headers["location"]))
    found = await told.storage.event(HERE.id, pushed.id)
    assert found
    assert found.state == EventState.PENDING


async def test_nobody_else_sees_them_and_what_is_not_there_is_not_found(told: House) -> None:
    _, pushed = await told.storage.events(EventsWanted())
    operator = await told.operator()
    for path in (f"{THERE.id}/{pushed.id}", f"{HERE.id}/1", f"{HERE.id}/x"):
        assert (await operator.get(f"/admin/callbacks/{path}")).status_code == 404
    person = await told.browser("u1")
    assert (await person.get("/admin/callbacks")).status_code != 200
