"""kill -9 at every step from a due task to an acknowledged text: nothing is lost, and what is told twice is counted.

Every inbox holds each message once. A text is repeated once, and only if its sender was stopped between the writing
of the request and the commit of the acknowledgement. What the gateway got is read from the gateway's own log.
"""

import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from huiyao.channels.contract import REQUEST_SECONDS
from huiyao.dispatch.dispatcher import ROWS
from tests.acceptance.kannel import Kannel
from tests.acceptance.process import Client, Installation, detail, eventually
from tests.acceptance.slow_gateway import SlowGateway, slowly
from tests.acceptance.stopping import Became, House, give_numbers

ORGANIZER, *MEMBERS = "u1", "u2", "u3", "u4"
TEXTS = 2 * len(MEMBERS) + 1  # of one meeting: invitations and reminders, the organizer's too
EXPANDING = ("claimed", "told", "expanded")
BEGINNING = ("looked", "marked")  # the sender's transaction is rolled back
REPEATED = ("requested", "answered", "noted")  # the gateway has it, and nothing that is committed says so
UNCERTAIN = ("begun", *REPEATED)  # the gateway may have it, as far as anybody can tell afterwards
GROUP = [f"g{number:02}" for number in range(60)]
CROWD = [f"m{number:05}" for number in range(2 * ROWS + 100)]  # too many for one transaction
FEW = (CROWD[0], CROWD[ROWS], CROWD[-1])  # of them, who have numbers
NUMBERED = (ORGANIZER, *MEMBERS, *GROUP, *FEW)
LEASE_MS = int(REQUEST_SECONDS * 2_000)  # beyond the wait for a receipt
SEVERAL = 8  # texts under way at once, with a gateway that takes PAUSE_SECONDS for each
PAUSE_SECONDS = 0.5


def spare(points: tuple[str, ...], *kept: str) -> list[object]:
    """All of them, of which only these are for each change, and the others on demand."""
    return [one if one in kept else pytest.param(one, marks=pytest.mark.thorough) for one in points]


class Request(NamedTuple):
    """One request, as the gateway's own log has it."""

    sender: str  # "" where the request names none
    delivery_id: int  # our reference, from the address for receipts
    attempt: int


class Recorded(House):
    """A house whose gateway takes every text, and tells afterwards what it got."""

    def __init__(
        self,
        installation: Installation,
        stack: ExitStack,
        *,
        concurrency: int = 1,
        pause_seconds: float = 0,
    ) -> None:
        self._gateway = stack.enter_context(SlowGateway(slowly(pause_seconds)))
        self.sms_url = f"{self._gateway.url}?concurrency={concurrency}"
        super().__init__(installation, stack, sms_url=self.sms_url)

    def requests(self) -> list[Request]:
        """All that came in, in order."""
        return [_request(parameters) for parameters in list(self._gateway.requests)]

    def times(self) -> Counter[int]:
        """How often the gateway got each delivery."""
        return Counter(one.delivery_id for one in self.requests())

    def ended_after(self, requests: int, *, deliveries: int) -> list[Became]:
        """Wait until the gateway has so many requests and all deliveries have ended; they are sent, and no other."""
        eventually(lambda: len(self.requests()) >= requests, seconds=60, what=f"request {requests}")
        found = eventually(lambda: self.ended(deliveries), what="the end of every delivery")
        assert {one.state for one in found} == {"sent"}
        assert set(self.times()) == {one.id for one in found}
        return found


def _request(parameters: dict[str, str]) -> Request:
    receipt = parse_qs(urlsplit(parameters["dlr-url"]).query)
    (delivery,), (attempt,) = receipt["delivery"], receipt["attempt"]
    return Request(parameters.get("from", ""), int(delivery), int(attempt))


