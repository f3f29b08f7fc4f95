"""Invitations by text through the real Kannel, and what becomes of them when a gateway fails in every way it can."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from huiyao.texts import sms
from tests.acceptance.kannel import REJECTED, UNROUTABLE, Kannel
from tests.acceptance.process import ORG, Client, Installation, Server, eventually, free_port
from tests.acceptance.slow_gateway import (
    ACCEPTING,
    SlowGateway,
    answering,
    cutting,
    first,
    slowly,
)

ANN, BOB, EVE = "+8613800138001", "+14155550123", "+8613800138003"
LONG = "请带上去年的数字😀和今年的计划，" * 20
kannels = pytest.mark.kannel


class Texts:
    """An installation with people and numbers, whose texts go through one gateway."""

    def __init__(self, installation: Installation, sms_url: str) -> None:
        self.installation = installation
        self.port = free_port()
        installation.settings |= {
            "sms_url": sms_url,
            "sms_wait_seconds": "1",
            "public_url": f"http://127.0.0.1:{self.port}",
        }
        rows = [f"ann,安,{ANN},zh-CN", f"bob,Bob,{BOB},en", f"eve,伊,{EVE},"]
        rows += [f"rejected,甲,{REJECTED}00138000,", f"unroutable,乙,{UNROUTABLE}00138000,"]
        rows += [f"u{one},丙,{13700137000 + one}," for one in range(8)]
        (installation.folder / "people.csv").write_text("uid,name,mobile,locale\n" + "\n".join(rows) + "\n")
        installation.succeed("person", "import", "people.csv", "--org", str(ORG))

    def serve(self) -> tuple[Server, Client]:
        server = self.installation.serve(port=self.port)
        return server, self.installation.client(server)

    def inbound_url(self) -> str:
        return self.installation.succeed("sms", "inbound-url").strip()

    def deliveries(self) -> dict[str, dict[str, Any]]:
        """Each person's newest, as the database has it."""
        with closing(sqlite3.connect(self.installation.folder / "huiyao.db")) as database:
            database.row_factory = sqlite3.Row
            rows = database.execute("SELECT * FROM delivery ORDER BY id").fetchall()
        return {row["uid"]: dict(row) for row in rows}

    def settled(self, uid: str, state: str, reason: str = "") -> dict[str, Any]:
        """The person's delivery, once it has come so far."""

        def look() -> dict[str, Any] | None:
            found = self.deliveries().get(uid)
            return found if found and (found["state"], found["reason"]) == (state, reason) else None

        return eventually(look, what=f"{state} ({reason}) for {uid}")

    def replies(self) -> list[str]:
        found = json.loads(self.installation.succeed("delivery", "replies", "--json"))
        return sorted(one["outcome"] for one in found)


def answers(client: Client, meeting: int) -> dict[str, int]:
    detail = client.do("detail", "boss", meetingInviteId=meeting)["detail"]
    return {one["uid"]: one["msgStatus"] for one in detail["members"]}


def says_nothing_private(server: Server, *private: str) -> None:
    for one in (ANN, BOB, EVE, "sendsms", "/sms/kannel", *private):
        assert one.removeprefix("+86").removeprefix("+1") not in server.said


@pytest.fixture
def kannel(tmp_path: Path) -> Iterator[Kannel]:
    made = Kannel(tmp_path / "kannel")
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture
def through_kannel(embedded: Installation, kannel: Kannel) -> Texts:
    texts = Texts(embedded, kannel.url)
    kannel.configure(texts.inbound_url())
    kannel.start()
    return texts


@pytest.fixture
def slow() -> Iterator[SlowGateway]:
    with SlowGateway() as gateway:
        yield gateway


@pytest.fixture
def through_slow(embedded: Installation, slow: SlowGateway) -> Texts:
    return Texts(embedded, slow.url)


# Through the real Kannel


