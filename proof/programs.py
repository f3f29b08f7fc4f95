"""All programs of the proof, in the order of the table.

To add one, write a module whose `prove` yields rows (`proof.result`), and name it here.
"""

from typing import Final, NamedTuple

from proof import (
    backup,
    disk,
    failover,
    growth,
    herd,
    kill,
    outage,
    overload,
    several,
    soak,
    speed,
    torn,
    upgrade,
)
from proof.result import Program


class Entry(NamedTuple):
    prove: Program
    summary: str  # a sentence above its rows in docs/proof.md


PROGRAMS: Final[dict[str, Entry]] = {
    "speed": Entry(
        speed.prove,
        "One process, 32 connections, meetings of 8; the reference (`bench/reference.py`) has the same SQL, the same"
        " durability and the same bytes of its answers.",
    ),
    "kill": Entry(
        kill.prove,
        "Sixteen clients create, update, cancel, answer, nudge, delete and switch reminders as fast as they can.",
    ),
    "outage": Entry(
        outage.prove,
        "The same clients; the database is what is killed, and nobody touches Huiyao's processes.",
    ),
    "disk": Entry(
        disk.prove, "A small disk in memory holds what writes; a ballast file fills it to the last byte."
    ),
    "torn": Entry(
        torn.prove, "A proxy on loopback resets connections, or holds back what goes through them."
    ),
    "several": Entry(several.prove, "Several of everything on one database, never all of them alive."),
    "failover": Entry(
        failover.prove,
        "Two PostgreSQL servers under Patroni with synchronous replication, as [failover](failover.md) says.",
    ),
    "growth": Entry(
        growth.prove,
        "Half a year of meetings with their answers, history and messages, in databases of four sizes that take turns; "
        "every call is in the pictures of [SQLite](images/growth-sqlite.svg) and"
        " [PostgreSQL](images/growth-postgresql.svg). Ratios of 1 are flat.",
    ),
    "herd": Entry(
        herd.prove,
        "Reminders in one second beside creates that wait for nobody; lateness is counted to the commit's begin.",
    ),
    "overload": Entry(
        overload.prove,
        "A generator that waits for nobody sends twice the measured capacity; at most 500 calls may be under way.",
    ),
    "backup": Entry(backup.prove, "An app creates meetings without rest while the database is copied."),
    "upgrade": Entry(
        upgrade.prove,
        "The earlier release's own program, from this repository's history, serves until it is replaced.",
    ),
    "soak": Entry(
        soak.prove, "Ten calls in an application's proportions; slopes are of a line through all samples."
    ),
}
