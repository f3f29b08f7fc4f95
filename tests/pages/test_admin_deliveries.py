"""Deliveries as operators see them: what became of each, why, and once more for what failed."""

import functools
from collections.abc import AsyncIterator, Sequence

import pytest
from structlog.testing import capture_logs

from huiyao.model import Delivery, DeliveryState, Inbound, Person
from huiyao.rules import deliver
from huiyao.rules.deliver import Sight
from huiyao.storage.contract import Wanted
from tests.pages.house import HERE, MINUTE, THERE, House, open_house, words

NUMBER = "+8613800138002"
LINK = "https://huiyao.test/i/MQFMqQlmxhN7gxlomoqaD7q2cm6G"
MARKUP = "<script>alert(1)</script>"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def either(request: pytest.FixtureRequest) -> AsyncIterator[House]:
    """A house on each database in turn."""
    url = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    async with open_house(url) as made:
        yield made


async def invite(house: House, *uids: str, **rest: object) -> list[Delivery]:
    """A meeting of these people with texts that wait; the newest deliveries, the newest first."""
    meeting_id = await house.create(*uids, remind_type=1, **rest)  # type: ignore[arg-type]
    await house.tell()
    return await house.storage.deliveries(Wanted(meeting_id=meeting_id))


async def fail(house: House, found: Sequence[Delivery], reason: str) -> None:
    end = functools.partial(deliver.fail, reason=reason, now=house.clock.now())
    await house.storage.amend_deliveries([(one.org_id, one.id, end) for one in found])


async def send(house: House, text: str) -> None:
    """Give every text that waits to a gateway that takes it."""

    def look(sight: Sight) -> Delivery:
        return deliver.begin(
            sight.delivery, address=NUMBER, text=text, as_of=sight.meeting.sequence, now=house.clock.now()
        )

    begun = await house.storage.begin_deliveries(
        "sms", now=house.clock.now(), room=100, look_at=100, lease_ms=MINUTE, look=look
    )
    taken = functools.partial(deliver.taken, provider_id=MARKUP, now=house.clock.now())
    await house.storage.amend_deliveries([(one.org_id, one.id, taken) for one, _ in begun.sending])


async def state(house: House, one: Delivery) -> str:
    found = await house.storage.delivery(one.org_id, one.id)
    assert found
    return found.state


def page_of(one: Delivery) -> str:
    return f"/admin/deliveries/{one.org_id}/{one.id}"


async def test_the_list_says_what_became_of_each_and_why(either: House) -> None:
    failed, skipped, waiting = await invite(either, "u2", "u3", "u4")
    await fail(either, [failed], "unreachable")
    skip = functools.partial(deliver.skip, reason="no_number", now=either.clock.now())
    await either.storage.amend_deliveries([(skipped.org_id, skipped.id, skip)])
    operator = await either.operator()
    assert "texts 2 Failed 1 Not sent 1" in words(await operator.see("/admin/"))
    page = words(await operator.see("/admin/deliveries"))
    assert "Failed" in page
    assert "The gateway cannot be reached. unreachable" in page
    assert "Not sent" in page
    assert "The person has no mobile number; import one. no_number" in page
    assert page.index(str(failed.id)) < page.index(str(skipped.id)) < page.index(str(waiting.id))


async def test_filters_show_what_they_name_and_nothing_where_they_name_nothing(either: House) -> None:
    first = await invite(either, "u2", "u3")
    (there,) = await invite(either, "u4", org=THERE)
    await fail(either, first[:1], "timeout")
    operator = await either.operator()
    everything = {one.id for one in (*first, there)}

    async def shown(query: str) -> set[int]:
        page = await operator.see(f"/admin/deliveries?{query}")
        return {one for one in everything if f'/{one}"' in page}

    assert await shown("") == everything
    assert await shown(f"org={THERE.id}") == {there.id}
    assert await shown("state=failed") == {first[0].id}
    assert await shown(f"uid={first[1].uid}") == {first[1].id}
    assert await shown(f"meeting={first[0].meeting_id}") == {one.id for one in first}
    assert await shown("kind=invited&channel=sms") == everything
    assert await shown("kind=reminder") == set()
    assert await shown(f"below={first[0].id}") == {first[1].id}
    for nonsense in ("org=x", "meeting=-1", f"org={'9' * 5000}", f"meeting={2**63}", "uid=%00u2x", "state=x"):
        assert await shown(nonsense) == set(), nonsense


async def test_the_newest_stand_first_whichever_organisation_they_are_of(house: House) -> None:
    made = [(await invite(house, "u2", org=org))[0] for org in (HERE, THERE, HERE, THERE, HERE)]
    page = await (await house.operator()).see("/admin/deliveries")
    places = [page.index(f'/{one.id}"') for one in made]
    assert places == sorted(places, reverse=True)