@kannels
@pytest.mark.parametrize(
    ("content", "link", "parts"),
    [("预算", False, 1), ("预算", True, 2), (LONG, True, 3)],
    ids=["one-part", "two-parts-with-a-link", "three-parts"],
)
def test_a_text_arrives_to_the_letter_and_is_delivered(
    through_kannel: Texts, kannel: Kannel, content: str, link: bool, parts: int
) -> None:
    through_kannel.installation.settings["sms_link"] = str(link)
    server, client = through_kannel.serve()
    client.create("boss", "ann", "bob", content=content, address="三楼", remindType=1)
    for uid, number, hint in (("ann", ANN, "回复1确定，2拒绝"), ("bob", BOB, "Reply 1 to accept")):
        text = through_kannel.settled(uid, "delivered")["text"]
        # The handset's log may come behind the receipt.
        eventually(lambda number=number, text=text: kannel.texts(number) == [text], what="the text, whole")  # type: ignore[misc]
        assert content[:12] in text
        assert hint in text
        assert (f"{server.address}/i/" in text) is link
        if uid == "ann":
            assert sms.parts(text) == parts
    says_nothing_private(server, content[:4])


@kannels
def test_what_kannel_or_the_operator_refuses_has_failed_and_is_not_tried_again(
    through_kannel: Texts, kannel: Kannel
) -> None:
    _, client = through_kannel.serve()
    client.create("boss", "rejected", "unroutable", "ann", remindType=1)
    through_kannel.settled("ann", "delivered")
    rejected = through_kannel.settled("rejected", "failed", "rejected")
    # Kannel answers so, and reports it as rejected too; whichever comes first counts.
    unroutable = eventually(
        lambda: found if (found := through_kannel.deliveries()["unroutable"])["state"] == "failed" else None
    )
    assert unroutable["reason"] in ("kannel_not_routable", "rejected")
    assert (rejected["attempt"], unroutable["attempt"]) == (1, 1)


@kannels
def test_texts_wait_for_a_kannel_that_is_down_and_each_arrives_once(
    through_kannel: Texts, kannel: Kannel
) -> None:
    kannel.stop()
    server, client = through_kannel.serve()
    everybody = [f"u{one}" for one in range(8)]
    client.create("boss", *everybody, remindType=1)
    eventually(lambda: "circuit opened" in server.said, what="the circuit's opening")

    def unreachable() -> bool:
        return "unreachable" in {one["reason"] for one in through_kannel.deliveries().values()}

    eventually(unreachable, what="the reason")  # written behind the line in the log
    waiting = {one["state"] for one in through_kannel.deliveries().values()}
    assert waiting <= {"pending", "sending"}  # one may be the trial
    kannel.start()
    for uid in everybody:
        through_kannel.settled(uid, "delivered")
    assert sorted(one.receiver for one in kannel.received()) == [
        f"+86{13700137000 + one}" for one in range(8)
    ]
    assert "circuit closed" in server.said


@kannels
def test_people_answer_by_text(through_kannel: Texts, kannel: Kannel) -> None:
    server, client = through_kannel.serve()
    meeting = client.create("boss", "ann", "bob", "eve", remindType=1)
    for uid in ("ann", "bob", "eve"):
        through_kannel.settled(uid, "delivered")
    kannel.send_text(EVE, "好的，谢谢", ucs2=True)
    kannel.send_text(ANN, "确定。", ucs2=True)
    kannel.send_text(BOB.removeprefix("+"), "1")  # a number without a plus sign is read as Chinese
    kannel.send_text(BOB, "2")
    kannel.send_text("8613900139000", "1")
    wanted = ["not_understood", "accepted", "nobody", "declined", "nobody"]
    eventually(lambda: through_kannel.replies() == sorted(wanted), what="five texts' outcomes")
    assert answers(client, meeting) == {"ann": 2, "bob": 3, "eve": 0}
    kannel.send_text(ANN.removeprefix("+86"), "２", ucs2=True)
    eventually(lambda: answers(client, meeting)["ann"] == 3, what="Ann's second thoughts")
    says_nothing_private(server, "13900139000", "谢谢")


@kannels
def test_kannel_comes_again_with_what_huiyao_did_not_hear(through_kannel: Texts, kannel: Kannel) -> None:
    server, client = through_kannel.serve()
    meeting = client.create("boss", "ann", remindType=1)
    through_kannel.settled("ann", "delivered")
    server.stop()
    kannel.send_text(ANN, "1")
    _, client = through_kannel.serve()
    eventually(lambda: answers(client, meeting) == {"ann": 2}, what="the answer that was given meanwhile")


# Through a gateway that misbehaves


