"""What SMS gateways report: receipts by addresses that only we can make, and invitations answered by text."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast
from urllib.parse import quote_from_bytes, urlsplit

import httpx
import pytest
from structlog.testing import capture_logs

from huiyao import errors, gateway
from huiyao.channels.contract import Outgoing, Unknown
from huiyao.gateway import Gateway
from huiyao.keys import Keys
from huiyao.model import Delivery, Inbound, MsgStatus, Person
from huiyao.service.deliveries import understand
from huiyao.service.keyring import Keyring
from huiyao.storage.contract import Storage, Wanted
from tests.api.world import BEGIN, HOUR, NOW, ORG, World, detail_of, members
from tests.storage.gateway import Gateway as FakeGateway
from tests.storage.gateway import StepwiseSender

PUBLIC = "https://huiyao.test/under/"
NUMBER = "+8613800138000"


class Texting:
    """A world with a gateway: texts go out, and the gateway calls."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.phone = FakeGateway(two_way=True)
        self.sender = StepwiseSender(
            world.storage, self.phone, daily_limit=20, wait_seconds=60, clock=world.clock
        )
        transport = httpx.ASGITransport(app=Gateway(world.services, world.keys))
        self.http = httpx.AsyncClient(transport=transport, base_url="http://huiyao.test")

    async def person(self, uid: str, number: str = NUMBER, *, org: int = ORG) -> None:
        await self.world.storage.import_people([Person(org_id=org, uid=uid, name=uid, mobile=number)])

    async def invite(self, *uids: str, **changes: Any) -> int:
        meeting = await self.world.create(remindType=1, members=members(*uids), **changes)
        await self.tell()
        return meeting

    async def organize(self, name: str, meeting: int, **fields: Any) -> None:
        body = {"requesterUid": "boss", "meetingInviteId": meeting, **fields}
        assert (await self.world.call(name, body)).json()["status"] == 0

    async def move(self, meeting: int, *uids: str, begin: int = BEGIN + HOUR) -> None:
        changed = detail_of(beginTime=begin, endTime=begin + HOUR, remindType=1, members=members(*uids))
        await self.organize("update", meeting, detail=changed)

    async def tell(self) -> None:
        await self.world.dispatch()
        await self.sender.send_all()

    async def delivery(self, uid: str = "a") -> Delivery:
        [found] = await self.world.storage.deliveries(Wanted(org_id=ORG, uid=uid))
        return found

    async def call(self, url: str) -> httpx.Response:
        """As Kannel does, whatever our public address is."""
        parts = urlsplit(url)
        return await self.http.get(f"{parts.path.removeprefix('/under')}?{parts.query}")

    async def report(self, status: str, message: Outgoing | None = None) -> httpx.Response:
        url = gateway.receipt_url(PUBLIC, self.world.keys, self.world.clock)(message or self.phone.got[-1])
        return await self.call(f"{url}&status={status}")

    async def text(self, words: str, number: str = NUMBER, *, ucs2: bool = False) -> Inbound:
        """A text comes in; what became of it."""
        answer = await self.call(inbound(self.world.keys, words, number, ucs2=ucs2))
        assert (answer.status_code, answer.text) == (200, "ok")
        return (await self.world.storage.inbounds(limit=1))[0]

    async def outcome(self, words: str, number: str = NUMBER) -> str:
        return (await self.text(words, number)).outcome

    async def answer_of(self, meeting: int, uid: str = "a") -> int:
        detail = (await self.world.detail(meeting))["detail"]
        return next(int(one["msgStatus"]) for one in detail["members"] if one["uid"] == uid)


def inbound(keys: Keyring, words: str, number: str, *, ucs2: bool = False) -> str:
    """Our get-url with Kannel's escapes filled in."""
    encoded, charset = (words.encode("utf-16-be"), "UTF-16BE") if ucs2 else (words.encode(), "UTF-8")
    filled = {
        "%p": quote_from_bytes(number.encode(), safe=""),
        "%b": quote_from_bytes(encoded),
        "%C": charset,
    }
    return re.sub("%[pbC]", lambda found: filled[found[0]], gateway.inbound_url(PUBLIC, keys))


