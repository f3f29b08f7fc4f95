"""What type checkers see of both surfaces is what is there: mypy checks these lines, pytest runs them."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import assert_type

import httpx
import pytest

from huiyao.client import (
    AsyncHuiyao,
    AsyncPerson,
    Card,
    Changes,
    Huiyao,
    Inbox,
    Invitee,
    Meeting,
    Member,
    Moment,
    MsgStatus,
    Person,
    Ticket,
    Times,
)
from tests.unit.fake_huiyao import APP, BASE, SECRET, FakeHuiyao

BEGIN = datetime(2027, 1, 15, 8, tzinfo=UTC)
END = BEGIN + timedelta(hours=1)
MEMBERS = [Invitee("u2", "李强")]
CARD = {
    "meetingInviteId": 1,
    "orgId": 85161,
    "createrId": "u1",
    "createrName": "王芳",
    "pushStatus": 1,
    "sequence": 0,
    "content": "预算",
    "address": "",
    "beginTime": 1_800_000_000_000,
    "endTime": 1_800_003_600_000,
    "remindMin": 15,
    "remindType": 0,
    "remind": True,
    "reply": "",
}


@pytest.fixture
def server() -> FakeHuiyao:
    fake = FakeHuiyao()
    detail = {"createTime": 1, "content": "预算", "address": "", "remindMin": 15, "remindType": 0}
    detail |= {"beginTime": 1_800_000_000_000, "endTime": 1_800_003_600_000}
    member = {"uid": "u2", "name": "李强", "msgStatus": 2, "remind": True}
    fake.answers = {
        "detail": CARD | {"detail": detail | {"members": [member]}},
        "list": {"items": [CARD]},
        "inbox": {"items": [], "unread": 0, "nextCursor": "c"},
        "freebusy": {"items": [{"uid": "u2", "busy": [], "tentative": []}]},
        "changes": {"items": [], "nextCursor": "c"},
        "ticket": {"ticket": "t", "url": "u", "expiresIn": 60},
    }
    return fake


async def test_for_tasks(server: FakeHuiyao) -> None:
    http = httpx.AsyncClient(transport=httpx.MockTransport(server))
    async with AsyncHuiyao(BASE, app_id=APP, app_secret=SECRET, http=http) as huiyao:
        assert_type(huiyao, AsyncHuiyao)
        assert_type(await huiyao.token(), str)
        me = huiyao.person("u1", name="王芳")
        assert_type(me, AsyncPerson)
        made = await me.create(content="预算", begin=BEGIN, end=END, members=MEMBERS)
        assert_type(made, int)
        meeting = await me.detail(made)
        assert_type(meeting, Meeting)
        assert_type(meeting.members, tuple[Member, ...])
        assert_type(meeting.begin, Moment)
        assert meeting.begin == BEGIN
        assert_type(await me.update(meeting, address="三楼"), None)
        await me.respond(made, MsgStatus.ACCEPTED)
        cards = me.list()
        assert_type(cards, AsyncIterator[Card])
        assert [card.content async for card in cards] == ["预算"]
        assert_type(await me.inbox(), Inbox)
        assert_type(await me.freebusy(["u2"], begin=BEGIN, end=END), dict[str, Times])
        assert_type(await me.changes(), Changes)
        assert_type(await me.ticket(), Ticket)
    assert not http.is_closed, "whoever made it closes it"
    await http.aclose()


def test_for_threads(server: FakeHuiyao) -> None:
    http = httpx.Client(transport=httpx.MockTransport(server))
    with Huiyao(BASE, app_id=APP, app_secret=SECRET, http=http) as huiyao:
        assert_type(huiyao, Huiyao)
        assert_type(huiyao.token(), str)
        me = huiyao.person("u1", name="王芳")
        assert_type(me, Person)
        made = me.create(content="预算", begin=BEGIN, end=END, members=MEMBERS)
        assert_type(made, int)
        meeting = me.detail(made)
        assert_type(meeting, Meeting)
        assert_type(meeting.members, tuple[Member, ...])
        assert_type(meeting.begin, Moment)
        assert meeting.begin == BEGIN
        assert_type(me.update(meeting, address="三楼"), None)
        me.respond(made, MsgStatus.ACCEPTED)
        cards = me.list()
        assert_type(cards, Iterator[Card])
        assert [card.content for card in cards] == ["预算"]
        assert_type(me.inbox(), Inbox)
        assert_type(me.freebusy(["u2"], begin=BEGIN, end=END), dict[str, Times])
        assert_type(me.changes(), Changes)
        assert_type(me.ticket(), Ticket)
    assert not http.is_closed, "whoever made it closes it"
    http.close()


def test_a_wrong_argument_is_seen_by_the_type_checker_and_refused_at_once(server: FakeHuiyao) -> None:
    http = httpx.Client(transport=httpx.MockTransport(server))
    with Huiyao(BASE, app_id=APP, app_secret=SECRET, http=http) as huiyao:
        with pytest.raises(TypeError):
            huiyao.person("u1").remind(1)  # type: ignore[call-arg]
        with pytest.raises(ValueError, match="name"):
            huiyao.person("u1").create(content="预算", begin=BEGIN, end=END, members=MEMBERS)
        with pytest.raises(ValueError, match="created"):
            huiyao.person("u1", name="n").create(
                content="预算", begin=BEGIN, end=END, members=MEMBERS, key="k"
            )
    assert not server.requests
