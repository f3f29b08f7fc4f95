"""Apps, organisations and people as operators see and change them."""

from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from huiyao.model import USUAL_CALLS, App, Org, Person
from huiyao.service import sessions
from tests.pages.house import APP_ID, HERE, THERE, House, words

MARKUP = "<script>alert(1)</script>"
ESCAPED = "&lt;script&gt;alert(1)&lt;/script&gt;"
IDS = ["0", "-1", "x", "%00", "1e3", "１", "9" * 19, "9" * 20, "9" * 5000, str(2**63), str(2**64)]


async def app(house: House, app_id: int = APP_ID) -> App:
    found = await house.storage.app(app_id)
    assert found
    return found


async def org(house: House) -> Org:
    found = await house.storage.org(HERE.id)
    assert found
    return found


async def test_an_app_is_shown_without_its_secret(house: House) -> None:
    operator = await house.operator()
    assert f"/admin/apps/{APP_ID}" in await operator.see("/admin/apps")
    page = await operator.see(f"/admin/apps/{APP_ID}")
    assert "示例公司" in page
    assert f"huiyao app rotate {APP_ID}" in page
    sealed = (await app(house)).secret
    for secret in ("an-app-secret-of-the-tests", sealed.hex(), repr(sealed)[2:-1]):
        assert secret not in page


async def test_an_app_is_disabled_and_enabled_again_with_a_line_in_the_log(house: House) -> None:
    operator = await house.operator()
    with capture_logs() as lines:
        done = await operator.send_form(f"/admin/apps/{APP_ID}/disable")
    assert done.status_code == 303
    assert (await app(house)).disabled
    assert "is disabled" in await operator.see(done.headers["location"])
    marked = next(line for line in lines if line["event"] == "app disabled")
    assert marked["app_id"] == APP_ID
    assert len(marked["operator"]) == 8
    await operator.send_form(f"/admin/apps/{APP_ID}/enable")
    assert not (await app(house)).disabled


async def test_permissions_are_those_that_are_ticked(house: House) -> None:
    operator = await house.operator()
    await operator.send_form(f"/admin/apps/{APP_ID}/grants", grant=["ticket", "freebusy"])
    assert (await app(house)).grants == {"ticket", "freebusy"}
    await operator.send_form(f"/admin/apps/{APP_ID}/grants", grant="changes")
    assert (await app(house)).grants == {"changes"}
    await operator.send_form(f"/admin/apps/{APP_ID}/grants")
    assert (await app(house)).grants == set()
    refused = await operator.send_form(f"/admin/apps/{APP_ID}/grants", grant="everything")
    assert refused.status_code == 409
    assert "is no API permission" in refused.text


async def test_limits_of_an_app_are_shown_and_set(house: House) -> None:
    operator = await house.operator()
    path = f"/admin/apps/{APP_ID}"
    assert (await operator.see(path)).count('name="api" value=') == len(USUAL_CALLS)
    done = await operator.send_form(
        f"{path}/limits",
        ip="203.0.113.9/24\r\n 2001:DB8::/32, 192.0.2.7 ",
        api=["create", "detail"],
        rate=" 50 ",
        quota="100000",
    )
    assert done.status_code == 303
    changed = await app(house)
    assert changed.ip_list == ("203.0.113.0/24", "2001:db8::/32", "192.0.2.7/32")
    assert changed.api_list == {"create", "detail"}
    assert (changed.rate, changed.quota) == (50, 100_000)
    page = await operator.see(path)
    assert "203.0.113.0/24\n2001:db8::/32\n192.0.2.7/32</textarea>" in page
    assert page.count('" checked> ') == 2 + len(changed.grants) + len(changed.orgs)
    assert 'value="100000"' in page
    await operator.send_form(f"{path}/limits", ip="", api=list(USUAL_CALLS), rate="", quota="")
    free = await app(house)
    assert (free.ip_list, free.api_list, free.rate, free.quota) == ((), frozenset(), 0, 0)