@asynccontextmanager
async def texting(world: World) -> AsyncIterator[Texting]:
    made = Texting(world)
    await made.person("a")
    async with made.http:
        yield made


@pytest.fixture
async def texts(here: World) -> AsyncIterator[Texting]:
    async with texting(here) as made:
        yield made


@pytest.fixture
async def either_texts(either: World) -> AsyncIterator[Texting]:
    async with texting(either) as made:
        yield made


# Receipts


@pytest.mark.parametrize(
    ("status", "state", "reason"),
    [
        ("1", "delivered", ""),
        ("2", "failed", "undelivered"),
        ("16", "failed", "rejected"),
        ("4", "sent", ""),
        ("8", "sent", ""),
        ("32", "sent", ""),
        ("0", "sent", ""),
        ("", "sent", ""),
        ("%d", "sent", ""),
    ],
)
async def test_a_receipt_says_what_became_of_a_text(
    texts: Texting, status: str, state: str, reason: str
) -> None:
    await texts.invite("a")
    assert (await texts.delivery()).state == "sent"
    answer = await texts.report(status)
    assert (answer.status_code, answer.text) == (200, "ok")
    after = await texts.delivery()
    assert (after.state, after.reason) == (state, reason)


@pytest.mark.parametrize("order", ["8 1", "1 8", "1 1 8 8", "8 1 16", "1 2 4"])
async def test_receipts_may_come_early_twice_and_out_of_order(texts: Texting, order: str) -> None:
    await texts.invite("a")
    for status in order.split():
        assert (await texts.report(status)).status_code == 200
    assert (await texts.delivery()).state == "delivered"


async def test_a_receipt_settles_what_nobody_knew(either_texts: Texting) -> None:
    texts = either_texts
    texts.phone.usual = Unknown("timeout")
    await texts.invite("a")
    assert (await texts.delivery()).state == "pending"
    assert (await texts.report("8")).status_code == 200
    assert (await texts.delivery()).state == "sent"
    assert (await texts.report("1")).status_code == 200
    texts.world.clock.at += HOUR
    await texts.sender.send_all()
    assert (await texts.delivery()).state == "delivered"
    assert len(texts.phone.got) == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("key=", "key=x"),
        ("key=", "nokey="),
        ("org=84000", "org=84001"),
        ("attempt=1", "attempt=2"),
        ("attempt=1", "attempt=one"),
        ("attempt=1", f"attempt={'1' * 5000}"),
        ("attempt=1", "attempt=%C2%B2"),
        ("delivery=", "delivery=1"),
        ("delivery=", "deliver="),
    ],
)
async def test_an_address_that_is_not_ours_changes_nothing(texts: Texting, old: str, new: str) -> None:
    await texts.invite("a")
    url = gateway.receipt_url(PUBLIC, texts.world.keys, texts.world.clock)(texts.phone.got[-1])
    assert old in url
    answer = await texts.call(url.replace(old, new) + "&status=1")
    assert answer.status_code == 403
    assert (await texts.delivery()).state == "sent"


async def test_keys_are_good_for_one_thing_and_one_server_key(texts: Texting) -> None:
    await texts.invite("a")
    ours, others = texts.world.keys, Keyring(Keys.from_text("another server key of more than 32 characters"))
    reply = inbound(ours, "1", NUMBER)
    key = re.search("key=([^&]+)", reply)
    receipt = gateway.receipt_url(PUBLIC, ours, texts.world.clock)(texts.phone.got[-1])
    assert key
    forged = re.sub("key=[^&]+", key[0], receipt)
    for url in (
        forged,
        gateway.receipt_url(PUBLIC, others, texts.world.clock)(texts.phone.got[-1]),
        inbound(others, "1", NUMBER),
    ):
        assert (await texts.call(f"{url}&status=1")).status_code == 403
    assert (await texts.delivery()).state == "sent"
    assert await texts.world.storage.inbounds(limit=9) == []