def report(request: dict[str, str], status: int) -> None:
    """What Kannel does with dlr-url."""
    url = request["dlr-url"].replace("%d", str(status)).replace("%%", "%")
    answer = httpx.get(url, trust_env=False)
    assert (answer.status_code, answer.text) == (200, "ok")


def test_a_receipt_may_come_before_the_gateways_own_answer(through_slow: Texts, slow: SlowGateway) -> None:
    slow.manner = first(lambda request: report(request, 1))
    _, client = through_slow.serve()
    client.create("boss", "ann", remindType=1)
    through_slow.settled("ann", "delivered")
    assert len(slow.requests) == 1


def test_receipts_may_come_twice_and_out_of_order(through_slow: Texts, slow: SlowGateway) -> None:
    _, client = through_slow.serve()
    client.create("boss", "ann", remindType=1)
    through_slow.settled("ann", "sent")
    for status in (8, 1, 1, 8, 4, 16, 2):
        report(slow.requests[0], status)
    through_slow.settled("ann", "delivered")
    forged = slow.requests[0]["dlr-url"].replace("attempt=1", "attempt=2").replace("%d", "2")
    assert httpx.get(forged, trust_env=False).status_code == 403
    assert through_slow.deliveries()["ann"]["state"] == "delivered"


def test_a_gateway_that_reports_failure_and_then_delivery_is_believed_last(
    through_slow: Texts, slow: SlowGateway
) -> None:
    _, client = through_slow.serve()
    client.create("boss", "ann", remindType=1)
    through_slow.settled("ann", "sent")
    report(slow.requests[0], 2)
    through_slow.settled("ann", "failed", "undelivered")
    report(slow.requests[0], 1)
    through_slow.settled("ann", "delivered")
    assert len(slow.requests) == 1


def test_a_gateway_that_asks_for_time_gets_it(through_slow: Texts, slow: SlowGateway) -> None:
    slow.manner = answering(503, "Temporal failure, try again later.", retry_after="3")
    _, client = through_slow.serve()
    client.create("boss", "ann", remindType=1)
    waiting = through_slow.settled("ann", "pending", "kannel_503")
    assert waiting["due_at"] - waiting["sent_at"] >= 3000
    slow.manner = ACCEPTING
    after = through_slow.settled("ann", "sent")
    assert after["sent_at"] - waiting["sent_at"] >= 3000
    assert (after["attempt"], len(slow.requests)) == (2, 2)


def test_a_gateway_that_refuses_is_not_asked_again(through_slow: Texts, slow: SlowGateway) -> None:
    slow.manner = answering(400, "Charset or body misformed, rejected")
    _, client = through_slow.serve()
    client.create("boss", "ann", remindType=1)
    assert through_slow.settled("ann", "failed", "kannel_400")["attempt"] == 1
    assert len(slow.requests) == 1


@pytest.mark.parametrize("manner", [cutting, answering(200, "<html>Welcome!")], ids=["cutting", "lying"])
def test_where_nobody_knows_it_is_repeated_once_and_then_given_up(
    through_slow: Texts, slow: SlowGateway, manner: Any
) -> None:
    slow.manner = manner
    server, client = through_slow.serve()
    client.create("boss", "ann", content="机密", remindType=1)
    failed = through_slow.settled("ann", "failed", "unknown")
    assert (failed["attempt"], len(slow.requests)) == (2, 2)
    assert slow.requests[0]["text"] == slow.requests[1]["text"]
    says_nothing_private(server, "机密")


@pytest.mark.slow
def test_a_gateway_slower_than_our_patience_is_saved_by_its_receipt(
    through_slow: Texts, slow: SlowGateway
) -> None:
    through_slow.installation.settings["sms_wait_seconds"] = "30"
    slow.manner = slowly(20)
    _, client = through_slow.serve()
    client.create("boss", "ann", remindType=1)
    through_slow.settled("ann", "pending", "timeout")
    report(slow.requests[0], 1)
    through_slow.settled("ann", "delivered")
    assert len(slow.requests) == 1


def test_a_wrong_address_stops_the_start_without_showing_the_password(embedded: Installation) -> None:
    refused = embedded.run("serve", sms_url="kannel://huiyao:s3cret@127.0.0.1?form=1069")
    assert refused.returncode != 0
    assert "'form'" in refused.stderr
    assert "s3cret" not in refused.stdout + refused.stderr