@pytest.fixture(scope="session")
def peopled(tmp_path_factory: pytest.TempPathFactory, prepared: Path) -> Path:
    """A folder with a SQLite installation that nobody uses, where people have numbers."""
    folder = tmp_path_factory.mktemp("peopled")
    shutil.copytree(prepared, folder, dirs_exist_ok=True)
    with closing(Installation(folder)) as made:
        give_numbers(made, NUMBERED)
    return folder


@pytest.fixture
def embedded(tmp_path: Path, peopled: Path) -> Iterator[Installation]:
    shutil.copytree(peopled, tmp_path, dirs_exist_ok=True)
    with closing(Installation(tmp_path)) as made:
        yield made


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


Fields = Callable[[], dict[str, Any]]


def texted() -> dict[str, Any]:
    """Fields of a meeting that people hear of by texts, and of which they are reminded in a far future."""
    return {"remindType": 1}


def soon() -> dict[str, Any]:
    """Fields of such a meeting of which they are reminded in three seconds."""
    begin = time.time_ns() // 1_000_000 + 3_000
    return {"beginTime": begin, "endTime": begin + 3_600_000, "remindMin": 0, "remindType": 1}


def told(client: Client, uids: Sequence[str], *kinds: str, meetings: int = 1) -> bool:
    """Whether each of them has exactly one message of each kind about each meeting; False while some are missing."""
    for uid in uids:
        inbox = Counter(client.whole_inbox(uid))
        assert not inbox or max(inbox.values()) == 1, "it is in the inbox twice"
        if Counter(kind for _, kind in inbox) != dict.fromkeys(kinds, meetings):
            return False
    return True


def play(house: House, point: str, times: int, *members: str, fields: Fields, **rest: str) -> Client:
    """Create a meeting on a server that kills itself `times` times at the point, and is started again each time."""
    server = house.serve_until(point, times)
    server.wait()
    client = house.installation.client(server)
    # It may die before it answers. At any of our points it has committed.
    with suppress(httpx.TransportError):
        client.do("create", ORGANIZER, requesterName="王芳", detail=detail(*members, **fields()), **rest)
    for _ in range(times):
        eventually(server.has_killed_itself, what="the stop")
        server = house.serve_until(point, times)
    server.wait()
    return client


@pytest.mark.parametrize(
    "point",
    spare((*EXPANDING, *BEGINNING, *UNCERTAIN, "acknowledged"), "told", "marked", "requested", "noted"),
)
def test_a_stop_at_any_step_repeats_only_the_text_that_was_under_way(
    embedded: Installation, stack: ExitStack, point: str
) -> None:
    house = Recorded(embedded, stack)
    client = play(house, point, 1, *MEMBERS, fields=soon)
    eventually(lambda: told(client, MEMBERS, "invited", "reminder"), what="the last message")
    eventually(lambda: told(client, [ORGANIZER], "reminder"), what="the organizer's message")
    repeated = point in REPEATED
    deliveries = house.ended_after(TEXTS + repeated, deliveries=TEXTS)
    assert sorted(house.times().values()) == [*[1] * (TEXTS - 1), 1 + repeated]
    again = [one for one in deliveries if one.attempt == 2]
    assert len(again) == (point in UNCERTAIN)
    # The restart frees the lease: nobody waits until it is over.
    assert all((one.sent_at or 0) - one.due_at < LEASE_MS - 5_000 for one in again)


@pytest.mark.parametrize("point", spare(EXPANDING, "expanded"))
def test_a_stop_while_a_reminder_is_expanded_reminds_everybody_once(
    embedded: Installation, stack: ExitStack, point: str
) -> None:
    house = Recorded(embedded, stack)
    everybody = [ORGANIZER, *MEMBERS]
    client = play(house, point, 1, *MEMBERS, fields=soon, notify="none")
    eventually(lambda: told(client, everybody, "reminder"), what="the last message")
    house.ended_after(len(everybody), deliveries=len(everybody))
    assert set(house.times().values()) == {1}