async def test_a_receipt_of_a_delivery_that_is_gone_is_taken(texts: Texting) -> None:
    gone = Outgoing(
        org_id=ORG,
        delivery_id=123,
        attempt=1,
        kind="invited",
        english=False,
        number=NUMBER,
        text="",
        params={},
    )
    assert (await texts.report("1", gone)).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/sms/"),
        ("GET", "/sms/kannel/"),
        ("GET", "/sms/kannel/receipt/"),
        ("POST", "/sms/kannel/receipt"),
    ],
)
async def test_nothing_else_is_there(texts: Texting, method: str, path: str) -> None:
    assert (await texts.http.request(method, path)).status_code == 404


async def test_kannel_is_asked_to_come_again_while_the_database_is_away(texts: Texting) -> None:
    await texts.invite("a")
    receipt = gateway.receipt_url(PUBLIC, texts.world.keys, texts.world.clock)(texts.phone.got[-1])
    reply = inbound(texts.world.keys, "1", NUMBER)
    texts.world.services.storage = cast(Storage, Unreachable())
    for url in (f"{receipt}&status=1", reply):
        answer = await texts.call(url)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0


class Unreachable:
    """A database that is away."""

    async def amend_deliveries(self, _: object) -> None:
        raise errors.SystemFailure

    async def answerable(self, *_: object, **__: object) -> None:
        raise errors.Overloaded


# Answers by text


@pytest.mark.parametrize("words", ["1", " 1 ", "１", "1.", "1。", "确定", "确定！", "\u3000确定 。\n", "1 ."])
def test_what_accepts(words: str) -> None:
    assert understand(words) == MsgStatus.ACCEPTED


@pytest.mark.parametrize("words", ["2", "２", "2!", "拒绝", " 拒绝。"])
def test_what_declines(words: str) -> None:
    assert understand(words) == MsgStatus.DECLINED


@pytest.mark.parametrize(
    "words",
    [
        "",
        " ",
        "。",
        "3",
        "11",
        "12",
        "1 2",
        "1点可以吗",
        "不确定",
        "确定吗",
        "确定?",
        ".1",
        "①",
        "¹",
        "y",
        "\ufffd",
    ],
)
def test_what_is_no_answer(words: str) -> None:
    assert understand(words) is None


@pytest.mark.parametrize(
    ("words", "outcome", "status"), [("1", "accepted", 2), ("确定。", "accepted", 2), ("2", "declined", 3)]
)
@pytest.mark.parametrize("ucs2", [False, True])
async def test_an_invitation_is_answered_by_text(
    either_texts: Texting, words: str, outcome: str, status: int, ucs2: bool
) -> None:
    texts = either_texts
    meeting = await texts.invite("a", "b")
    texts.world.clock.at += HOUR
    after = await texts.text(words, ucs2=ucs2)
    assert after == Inbound(
        org_id=ORG, id=after.id, at=NOW + HOUR, uid="a", meeting_id=meeting, outcome=outcome
    )
    assert await texts.answer_of(meeting) == status
    assert await texts.answer_of(meeting, "b") == 0
    await texts.text(words)  # Kannel repeats what it thinks was not heard
    assert await texts.answer_of(meeting) == status


@pytest.mark.parametrize("number", ["13800138000", "8613800138000", "008613800138000", "+86 138-0013-8000"])
async def test_the_number_may_be_written_as_gateways_like(texts: Texting, number: str) -> None:
    await texts.invite("a")
    assert await texts.outcome("1", number) == "accepted"


async def test_the_newest_invitation_is_meant(texts: Texting) -> None:
    first = await texts.invite("a")
    texts.world.clock.at += 1000
    second = await texts.invite("a", content="another")
    assert (await texts.text("1")).meeting_id == second
    assert (await texts.answer_of(first), await texts.answer_of(second)) == (0, 2)