async def test_older_ones_follow_page_by_page_each_once(house: House) -> None:
    ids = {one.id for _ in range(30) for one in await invite(house, "u2", "u3", "u4")}
    operator = await house.operator()
    seen: list[int] = []
    path = "/admin/deliveries"
    while path:
        page = await operator.see(path)
        seen += [one for one in ids if f'/{one}"' in page]
        path = (
            page.split('<p class="more">')[1].split('href="')[1].split('"')[0] if "Older ones" in page else ""
        )
        path = path.replace("&amp;", "&")
    assert sorted(seen) == sorted(ids)


async def test_one_delivery_is_shown_with_its_life_its_number_only_at_its_end_and_no_link(
    either: House,
) -> None:
    (sent,) = await invite(either, "u2")
    await send(either, f"{MARKUP}您好，详情：{LINK}")
    page = await (await either.operator()).see(page_of(sent))
    shown = words(page)
    assert "…8002" in shown
    assert "138001" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;您好，详情：https://huiyao.test/i/…" in page
    assert MARKUP not in page
    assert LINK not in page
    assert "It was given to the gateway." in shown
    assert "Send again" not in shown


async def test_a_failed_one_is_sent_again_and_one_that_was_sent_is_not(either: House) -> None:
    failed, sent = await invite(either, "u2", "u3")
    await fail(either, [failed], "no_template")
    await send(either, "text")
    operator = await either.operator()
    assert "Send again" in await operator.see(page_of(failed))
    with capture_logs() as lines:
        done = await operator.send_form(f"{page_of(failed)}/retry")
    assert await state(either, failed) == DeliveryState.PENDING
    assert "Queued again" in await operator.see(done.headers["location"])
    assert any(line["event"] == "deliveries queued again" for line in lines)
    refused = await operator.send_form(f"{page_of(sent)}/retry")
    assert refused.status_code == 409
    assert "only failed and skipped ones" in refused.text
    assert await state(either, sent) == DeliveryState.SENT


async def test_all_that_the_page_shows_are_sent_again_of_every_organisation(either: House) -> None:
    here, there = await invite(either, "u2", "u3"), await invite(either, "u4", org=THERE)
    await fail(either, [*here, *there], "unreachable")
    operator = await either.operator()
    page = await operator.see("/admin/deliveries?state=failed")
    keys = [f"{one.org_id}.{one.id}" for one in (*here, *there)]
    assert all(f'name="delivery" value="{key}"' in page for key in keys)
    done = await operator.send_form("/admin/deliveries/retry", delivery=keys, state="failed")
    assert done.headers["location"] == "/admin/deliveries?state=failed&done=queued"
    assert {await state(either, one) for one in (*here, *there)} == {DeliveryState.PENDING}


async def test_sending_nothing_again_or_what_is_none_is_refused(house: House) -> None:
    operator = await house.operator()
    assert (await operator.send_form("/admin/deliveries/retry")).status_code == 409
    refused = await operator.send_form("/admin/deliveries/retry", delivery=f"{HERE.id}.999", uid="u2")
    assert refused.status_code == 409
    assert "There is no delivery 999" in refused.text
    assert 'value="u2"' in refused.text
    for key in ("", "1", "1.", ".1", "x.y", f"{'9' * 5000}.1", "1.2.3"):
        assert (await operator.send_form("/admin/deliveries/retry", delivery=key)).status_code == 400, key


async def test_texts_that_came_in_are_listed_with_what_became_of_them(house: House) -> None:
    answered = Inbound(
        org_id=HERE.id, id=5001, at=house.clock.now(), uid="u2", meeting_id=7, outcome="accepted"
    )
    lost = Inbound(org_id=0, id=5002, at=house.clock.now(), uid="", meeting_id=0, outcome="nobody")
    for one in (answered, lost):
        await house.storage.record_inbound(one)
    page = words(await (await house.operator()).see("/admin/replies"))
    assert "Accepted the invitation." in page
    assert "Ignored: nobody has the number it came from." in page


async def test_the_sandbox_shows_its_texts_whole_to_anybody(sandbox: House) -> None:
    await sandbox.storage.import_people([Person(org_id=HERE.id, uid="u2", name="李强", mobile=NUMBER)])
    await invite(sandbox, "u2")
    await send(sandbox, f"{MARKUP}您好，详情：{LINK}")
    for language, intro in (("en", "SMS outbox"), ("zh-CN", NUMBER)):
        page = await (await sandbox.browser(language=language)).see("/demo/sms")
        assert intro in page
        assert f"李强 {NUMBER}" in words(page)
        assert f'<a href="{LINK}">' in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;您好" in page
        assert MARKUP not in page
        assert 'hx-trigger="every 5s"' in page


async def test_the_outbox_is_the_sandboxs_alone(house: House) -> None:
    await invite(house, "u2")
    assert (await (await house.operator()).get("/demo/sms")).status_code == 404
    assert (await (await house.browser("u2")).get("/demo/sms")).status_code == 404