@pytest.mark.parametrize("point", spare(UNCERTAIN, "answered"))
def test_a_text_that_is_stopped_twice_is_not_sent_a_third_time(
    embedded: Installation, stack: ExitStack, point: str
) -> None:
    house = Recorded(embedded, stack)
    client = play(house, point, 2, "u2", fields=texted)
    (delivery,) = eventually(lambda: house.ended(1), what="the end of the delivery")
    assert (delivery.state, delivery.reason, delivery.attempt) == ("failed", "unknown", 2)
    assert [one.attempt for one in house.requests()] == ([1, 2] if point in REPEATED else [])
    assert told(client, ["u2"], "invited")


def test_a_stop_between_the_parts_of_a_large_meeting_tells_each_member_once(
    embedded: Installation, stack: ExitStack
) -> None:
    house = Recorded(embedded, stack)
    client = play(house, "parted", 2, *CROWD, fields=texted)
    eventually(lambda: told(client, CROWD[-1:], "invited"), what="the last part")
    assert house.messages() == Counter({(uid, "invited"): 1 for uid in CROWD})
    deliveries = eventually(lambda: house.ended(len(CROWD)), what="the end of every delivery")
    sent = {one.id: one.attempt for one in deliveries if one.state == "sent"}
    assert len(sent) == 3
    # The sender works beside the expansion, and may have been at one when that was stopped.
    assert all(1 <= count <= sent[delivery] <= 2 for delivery, count in house.times().items())
    assert set(house.times()) == set(sent)


def test_serve_killed_with_several_texts_under_way_repeats_those_alone(
    embedded: Installation, stack: ExitStack
) -> None:
    house = Recorded(embedded, stack, concurrency=SEVERAL, pause_seconds=PAUSE_SECONDS)
    server = embedded.serve()
    client = embedded.client(server)
    client.create(ORGANIZER, *GROUP, **texted())
    several_are_under_way(house)
    server.kill()
    embedded.serve(port=server.port)
    only_those_under_way_are_repeated(house, texts=len(GROUP))
    assert told(client, GROUP, "invited")


def test_kannel_sends_what_a_killed_process_asked_for_and_no_receipt_means_one_repeat(
    embedded: Installation, stack: ExitStack
) -> None:
    kannel, house = with_kannel(embedded, stack)
    play(house, "requested", 1, *MEMBERS, fields=texted)
    deliveries = eventually(lambda: house.ended(len(MEMBERS)), what="the end of every delivery")
    assert sorted((one.state, one.attempt) for one in deliveries) == [
        ("sent", 1),
        ("sent", 1),
        ("sent", 2),
    ]

    def times() -> list[int]:
        return sorted(Counter(one.receiver for one in kannel.received()).values())

    # Kannel itself may drop a request whose caller has gone.
    eventually(lambda: times() in ([1, 1, 2], [1, 1, 1]), what="the last text")


def test_a_receipt_of_a_killed_process_reaches_the_next_one_and_spares_the_repeat(
    embedded: Installation, stack: ExitStack
) -> None:
    kannel, house = with_kannel(embedded, stack)
    embedded.settings |= {"public_url": f"http://127.0.0.1:{house.port}", "sms_wait_seconds": "20"}
    play(house, "requested", 1, *MEMBERS, fields=texted)

    def delivered() -> bool:
        found = house.ended(len(MEMBERS)) or []
        return [one.state for one in found] == ["delivered"] * len(MEMBERS)

    # Kannel itself may drop a request whose caller has gone; that one is sent when the wait for a receipt is over.
    eventually(delivered, seconds=60, what="the last receipt")
    assert sorted(Counter(one.receiver for one in kannel.received()).values()) == [1] * len(MEMBERS)


def with_kannel(installation: Installation, stack: ExitStack) -> tuple[Kannel, House]:
    """A house whose gateway is a real Kannel."""
    kannel = Kannel(installation.folder / "kannel")
    stack.callback(kannel.stop)
    kannel.start()
    house = House(installation, stack, sms_url=f"{kannel.url}&concurrency=1")
    return kannel, house