@pytest.mark.parametrize(
    ("fault", "wrong", "sentence"),
    [
        ("ip", {"ip": "localhost"}, "is no IP address or network"),
        ("rate", {"rate": "many"}, "A limit is a number from 0 to 1000000."),
        ("rate", {"rate": "1000001", "ip": "localhost"}, "A limit is a number from 0 to 1000000."),
        ("quota", {"quota": "-1"}, "A limit is a number from 0 to"),
        ("quota", {"quota": "9" * 30}, "A limit is a number from 0 to"),
        ("api", {"api": []}, "is better disabled"),
        ("ip", {"api": ["everything"]}, "is no call that every app may make"),
    ],
)
async def test_a_wrong_limit_is_refused_beside_its_field_with_what_was_entered(
    house: House, fault: str, wrong: dict[str, str | list[str]], sentence: str
) -> None:
    operator = await house.operator()
    entered: dict[str, Any] = {"ip": "192.0.2.7", "api": ["create"], "rate": "7", "quota": "70"}
    before = await app(house)
    refused = await operator.send_form(f"/admin/apps/{APP_ID}/limits", **{**entered, **wrong})
    assert refused.status_code == 409
    page = refused.text
    assert sentence in page
    assert f'id="{fault}-fault"' in page
    assert page.count('aria-invalid="true"') == (fault != "api")
    assert f'aria-describedby="{fault}-fault"' in page
    assert str(wrong.get("rate", "7")) in page
    assert await app(house) == before


async def test_organisations_of_an_app_are_those_that_are_ticked(house: House) -> None:
    operator = await house.operator()
    path = f"/admin/apps/{APP_ID}/organisations"
    await operator.send_form(path, org=[HERE.id, THERE.id], default=THERE.id)
    assert (await app(house)).orgs == (THERE.id, HERE.id)
    assert (await app(house)).default_org == THERE.id
    refused = await operator.send_form(path, org=HERE.id, default=THERE.id)
    assert refused.status_code == 409
    assert "is not granted organisation" in refused.text
    assert (await operator.send_form(path, org="1", default="")).status_code == 409
    assert (await operator.send_form(path, org="x")).status_code == 400
    assert len((await app(house)).orgs) == 2


async def test_what_names_nothing_is_not_found_whatever_its_size(house: House) -> None:
    operator = await house.operator()
    for one in IDS:
        for path in (
            f"/admin/apps/{one}",
            f"/admin/organisations/{one}",
            f"/admin/deliveries/{one}/1",
            f"/admin/deliveries/1/{one}",
            f"/admin/people?org={one}",
            f"/admin/people/one?org={one}&uid=u1",
        ):
            assert (await operator.get(path)).status_code == 404, path
        assert (await operator.send_form(f"/admin/apps/{one}/disable")).status_code == 404
    for uid in ("", "nobody", "%00", "u1%00", "u" * 5000, "%ff", "%ed%b2%80", "../u1"):
        assert (await operator.get(f"/admin/people/one?org={HERE.id}&uid={uid}")).status_code == 404


async def test_names_are_shown_as_they_are_written(house: House) -> None:
    await house.storage.put_app(msgspec.structs.replace(await app(house), name=MARKUP, callback_url=MARKUP))
    await house.storage.put_org(msgspec.structs.replace(HERE, name=MARKUP))
    await house.storage.import_people([Person(org_id=HERE.id, uid='"><b>x', name=MARKUP)])
    operator = await house.operator()
    for path in (
        "/admin/apps",
        f"/admin/apps/{APP_ID}",
        "/admin/organisations",
        f"/admin/organisations/{HERE.id}",
        f"/admin/people?org={HERE.id}&q=%3Cscript",
        f"/admin/people/one?org={HERE.id}&uid=%22%3E%3Cb%3Ex",
    ):
        page = await operator.see(path)
        assert ESCAPED in page, path
        assert MARKUP not in page, path
        assert '"><b>x' not in page, path


async def test_an_organisation_is_changed(house: House) -> None:
    operator = await house.operator()
    path = f"/admin/organisations/{HERE.id}"
    page = words(await operator.see(path))
    assert "People 4" in page
    assert f"huiyao person import FILE.csv --org {HERE.id}" in page
    done = await operator.send_form(path, name="新公司", timezone="Europe/Paris", directory="closed")
    assert done.status_code == 303
    assert await org(house) == Org(id=HERE.id, name="新公司", timezone="Europe/Paris", closed=True)
    assert "Closed directory" in words(await operator.see("/admin/organisations"))


