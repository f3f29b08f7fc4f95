"""What a sender sends and what becomes of it, with a gateway that does as it is told."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from huiyao.channels.contract import Refused, Retry, Sent, Unknown
from huiyao.model import RemindType
from huiyao.rules import timing
from huiyao.texts import sms
from tests.storage.gateway import Gateway
from tests.storage.node import BOSS, HOUR, MINUTE, NOW, ORG, Node, number, person
from tests.storage.sending import WAIT, measured, running, texts_for, until_outcomes

SMS = RemindType.SMS


@pytest.fixture
def url(sqlite_url: str) -> str:
    """What a sender decides is the same on PostgreSQL, which has tests of its own."""
    return sqlite_url


async def test_a_text_goes_to_the_persons_number_in_their_language_and_is_kept_as_it_was_sent(
    node: Node,
) -> None:
    await node.storage.import_people(
        [person("ann", mobile="13800138000"), person("bob", mobile="+1 201 555 0123", locale="en")]
    )
    meeting_id = await node.create("ann", "bob", remind_type=SMS)
    await node.expand_all()
    gateway = Gateway(Sent("id 1"), Sent("id 2"))
    before = measured("huiyao_deliveries_total", channel="sms", kind="invited", state="sent", reason="")
    node.clock.moment += 1500
    async with running(node, gateway):
        await until_outcomes(node, ("sent", ""), ("sent", ""))
    ann, bob = gateway.got
    assert (ann.org_id, ann.attempt, ann.kind) == (ORG.id, 1, "invited")
    assert (ann.number, ann.english) == ("+8613800138000", False)
    assert (bob.number, bob.english) == ("+12015550123", True)
    assert "邀请您参加会议" in ann.text
    assert "invites you to a meeting" in bob.text
    assert (ann.params["content"], bob.params["place"]) == ("content", "room 1")
    for message, one in zip((ann, bob), await node.deliveries(), strict=True):
        assert (message.delivery_id, message.number, message.text) == (one.id, one.address, one.text)
        assert (one.meeting_id, one.sent_at, one.as_of, one.uncertain) == (meeting_id, NOW + 1500, 0, 0)
    assert [one.provider_id for one in await node.deliveries()] == ["id 1", "id 2"]
    after = measured("huiyao_deliveries_total", channel="sms", kind="invited", state="sent", reason="")
    assert after == before + 2


@pytest.mark.parametrize(
    ("two_way", "answered", "hint"), [(True, False, True), (True, True, False), (False, False, False)]
)
async def test_who_can_answer_by_text_and_has_not_is_told_how(
    node: Node, two_way: bool, answered: bool, hint: bool
) -> None:
    meeting_id = await texts_for(node, "ann")
    if answered:
        await node.respond(meeting_id, "ann")
    gateway = Gateway(two_way=two_way)
    await node.send_all(gateway)
    assert ("回复1确定" in gateway.got[0].text) is hint


@pytest.mark.parametrize(
    ("mobile", "reason"),
    [
        ("", "no_number"),
        ("010 6234 5678", "bad_number"),
        ("call me", "bad_number"),
        ("+86", "bad_number"),
        ("999", "bad_number"),
    ],
)
async def test_no_number_or_a_bad_one_is_recorded_and_never_tried(
    node: Node, mobile: str, reason: str
) -> None:
    await node.storage.import_people([person("ann", mobile=mobile)])
    await node.create("ann", remind_type=SMS)
    await node.expand_all()
    gateway = Gateway()
    async with running(node, gateway) as found:
        await until_outcomes(node, ("skipped", reason))
        node.clock.moment += 12 * HOUR
        found.wake()
    assert gateway.got == []
    (one,) = await node.deliveries()
    assert (one.attempt, one.address, one.text) == (0, "", "")


async def test_what_the_gateway_refuses_is_recorded_and_not_repeated(node: Node) -> None:
    await texts_for(node, "ann", "bob")
    gateway = Gateway(Refused("bad_number"))
    for _ in range(30):
        await node.send_all(gateway)
        node.clock.moment += HOUR
    assert await node.outcomes() == [("invited", "failed", "bad_number"), ("invited", "sent", "")]
    assert len(gateway.got) == 2


async def test_nobody_gets_more_texts_in_a_day_than_the_operator_allows(node: Node) -> None:
    for _ in range(3):
        await texts_for(node, "ann", "bob")
    gateway = Gateway()
    await node.send_all(gateway, daily_limit=2)
    assert [(one.state, one.reason) for one in await node.deliveries("ann")] == [
        ("sent", ""),
        ("sent", ""),
        ("skipped", "daily_limit"),
    ]
    assert len(gateway.kinds(number("bob"))) == 2
    node.clock.moment += timing.DAY_MS - 1
    await texts_for(node, "ann", begin_at=NOW + 99 * HOUR)
    await node.send_all(gateway, daily_limit=2)
    assert len(gateway.kinds(number("ann"))) == 2
    node.clock.moment += 1
    await texts_for(node, "ann", begin_at=NOW + 99 * HOUR)
    await node.send_all(gateway, daily_limit=2)
    assert len(gateway.kinds(number("ann"))) == 3


async def test_a_repeat_is_a_text_too_and_the_limit_holds_for_it(node: Node) -> None:
    await texts_for(node, "ann")
    gateway = Gateway(Unknown("timeout"))
    for _ in range(3):
        await node.send_all(gateway, daily_limit=1)
        node.clock.moment += WAIT
    assert len(gateway.got) == 1
    assert await node.outcomes() == [("invited", "failed", "unknown")]


async def test_a_text_that_cannot_be_made_holds_up_no_other_and_fails_in_the_end(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    await node.people("ann", "bob", "cat")
    meetings = []
    for uid in ("ann", "bob", "cat"):
        meetings.append(await node.create(uid, begin_at=NOW + 999 * HOUR, remind_type=SMS))
        await node.expand_all()
    render = sms.render
    secret = number("ann")

    def breaks(kind: str, meeting: Any, **rest: Any) -> sms.Text:
        if meeting.id == meetings[0]:
            raise ArithmeticError(secret)
        return render(kind, meeting, **rest)

    monkeypatch.setattr(sms, "render", breaks)
    gateway = Gateway()
    with capture_logs() as lines:
        await node.send_all(gateway)
        assert [one.number for one in gateway.got] == [number("bob"), number("cat")]
        dues = []
        while (one := (await node.deliveries("ann"))[0]).state == "pending":
            dues.append(one.due_at - node.clock.moment)
            node.clock.moment = one.due_at
            await node.send_all(gateway)
    assert dues == [2000 * 2**step for step in range(11)]
    assert (one.state, one.reason, one.attempt) == ("failed", "error", 0)
    assert [line["delivery_id"] for line in lines if line["event"] == "delivery put off"] == [one.id] * 12
    assert secret not in str(lines)


async def test_an_unknown_request_waits_for_a_receipt_is_repeated_once_and_then_fails(node: Node) -> None:
    await texts_for(node, "ann")
    gateway = Gateway(usual=Unknown("timeout"))
    for moment, requests in ((NOW, 1), (NOW + WAIT - 1, 1), (NOW + WAIT, 2), (NOW + 2 * WAIT - 1, 2)):
        node.clock.moment = moment
        await node.send_all(gateway)
        assert len(gateway.got) == requests
    assert await node.outcomes() == [("invited", "pending", "timeout")]
    for _ in range(5):
        node.clock.moment += WAIT
        await node.send_all(gateway)
    assert [one.attempt for one in gateway.got] == [1, 2]
    assert await node.outcomes() == [("invited", "failed", "unknown")]


async def test_a_channel_that_breaks_leaves_its_request_unknown_and_the_sender_at_work(node: Node) -> None:
    await texts_for(node, "ann", "bob")
    gateway = Gateway(RuntimeError("王芳"))
    with capture_logs() as lines:
        await node.send_all(gateway)
    assert await node.outcomes() == [("invited", "pending", "error"), ("invited", "sent", "")]
    ((failed, error),) = [(line["log_level"], line["error"]) for line in lines if "error" in line]
    assert failed == "error"
    assert "RuntimeError" in error
    assert "王芳" not in str(lines)


async def test_a_channel_that_never_answers_gives_its_place_back(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huiyao.dispatch.sender.LONGEST_SECONDS", 0.05)
    await texts_for(node, "ann", "bob")
    gateway = Gateway(concurrency=1)
    gateway.open.clear()
    async with running(node, gateway):
        await until_outcomes(node, ("pending", "timeout"), ("pending", "timeout"))
        assert gateway.most_under_way == 1


async def test_what_is_put_off_by_the_gateway_is_sent_when_it_wishes(node: Node) -> None:
    await texts_for(node, "ann")
    gateway = Gateway(Retry("busy", down=False, after_seconds=30))
    await node.send_all(gateway)
    node.clock.moment += 30_000 - 1
    await node.send_all(gateway)
    assert len(gateway.got) == 1
    node.clock.moment += 1
    await node.send_all(gateway)
    assert await node.outcomes() == [("invited", "sent", "")]


async def test_what_was_no_longer_true_when_the_sender_looked_is_not_sent(node: Node) -> None:
    """Each reason has its own test in the rules; here, that the sender asks them, of the state it has just read."""
    gone = await texts_for(node, "ann")
    off = await texts_for(node, "bob")
    moved = await texts_for(node, "cat")
    await node.cancel(gone)
    await node.update(off, "bob")
    await node.update(moved, "cat", begin_at=NOW + 30 * HOUR, remind_type=SMS)
    await node.expand_all()
    gateway = Gateway()
    await node.send_all(gateway)
    assert await node.outcomes("ann") == [("invited", "skipped", "cancelled"), ("cancelled", "sent", "")]
    assert await node.outcomes("bob") == [("invited", "skipped", "in_app")]
    assert await node.outcomes("cat") == [("invited", "sent", ""), ("updated", "skipped", "superseded")]
    (invitation,) = [one for one in gateway.got if one.number == number("cat")]
    assert "12:13" in invitation.text  # the new time, in Shanghai


async def test_nothing_that_is_logged_has_a_number_a_name_or_a_text(node: Node) -> None:
    secrets = [number("ann"), number("ann")[3:], "name of", "content", "room 1", "邀请"]
    with capture_logs() as lines:
        for verdict in (
            Sent("id 1"),
            Refused("bad"),
            Retry("busy", down=False),
            Unknown("timeout"),
            RuntimeError(" ".join(secrets)),
        ):
            await texts_for(node, "ann")
            await node.send_all(Gateway(verdict), daily_limit=4)
        await texts_for(node, "ann")
        await node.send_all(Gateway(), daily_limit=4)
        node.clock.moment += WAIT
        await node.send_all(Gateway(usual=Unknown("timeout")), daily_limit=99)
        node.clock.moment += WAIT
        await node.send_all(Gateway(), daily_limit=99)
    told = [line for line in lines if line["event"] == "delivery"]
    assert {(line["state"], line["reason"], line["log_level"]) for line in told} == {
        ("sent", "", "info"),
        ("failed", "bad", "warning"),
        ("pending", "busy", "info"),
        ("pending", "timeout", "info"),
        ("pending", "error", "info"),
        ("skipped", "daily_limit", "info"),
        ("failed", "unknown", "warning"),
    }
    for line in told:
        assert set(line) == {
            *("event", "log_level", "org_id", "delivery_id", "meeting_id"),
            *("channel", "kind", "state", "attempt", "reason"),
        }
    for secret in secrets:
        assert secret not in str(lines)


async def test_a_reminder_goes_to_the_creator_too_and_its_lateness_is_measured(node: Node) -> None:
    await node.people(BOSS)
    await texts_for(node, "ann", begin_at=NOW + HOUR)
    gateway = Gateway()
    await node.send_all(gateway)
    node.clock.moment = NOW + 45 * MINUTE + 1200
    before = measured("huiyao_lateness_seconds_sum", channel="sms", kind="reminder")
    await node.expand_all()
    await node.send_all(gateway)
    assert [one.kind for one in gateway.got] == ["invited", "reminder", "reminder"]
    assert measured("huiyao_lateness_seconds_sum", channel="sms", kind="reminder") == pytest.approx(
        before + 2.4
    )
