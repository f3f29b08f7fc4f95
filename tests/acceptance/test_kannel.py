"""Our channel and a real Kannel: what it is given arrives on the handset, and its verdicts are the true ones."""

import asyncio
from collections.abc import Iterator

import pytest

from huiyao.channels.contract import Outgoing, Refused, Retry, Sent, Verdict
from huiyao.channels.kannel import open_kannel
from tests.acceptance.kannel import REJECTED, SENDER, UNROUTABLE, Kannel, Received
from tests.acceptance.process import eventually

pytestmark = pytest.mark.kannel

NUMBER = "+8613800138000"
ONE_PART = "王芳邀请您参加会议：季度预算。时间：3月2日 周一 10:00–11:00，地点：三楼会议室。回复1确定，2拒绝"
THREE_PARTS = f"{ONE_PART}。{'带上去年的数字😀，' * 14}完"


@pytest.fixture(scope="module")
def kannel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kannel]:
    kannel = Kannel(tmp_path_factory.mktemp("kannel"))
    try:
        kannel.start()
        yield kannel
    finally:
        kannel.stop()


def send(url: str, text: str, *, number: str = NUMBER) -> Verdict:
    async def once() -> Verdict:
        channel = open_kannel(url, receipt_url=None)
        try:
            return await channel.send(
                Outgoing(
                    org_id=1,
                    delivery_id=2,
                    attempt=1,
                    kind="invited",
                    english=False,
                    number=number,
                    text=text,
                    params={},
                )
            )
        finally:
            await channel.close()

    return asyncio.run(once())


@pytest.mark.parametrize(
    "text",
    [
        ONE_PART,
        THREE_PARTS,
        "Wang Fang invites you to a meeting: Q3 + Q4 & 100% of Café [budget] {€}. Mon 2 Mar 10:00-11:00",
        "Bring last year's figures (é, ü, £). " * 11 + "The end",
    ],
    ids=["one-part", "three-parts", "gsm", "gsm-three-parts"],
)
def test_a_text_arrives_to_the_letter(kannel: Kannel, text: str) -> None:
    assert send(kannel.url, text) == Sent()
    eventually(lambda: Received(SENDER, NUMBER, text) in kannel.received(), what="the text on the handset")


def test_kannels_refusals_are_told_apart(kannel: Kannel) -> None:
    assert send(kannel.url, ONE_PART, number=f"{UNROUTABLE}00138000") == Refused("kannel_not_routable")
    assert send(kannel.url, ONE_PART, number="abc") == Refused("kannel_400")
    assert send(kannel.url, ONE_PART, number=f"{REJECTED}00138000") == Sent()  # a receipt tells later
    assert send(kannel.url.replace("huiyao:", "somebody:"), ONE_PART) == Retry("kannel_403")
    assert send(kannel.url.partition("?")[0], ONE_PART) == Retry("kannel_no_sender")
    assert send(kannel.url.replace("?", "/no/sendsms?"), ONE_PART) == Retry("kannel_404")


def test_a_kannel_that_is_down_is_unreachable_until_it_is_back(kannel: Kannel) -> None:
    kannel.stop()
    assert send(kannel.url, "while it was down") == Retry("unreachable")
    kannel.start()
    assert send(kannel.url, "when it was back") == Sent()
    eventually(lambda: "when it was back" in kannel.texts(NUMBER), what="the text on the handset")
    assert "while it was down" not in kannel.texts(NUMBER)