@pytest.mark.parametrize(
    ("fault", "name", "timezone"),
    [
        ("name", " ", "Europe/Paris"),
        ("name", "a\u202eb", "Europe/Paris"),
        ("timezone", "新公司", "Mars/Olympus"),
        ("timezone", "新公司", "../../etc/passwd"),
    ],
)
async def test_a_wrong_organisation_is_refused_beside_its_field_with_what_was_entered(
    house: House, fault: str, name: str, timezone: str
) -> None:
    operator = await house.operator()
    refused = await operator.send_form(
        f"/admin/organisations/{HERE.id}", directory="closed", name=name, timezone=timezone
    )
    assert refused.status_code == 409
    assert 'role="alert"' in refused.text
    assert f'aria-describedby="{fault}-fault"' in refused.text
    assert 'value="closed" checked' in refused.text
    assert await org(house) == HERE


async def test_people_are_found_by_name_pinyin_uid_and_number_page_by_page(house: House) -> None:
    await house.storage.import_people(
        [Person(org_id=HERE.id, uid=f"x{number:03}", name=f"Extra {number}") for number in range(60)]
        + [Person(org_id=HERE.id, uid="m1", name="曾芳", mobile="+8613800138009")]
    )
    operator = await house.operator()
    for sought in ("曾", "zengfang", "m1", "13800138009", "ZF m1"):
        page = words(await operator.see(f"/admin/people?org={HERE.id}&q={sought}"))
        assert "曾芳 m1 …8009" in page, sought
        assert "Extra" not in page
        assert "13800138009" not in page
    first = await operator.see(f"/admin/people?org={HERE.id}&q=extra")
    after = first.split("after=")[1].split('"')[0]
    second = await operator.see(f"/admin/people?org={HERE.id}&q=extra&after={after}")
    for number in range(60):
        assert (f"Extra {number}<" in first) != (f"Extra {number}<" in second), number
    assert "Nobody was found." in await operator.see(f"/admin/people?org={HERE.id}&q=%00{'qzx ' * 5000}")


async def test_people_of_another_organisation_are_not_in_this_one(house: House) -> None:
    await house.storage.import_people([Person(org_id=THERE.id, uid="alien", name="Alien")])
    operator = await house.operator()
    assert "Alien" not in await operator.see(f"/admin/people?org={HERE.id}")
    assert (await operator.get(f"/admin/people/one?org={HERE.id}&uid=alien")).status_code == 404


async def test_a_persons_page_shows_their_number_only_at_its_end(house: House) -> None:
    await house.storage.import_people(
        [Person(org_id=HERE.id, uid="u2", name="李强", mobile="+8613800138002", locale="en")]
    )
    await house.create("u2")
    page = await (await house.operator()).see(f"/admin/people/one?org={HERE.id}&uid=u2")
    assert "Mobile number …8002" in words(page)
    assert "Upcoming invitations 1" in words(page)
    assert "1380013" not in page


async def test_a_person_is_signed_out_everywhere(house: House) -> None:
    person, other, operator = await house.browser("u2"), await house.browser("u3"), await house.operator()
    done = await operator.send_form("/admin/people/one/sign-out", org=HERE.id, uid="u2")
    assert "signed out everywhere" in await operator.see(done.headers["location"])
    assert (await person.get("/workbench/")).status_code == 401
    assert (await other.get("/workbench/")).status_code == 200


async def test_a_person_is_erased_only_where_their_uid_is_typed(house: House) -> None:
    operator = await house.operator()
    for typed in ("", "u3", "U2"):
        refused = await operator.send_form("/admin/people/one/erase", org=HERE.id, uid="u2", confirm=typed)
        assert refused.status_code == 409
        assert 'aria-describedby="confirm-fault"' in refused.text
    assert await house.storage.person(HERE.id, "u2")
    with capture_logs() as lines:
        done = await operator.send_form("/admin/people/one/erase", org=HERE.id, uid="u2", confirm="u2")
    assert done.status_code == 303
    assert await house.storage.person(HERE.id, "u2") is None
    assert await house.storage.person(THERE.id, "u2")
    assert "李强" not in str(lines)
    assert any(line["event"] == "person erased" and line["uid"] == "u2" for line in lines)
    assert "is erased" in await operator.see(done.headers["location"])


async def test_operators_have_no_session_that_could_be_ended_as_a_persons(house: House) -> None:
    operator = await house.operator()
    answer = await operator.send_form("/admin/people/one/sign-out", org=0, uid="")
    assert answer.status_code == 404
    assert await sessions.find(house.services, operator.cookies["huiyao-admin"])