async def test_words_that_are_no_answer_are_recorded_and_do_nothing(texts: Texting) -> None:
    meeting = await texts.invite("a")
    after = await texts.text("1点可以吗")
    assert (after.outcome, after.uid, after.meeting_id) == ("not_understood", "a", meeting)
    assert await texts.answer_of(meeting) == 0


@pytest.mark.parametrize("number", ["+8613900139000", "95588", "", "nonsense", "+861380013800\ufffd"])
async def test_a_number_that_nobody_has_is_ignored(texts: Texting, number: str) -> None:
    meeting = await texts.invite("a")
    after = await texts.text("1", number)
    assert (after.org_id, after.uid, after.meeting_id, after.outcome) == (0, "", 0, "nobody")
    assert await texts.answer_of(meeting) == 0


async def test_a_number_that_two_have_answers_for_neither(texts: Texting) -> None:
    meeting = await texts.invite("a")
    await texts.world.add_org(ORG + 1)
    await texts.person("z", org=ORG + 1)
    after = await texts.text("1")
    assert (after.org_id, after.uid, after.outcome) == (0, "", "several")
    assert await texts.answer_of(meeting) == 0


async def test_after_three_days_there_is_nothing_to_answer(texts: Texting) -> None:
    assert await texts.outcome("1") == "no_invitation"
    meeting = await texts.invite("a", beginTime=NOW + 100 * HOUR, endTime=NOW + 101 * HOUR)
    texts.world.clock.at = NOW + 72 * HOUR
    assert await texts.outcome("1") == "accepted"
    texts.world.clock.at += 1
    assert await texts.outcome("2") == "no_invitation"
    assert await texts.answer_of(meeting) == 2


async def test_an_answer_to_another_time_is_none(texts: Texting) -> None:
    meeting = await texts.invite("a")
    await texts.move(meeting, "a")
    assert await texts.outcome("1") == "moved", "the text they have shows the old time"
    assert await texts.answer_of(meeting) == 0
    texts.world.clock.at += 1000
    await texts.tell()
    assert await texts.outcome("1") == "accepted"
    assert await texts.answer_of(meeting) == 2


async def test_what_is_over_cancelled_or_theirs_no_more_is_not_answered(texts: Texting) -> None:
    over = await texts.invite("a")
    texts.world.clock.at = BEGIN + HOUR + 1
    assert await texts.outcome("1") == "over"
    cancelled = await texts.invite("a", beginTime=BEGIN + 9 * HOUR, endTime=BEGIN + 10 * HOUR)
    await texts.organize("cancel", cancelled)
    assert await texts.outcome("2") == "cancelled"
    left = await texts.invite("a", "b", beginTime=BEGIN + 9 * HOUR, endTime=BEGIN + 10 * HOUR)
    await texts.move(left, "b", begin=BEGIN + 9 * HOUR)
    assert await texts.outcome("1") == "not_member"
    assert await texts.answer_of(over) == 0
    found = await texts.world.storage.inbounds(limit=9)
    assert [one.meeting_id for one in found] == [left, cancelled, over]


async def test_the_log_says_what_became_of_it_and_neither_number_nor_words(texts: Texting) -> None:
    meeting = await texts.invite("a")
    with capture_logs() as logs:
        after = await texts.text("确定")
        await texts.report("16")
    assert logs[0] == {
        "event": "text came in",
        "log_level": "info",
        "inbound_id": after.id,
        "org_id": ORG,
        "meeting_id": meeting,
        "outcome": "accepted",
    }
    assert NUMBER[3:] not in str(logs)
    assert "确定" not in str(logs)
    assert "rejected" in str(logs[1:])


def test_the_public_address_may_hold_a_percent_sign() -> None:
    keys = Keyring(Keys.from_text("a server key of more than 32 characters"))
    assert gateway.inbound_url("http://h/a%20b/", keys).startswith("http://h/a%%20b/sms/kannel/inbound?key=")
