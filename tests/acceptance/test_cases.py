"""Schemathesis finds nothing: whatever it makes of the served document, every answer fits its declared shape."""

from typing import Final

import pytest

from tests.acceptance.cases import CLOSED, Reality, Tally
from tests.acceptance.process import ORG, Installation

CALLS: Final = 21
LEAST_DONE: Final = 0.5  # of the cases that are right in form, for each call
A_DAY: Final = "86400"


@pytest.fixture
def reality(embedded: Installation) -> Reality:
    """An app that may do everything, in an organisation with an open directory and one with a closed one."""
    app = str(embedded.app_id)
    embedded.succeed("org", "add", str(CLOSED), "--name", "closed", "--closed")
    grants = ("--grant", "changes", "--grant", "freebusy", "--grant", "ticket")
    limits = ("--rate", "1000000", "--quota", "1000000000")  # none is reached, but all are told
    embedded.succeed("app", "set", app, *grants, *limits, "--org", f"{ORG},{CLOSED}")
    server = embedded.serve(token_seconds=A_DAY, token_grace_seconds=A_DAY)
    client = embedded.client(server)
    return Reality(server, client, app_id=embedded.app_id, app_secret=embedded.app_secret)


def nothing_was_found(tally: Tally, *, cases: int) -> None:
    assert not tally.found, "\n\n".join(tally.found[:20])
    assert len(tally.cases) == CALLS
    assert tally.cases.total() >= cases, str(tally)
    idle = {path: tally.share(path) for path in tally.cases if tally.share(path) < LEAST_DONE}
    assert not idle, f"too few of these were done: {idle}\n{tally}"


@pytest.mark.timeout(300)
def test_every_value_at_an_edge_finds_nothing(reality: Reality) -> None:
    nothing_was_found(reality.feed("examples", "coverage", examples=1), cases=2000)


@pytest.mark.thorough
@pytest.mark.timeout(1800)
def test_ten_thousand_cases_find_nothing(reality: Reality) -> None:
    tally = reality.feed("examples", "coverage", "fuzzing", examples=400)
    print(tally)  # shown by pytest -s
    nothing_was_found(tally, cases=10_000)
