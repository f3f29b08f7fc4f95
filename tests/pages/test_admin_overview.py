"""The operators' first page says whether everything is all right, and what to do where it is not."""

import functools

import pytest

import huiyao
from huiyao.model import Callback
from huiyao.rules import deliver
from huiyao.storage.contract import Position, Wanted
from tests.pages.house import APP_ID, HERE, MINUTE, House, words


async def test_what_is_wrong_stands_first_with_what_to_do(house: House) -> None:
    page = words(await (await house.operator()).see("/admin/"))
    assert "Something needs you." in page
    assert "none has ever run" in page
    assert "Start `huiyao dispatch`" in page
    assert page.index("Dispatcher") < page.index("Disk")


async def test_a_chinese_operator_reads_what_was_found_in_chinese(house: House) -> None:
    page = words(await (await house.operator(language="zh-CN")).see("/admin/"))
    assert "从未运行过；请启动 `huiyao serve`" in page
    assert "属于此数据库" in page
    for english in ("none has ever run", "belongs to this database", "in order", "plausible", "the newest"):
        assert english not in page, english


async def test_events_that_nobody_takes_need_somebody(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huiyao.pages.admin.overview.REMEMBER_SECONDS", 0)
    await house.storage.beat("here", now=house.clock.now())
    callback = Callback(style="standard", secret=b"sealed")
    check = house.application.keyring.current.check

    async def seen() -> str:
        return words(await (await house.operator()).see("/admin/"))

    await house.storage.put_callback(APP_ID, "https://hooks.example.com/", callback, check=check)
    assert "apps that are told of events: 1; nothing waits" in await seen()
    await house.create("u2")
    await house.tell()
    for minutes, well in ((14, "In order"), (6, "Wrong")):
        house.clock.moment += minutes * MINUTE
        await house.storage.beat("here", now=house.clock.now())
        page = await seen()
        assert f"{well} Callbacks waiting for app {APP_ID}: 1, the oldest for" in page
    await house.storage.close_callback(APP_ID, "https://hooks.example.com/", now=house.clock.now())
    assert f"the receiver of app {APP_ID} wants nothing any more (410)" in await seen()


async def test_where_all_is_well_it_says_so_with_version_database_and_live_pages(house: House) -> None:
    async def still() -> bool:
        return True

    await house.storage.beat("here", now=house.clock.now())
    stream = house.application.live.stream(
        HERE.id,
        "u2",
        locale="en",
        timezone="Asia/Shanghai",
        after=Position(0, 0),
        since=await house.storage.horizon(),
        still=still,
    )
    await anext(stream)
    page = words(await (await house.operator()).see("/admin/"))
    await stream.aclose()
    assert "Everything is in order." in page
    assert f"Version Huiyao {huiyao.__version__} Database SQLite" in page
    assert "Live pages 1 of this process" in page


async def test_what_waits_is_named_with_how_long_it_has_waited(house: House) -> None:
    await house.storage.beat("here", now=house.clock.now())
    await house.create("u2")
    house.clock.moment += 5 * MINUTE
    await house.storage.beat("here", now=house.clock.now())
    page = words(await (await house.operator()).see("/admin/"))
    assert "Changes to announce 1 the oldest for 5 min Slow" in page
    assert "Something needs you." in page


async def test_the_last_texts_are_counted_by_what_became_of_them_with_a_link_to_them(house: House) -> None:
    await house.create("u2", "u3", remind_type=1)
    await house.tell()
    fail = functools.partial(deliver.fail, reason="timeout", now=house.clock.now())
    found = await house.storage.deliveries(Wanted())
    await house.storage.amend_deliveries([(one.org_id, one.id, fail) for one in found])
    page = await (await house.operator()).see("/admin/")
    assert "Failed 2" in words(page)
    assert 'href="/admin/deliveries?state=failed"' in page


async def test_a_page_that_stays_open_gets_only_what_changes(house: House) -> None:
    operator = await house.operator()
    whole = await operator.see("/admin/")
    part = (await operator.get("/admin/", headers={"hx-request": "true"})).text
    assert 'hx-trigger="every 10s"' in whole
    assert "<html" not in part
    assert "Dispatcher" in part


async def test_a_path_without_its_slash_leads_to_the_page(house: House) -> None:
    answer = await (await house.operator()).get("/admin")
    assert (answer.status_code, answer.headers["location"]) == (302, "/admin/")
