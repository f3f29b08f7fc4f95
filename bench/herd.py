"""Reminders due at one moment, beside the plain claim loop; and what timers that still wait cost a claim."""

import statistics

from bench import claims, driving, report, seeding, servers
from huiyao.dispatch.dispatcher import ROWS

DUE_AT_ONCE = 1_000  # tasks due in each round of `waiting`, of meetings of 10
REMINDED = "SELECT count(*) FROM message WHERE kind = 'reminder'"


def herd(databases: servers.Databases, *, count: int, members: int, rounds: int) -> dict[str, object]:
    """`count` reminders due at once, of meetings of `members`: until the last is in its inbox."""
    template, meetings = f"herd_{members}", count // members
    url = databases.create(template)
    seeding.prepare(url)
    seeding.fill(
        url, seeding.Meetings(first=seeding.FIRST_ID, count=meetings, members=members, due_at=seeding.DUE_AT)
    )
    ours, theirs, ratios = [], [], []
    longest = []
    for _ in range(rounds):
        with databases.copied(template) as copy:
            drained = driving.drain(copy, due_at=seeding.DUE_AT)
            _check(copy, meetings * members)
        with databases.copied(template) as copy:
            bare = claims.drain(copy, now=seeding.DUE_AT, tasks=max(1, ROWS // members))
            _check(copy, meetings * members)
        ours.append(drained.seconds)
        theirs.append(bare)
        ratios.append(drained.seconds / bare)
        longest.append(max(drained.rounds))
    return {
        "reminders": meetings * members,
        "seconds": report.middle(ours, 3),
        "bare_seconds": report.middle(theirs, 3),
        "ratio": report.middle(ratios, 2),
        "ratios": [round(one, 2) for one in ratios],
        "longest_transaction_ms": report.middle([one * 1000 for one in longest], 1),
    }


def _check(url: str, expected: int) -> None:
    found = seeding.number(url, REMINDED)
    if found != expected:
        raise RuntimeError(f"{found} reminders in the inboxes instead of {expected}")


def waiting(databases: servers.Databases, *, many: int, rounds: int) -> dict[str, object]:
    """A claim of due tasks while few and while `many` timers wait for later moments."""
    counts = (min(1_000, many), many)
    urls = [databases.create(f"waiting_{place}") for place in range(len(counts))]
    for url, count in zip(urls, counts, strict=True):
        seeding.prepare(url)
        later = seeding.DUE_AT + 86_400_000
        seeding.fill(
            url,
            seeding.Meetings(first=seeding.FIRST_ID, count=count, members=1, due_at=later, apart_ms=1_000),
        )
    claim_ms: list[list[float]] = [[] for _ in urls]
    for number in range(rounds):
        due_at = seeding.DUE_AT + number * 60_000
        due = seeding.Meetings(
            first=seeding.FIRST_ID // 2 + number * DUE_AT_ONCE, count=DUE_AT_ONCE, members=10, due_at=due_at
        )
        for url, found in zip(urls, claim_ms, strict=True):
            seeding.fill(url, due)
            databases.settle()
            drained = driving.drain(url, due_at=due_at)
            if drained.messages != DUE_AT_ONCE * 10:
                raise RuntimeError(f"{drained.messages} reminders were told")
            found.append(statistics.median(drained.rounds) * 1000)
    few, lots = claim_ms
    return {
        "few": counts[0],
        "many": many,
        "claim_few_ms": report.middle(few, 2),
        "claim_many_ms": report.middle(lots, 2),
        "ratio": report.middle([after / before for before, after in zip(few, lots, strict=True)], 2),
    }