@pytest.mark.postgres
@pytest.mark.thorough
def test_of_two_dispatchers_one_is_killed_and_the_other_sends_the_rest(
    scaled: Installation, stack: ExitStack
) -> None:
    house = Recorded(scaled, stack, concurrency=SEVERAL, pause_seconds=PAUSE_SECONDS)
    give_numbers(scaled, NUMBERED)
    client = scaled.client(scaled.serve("--no-dispatch"))
    killed = scaled.start("dispatch", sms_url=f"{house.sms_url}&from=killed")
    left = scaled.start("dispatch")
    eventually(lambda: "dispatching" in killed.said and "dispatching" in left.said, what="their start")
    client.create(ORGANIZER, *GROUP, **texted())
    several_are_under_way(house, sender="killed")
    killed.kill()
    only_those_under_way_are_repeated(house, texts=len(GROUP))
    assert told(client, GROUP, "invited")


def several_are_under_way(house: Recorded, *, sender: str = "") -> None:
    """Wait for a request beyond the first SEVERAL of this sender, which has had no answer yet."""

    def begun() -> bool:
        return [one.sender for one in house.requests()].count(sender) > SEVERAL

    eventually(begun, what="texts under way")


def only_those_under_way_are_repeated(house: Recorded, *, texts: int) -> None:
    """Each once, and twice at least one and at most SEVERAL."""
    deliveries = house.ended_after(texts + 1, deliveries=texts)
    times = house.times()
    twice = {delivery for delivery, count in times.items() if count == 2}
    assert 1 <= len(twice) <= SEVERAL
    assert set(times.values()) == {1, 2}
    assert twice <= {one.id for one in deliveries if one.attempt == 2}


@pytest.mark.thorough
@pytest.mark.postgres
def test_dispatchers_stopped_at_every_step_leave_the_rest_to_another(
    scaled: Installation, stack: ExitStack
) -> None:
    house = Recorded(scaled, stack)
    give_numbers(scaled, NUMBERED)
    client = scaled.client(scaled.serve("--no-dispatch"))
    client.create(ORGANIZER, *CROWD)
    meetings = stop_at(house, client, ["parted"])
    meetings += stop_at(house, client, [*EXPANDING, *BEGINNING, "acknowledged"])
    # These come last: none of the texts that one leaves under way is due again while another may be stopped at it.
    meetings += stop_at(house, client, UNCERTAIN)
    scaled.start("dispatch")
    texts = meetings * TEXTS
    deliveries = house.ended_after(texts + len(REPEATED), deliveries=texts)
    # One that was stopped in its expansion may have had a text under way too, as many as its `concurrency`.
    again = {one.id for one in deliveries if one.attempt == 2}
    assert len(UNCERTAIN) <= len(again) <= len(UNCERTAIN) + len(EXPANDING) + 1
    twice = {delivery for delivery, count in house.times().items() if count == 2}
    assert len(again) > len(twice) >= len(REPEATED)
    assert twice < again
    assert house.times().total() == texts + len(twice)
    assert told(client, MEMBERS, "invited", "reminder", meetings=meetings)
    assert told(client, [ORGANIZER], "reminder", meetings=meetings)
    messages = house.messages()
    assert [messages[uid, "invited"] for uid in CROWD] == [1] * len(CROWD)


def stop_at(house: House, client: Client, points: Sequence[str]) -> int:
    """Start a dispatcher for each point, and create meetings until every one has killed itself; how many meetings."""
    stopping = [house.dispatch_until(point) for point in points]
    meetings = 0
    while not all(one.has_killed_itself() for one in stopping):
        known = invitations(client)
        client.create(ORGANIZER, *MEMBERS, **soon())
        meetings += 1

        def moved(known: int = known) -> bool:
            return invitations(client) > known or all(one.has_killed_itself() for one in stopping)

        eventually(moved, what="the next invitation")
    return meetings


def invitations(client: Client) -> int:
    return sum(kind == "invited" for _, kind in client.whole_inbox(MEMBERS[0]))
