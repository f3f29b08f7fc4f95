"""Everybody's phone, behind one gateway: what a text showed its reader, read from the text's own parameters."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Final

import msgspec

from huiyao.channels.contract import Outgoing, Retry, Sent, Unknown, Verdict
from huiyao.dispatch.pacing import Circuit
from huiyao.service.caller import Clock
from huiyao.storage.contract import Storage
from tests.storage.gateway import StepwiseSender

WAIT_SECONDS: Final = 60  # of the sender, for a receipt after the gateway was silent
_YEAR: Final = 2027  # texts of meetings in the reader's own year do not name it
_CHINA: Final = timezone(timedelta(hours=8))
_TIME: Final = re.compile(r"(\d+)月(\d+)日 周. (\d\d):(\d\d)")


class Text(msgspec.Struct, frozen=True):
    """One request to the gateway."""

    uid: str
    about: str  # the meeting's text
    kind: str
    begin_at: int
    address: str
    number: int  # which request of its delivery


# Of a request: whether the gateway "takes" it, is "busy" or is "silent"; in how many milliseconds it is tried again.
Answer = Callable[[Text], tuple[str, int]]


class Phones:
    """A channel. `people` has the number of each person, in E.164."""

    name = "sms"
    gateway = "fake"
    concurrency = 1000
    per_second = 1_000_000.0
    two_way = False

    def __init__(self, people: Mapping[str, str]) -> None:
        self._people = {number: uid for uid, number in people.items()}
        self.answer: Answer = lambda text: ("takes", 0)
        # (uid, the meeting's text) → what came, by kind, begin and address
        self.came: dict[tuple[str, str], Counter[tuple[str, int, str]]] = {}

    async def send(self, message: Outgoing) -> Verdict:
        text = self._read(message)
        answer, pause = self.answer(text)
        if answer == "busy":
            return Retry("busy", down=False, after_seconds=pause // 1000)
        seen = self.came.setdefault((text.uid, text.about), Counter())
        seen[text.kind, text.begin_at, text.address] += 1
        return Unknown("silent") if answer == "silent" else Sent()

    async def close(self) -> None:
        pass

    def _read(self, message: Outgoing) -> Text:
        found = _TIME.match(message.params["time"])
        assert found, message.params["time"]
        month, day, hour, minute = map(int, found.groups())
        begin = datetime(_YEAR, month, day, hour, minute, tzinfo=_CHINA)
        address, about = message.params["place"], message.params["content"]
        for shown in (found[0], address, about):
            assert shown in message.text, message.kind  # the parameters say what the text says
        return Text(
            uid=self._people[message.number],
            about=about,
            kind=message.kind,
            begin_at=int(begin.timestamp() * 1000),
            address=address,
            number=message.attempt,
        )


class _Trusting(Circuit):
    """Does not open: how a sender spares a gateway that is down is another test's matter."""

    def failed(self, *_: object, **__: object) -> bool:
        return False


def sender_to(phones: Phones, storage: Storage, clock: Clock) -> StepwiseSender:
    """A sender that asks for every text that is true and due, as often as it may."""
    sender = StepwiseSender(storage, phones, daily_limit=1_000_000, wait_seconds=WAIT_SECONDS, clock=clock)
    sender._circuit = _Trusting()
    return sender
