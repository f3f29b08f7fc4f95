"""So many at once, won back evenly: by a moved clock, never by a real one."""

from hypothesis import given
from hypothesis import strategies as st

from huiyao.service.pace import Pace, Paces, Standing

NOW = 1_795_500_000_000


def taken(pace: Pace, at: int, tries: int) -> int:
    """How many of that many tries get one."""
    return sum(pace.take(at) == 0 for _ in range(tries))


def test_as_many_at_once_as_it_holds_and_then_as_many_as_time_gives_back() -> None:
    pace = Pace(5, burst=5, now=NOW)
    assert taken(pace, NOW, 20) == 5
    assert taken(pace, NOW + 199, 20) == 0
    assert taken(pace, NOW + 200, 20) == 1
    assert taken(pace, NOW + 1000, 20) == 4
    assert taken(pace, NOW + 60_000, 20) == 5, "what is not used is not saved up"


def test_it_says_how_long_to_wait_and_that_is_enough() -> None:
    pace = Pace(0.25, burst=2, now=NOW)
    assert [pace.take(NOW) for _ in range(3)] == [0, 0, 4]
    assert pace.wait_seconds(NOW + 1500) == 3
    assert pace.take(NOW + 4000) == 0
    assert pace.wait_seconds(NOW + 4000) == 4


def test_it_says_how_it_stands() -> None:
    pace = Pace(10, burst=20, now=NOW)
    assert pace.standing(NOW) == Standing(20, 20, 0)
    assert taken(pace, NOW, 15) == 15
    assert pace.standing(NOW) == Standing(20, 5, 2)
    assert pace.standing(NOW + 1000) == Standing(20, 15, 1)


def test_a_clock_that_is_set_back_gives_nothing_and_takes_nothing() -> None:
    pace = Pace(1, burst=3, now=NOW)
    assert taken(pace, NOW, 2) == 2
    assert taken(pace, NOW - 3_600_000, 5) == 1
    assert taken(pace, NOW - 3_600_000 + 1000, 5) == 1, "it goes on from the moment it was set to"


@given(
    st.floats(min_value=0.01, max_value=1e6),
    st.integers(1, 1000),
    st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 50)), max_size=30),
)
def test_never_more_than_what_it_holds_and_time_gives_back(
    per_second: float, burst: int, steps: list[tuple[int, int]]
) -> None:
    pace = Pace(per_second, burst=burst, now=NOW)
    at = NOW
    all_taken = 0
    for passed, tries in steps:
        at += passed
        all_taken += taken(pace, at, tries)
    assert all_taken <= burst + (at - NOW) / 1000 * per_second + 1e-3


@given(st.integers(1, 1_000_000), st.integers(0, 200))
def test_after_the_wait_that_it_names_there_is_one(per_second: int, tries: int) -> None:
    pace = Pace(per_second, burst=per_second, now=NOW)
    taken(pace, NOW, tries)
    wait = pace.wait_seconds(NOW)
    assert pace.take(NOW + wait * 1000) == 0


def test_each_key_has_its_own_and_memory_has_an_end() -> None:
    paces = Paces(at_most=3)
    for key in ("a", "b", "c"):
        assert paces.get(key, 1, burst=1, now=NOW).take(NOW) == 0
    assert paces.get("a", 1, burst=1, now=NOW).take(NOW) == 1
    paces.get("d", 1, burst=1, now=NOW)
    assert len(paces) == 3
    assert paces.known("a"), "the one asked for longest ago gives way"
    assert not paces.known("b")


def test_another_rate_begins_anew() -> None:
    paces = Paces()
    assert paces.get("a", 1, burst=1, now=NOW).take(NOW) == 0
    assert paces.get("a", 2, burst=2, now=NOW).take(NOW) == 0
