"""How fast a channel is used, by a clock of our own: its rate, and the circuit that opens while the gateway is down."""

import math

import pytest

from huiyao.dispatch import pacing
from huiyao.dispatch.pacing import Circuit, Rate


@pytest.fixture
def no_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every pause at its longest."""
    monkeypatch.setattr("random.uniform", lambda _, longest: longest)


def begun(rate: Rate, *moments: float) -> list[int]:
    """How many begin at each moment where as many as possible do."""
    found = []
    for at in moments:
        room = rate.room(at)
        rate.take(room)
        found.append(room)
    return found


def test_a_tenth_of_a_second_is_saved_up_and_no_more() -> None:
    assert begun(Rate(100), 0.0, 0.0, 0.05, 60.0) == [10, 0, 5, 10]


def test_a_slow_channel_begins_one_at_a_time() -> None:
    assert begun(Rate(0.5), 0.0, 1.0, 1.99, 2.0, 3.0, 60.0) == [1, 0, 0, 1, 0, 1]


@pytest.mark.parametrize("per_second", [0.5, 3.0, 20.0, 1000.0])
def test_in_any_second_no_more_begin_than_the_rate_and_what_was_saved(per_second: float) -> None:
    rate = Rate(per_second)
    moments = [number / 500 for number in range(2000)]
    made = begun(rate, *moments)
    saved = max(1.0, per_second / 10)
    for start in range(0, 1500, 50):
        assert sum(made[start : start + 500]) <= per_second + saved
    assert sum(made) >= per_second * moments[-1] * 0.99


def test_it_says_how_long_until_the_next_may_begin() -> None:
    rate = Rate(4)
    assert (rate.room(0.0), rate.wait_seconds()) == (1, 0.0)
    rate.take(1)
    assert rate.wait_seconds() == 0.25
    assert rate.room(0.125) == 0
    assert rate.wait_seconds() == 0.125
    assert rate.room(0.25) == 1


def test_where_more_were_taken_than_there_was_room_for_it_waits_the_longer() -> None:
    rate = Rate(10)
    rate.room(0.0)
    rate.take(3)
    assert rate.wait_seconds() == pytest.approx(0.3)
    assert rate.room(0.25) == 0


def opened(at: float = 0.0) -> Circuit:
    circuit = Circuit()
    for _ in range(pacing.OPENS_AFTER):
        circuit.begin()
        circuit.failed(at, trial=False)
    return circuit


@pytest.mark.usefixtures("no_jitter")
def test_five_failures_in_a_row_open_it_and_nothing_begins() -> None:
    circuit = Circuit()
    for number in range(1, 6):
        assert not circuit.open
        assert circuit.room(0.0, 7) == 7
        assert circuit.begin() is False
        assert circuit.failed(0.0, trial=False) is (number == 5)
    assert circuit.open
    assert [circuit.room(at, 7) for at in (0.0, 0.5, 0.999)] == [0, 0, 0]
    assert circuit.wait_seconds(0.25) == 0.75


def test_failures_with_a_success_between_them_open_nothing() -> None:
    circuit = Circuit()
    for _ in range(20):
        for _ in range(4):
            assert not circuit.failed(0.0, trial=False)
        assert not circuit.worked()
    assert not circuit.open


@pytest.mark.usefixtures("no_jitter")
def test_one_at_a_time_tries_whether_the_gateway_is_back() -> None:
    circuit = opened()
    assert circuit.room(1.0, 0) == 0
    assert circuit.room(1.0, 7) == 1
    assert circuit.room(1.0, 7) == 1  # nothing of it has begun yet: what was due was skipped
    assert circuit.begin() is True
    assert circuit.room(1.0, 7) == 0
    assert circuit.room(100.0, 7) == 0
    assert circuit.wait_seconds(100.0) == math.inf


@pytest.mark.usefixtures("no_jitter")
def test_a_trial_that_works_closes_it_for_all() -> None:
    circuit = opened()
    circuit.begin()
    assert circuit.worked() is True
    assert not circuit.open
    assert circuit.room(1.0, 7) == 7
    assert circuit.worked() is False
    # Again it takes five.
    assert [circuit.failed(2.0, trial=False) for _ in range(5)] == [False] * 4 + [True]
    assert circuit.wait_seconds(2.0) == 1.0


@pytest.mark.usefixtures("no_jitter")
def test_each_trial_that_fails_doubles_the_pause_up_to_a_minute() -> None:
    circuit = opened()
    at = 0.0
    pauses = [circuit.wait_seconds(at)]
    for _ in range(8):
        at += pauses[-1]
        assert circuit.room(at - 0.001, 7) == 0
        assert circuit.room(at, 7) == 1
        assert circuit.begin()
        at += 10.0
        assert circuit.failed(at, trial=True) is False
        pauses.append(circuit.wait_seconds(at))
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]


@pytest.mark.usefixtures("no_jitter")
def test_what_was_under_way_when_it_opened_neither_lengthens_the_pause_nor_ends_the_trial() -> None:
    circuit = opened()
    assert circuit.failed(0.5, trial=False) is False
    assert circuit.wait_seconds(0.5) == 0.5
    assert circuit.begin()
    assert circuit.failed(1.5, trial=False) is False
    assert circuit.room(1.5, 7) == 0
    assert circuit.failed(2.0, trial=True) is False
    assert circuit.wait_seconds(2.0) == 2.0


def test_what_was_under_way_when_it_opened_and_works_closes_it() -> None:
    circuit = opened()
    assert circuit.worked() is True
    assert circuit.room(0.0, 7) == 7


def test_a_pause_is_drawn_from_its_second_half_so_that_nodes_do_not_try_together() -> None:
    pauses = [opened().wait_seconds(0.0) for _ in range(200)]
    assert all(0.5 <= pause <= 1.0 for pause in pauses)
    assert max(pauses) - min(pauses) > 0.1
