"""kill -9 and SIGTERM in the middle of the work: what was acknowledged is there, whole; nothing is told twice."""

import asyncio
import random
import signal
import sqlite3
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from tests.acceptance.process import Client, Installation, Server, detail, eventually

CLIENTS = 16
MEMBERS = ("u2", "u3", "u4")


class Outcome(msgspec.Struct):
    """What one client saw of its creates."""

    acknowledged: list[int] = msgspec.field(default_factory=list)
    refused: int = 0  # nobody listened any more: the client knows that nothing happened
    # The request was sent and the connection closed without an answer: on which connection, for how long it was idle.
    unanswered: list[str] = msgspec.field(default_factory=list)


async def create_until_gone(client: Client, server: Server, outcome: Outcome, *, number: int) -> None:
    """Create meetings one after the other until the server is gone.

    Half of the clients keep their connection, half make a new one each time; some pause before each request.
    """
    kept, pauses = number % 2 == 0, number % 4 < 2
    body = msgspec.json.encode({"requesterUid": "u1", "requesterName": "王芳", "detail": detail(*MEMBERS)})
    close = b"" if kept else b"Connection: close\r\n"
    request = (
        b"POST /openapi/workbench/meetinginvite/create HTTP/1.1\r\nHost: x\r\naccessToken: %b\r\n%b"
        b"Content-Length: %d\r\n\r\n%b" % (client.token.encode(), close, len(body), body)
    )
    reader, writer = None, None
    while True:
        if reader is None or writer is None:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            except OSError:
                outcome.refused += 1
                return
        heard_at = time.monotonic()
        try:
            await asyncio.sleep(random.uniform(0, 0.1) if pauses else 0)
            writer.write(request)
            await writer.drain()
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            answer = msgspec.json.decode(await reader.readexactly(length))
        except (OSError, asyncio.IncompleteReadError) as error:
            idle = time.monotonic() - heard_at
            outcome.unanswered.append(f"{'kept' if kept else 'new'}, {idle:.2f} s, {error!r}")
            writer.close()
            return
        assert answer["status"] == 0, (answer, server.said)
        outcome.acknowledged.append(answer["data"]["meetingInviteId"])
        if b"connection: close" in head.lower():
            writer.close()
            reader = writer = None


async def load(client: Client, server: Server, *, enough: int, end: str) -> list[Outcome]:
    """Creates from many clients; when `enough` are acknowledged, the server gets the signal `end`."""
    outcomes = [Outcome() for _ in range(CLIENTS)]
    tasks = [
        asyncio.create_task(create_until_gone(client, server, one, number=number))
        for number, one in enumerate(outcomes)
    ]
    async with asyncio.timeout(60):
        while sum(len(one.acknowledged) for one in outcomes) < enough:
            await asyncio.sleep(0.01)
        getattr(server.popen, end)()
        await asyncio.gather(*tasks)
    return outcomes


def query(database: Path, statement: str) -> list[tuple[int, ...]]:
    """Read a database file that others may be writing to."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return connection.execute(statement).fetchall()


def meetings_in(database: Path) -> dict[int, bool]:
    """Every meeting in the file, and whether it is whole: all its rows, its history, and its announcement."""
    rows = query(
        database,
        """
        SELECT id,
            size = (SELECT count(*) FROM attendee a WHERE a.org_id = m.org_id AND a.meeting_id = m.id)
            AND 1 = (SELECT count(*) FROM history h WHERE h.org_id = m.org_id AND h.meeting_id = m.id)
            AND (push_status = 1) <> EXISTS (
                SELECT 1 FROM task t
                WHERE t.org_id = m.org_id AND t.meeting_id = m.id AND t.kind = 'announce')
        FROM meeting m
        """,
    )
    return {row[0]: row[1] == 1 for row in rows}


def told_once(client: Client, meetings: dict[int, bool]) -> bool:
    """Whether every member has exactly one invitation to every meeting; False while some are missing."""
    for uid in MEMBERS:
        told = Counter(client.whole_inbox(uid))
        assert not told or max(told.values()) == 1
        if {meeting for meeting, _ in told} != set(meetings):
            return False
    return True


async def test_kill_9_keeps_every_acknowledged_create_and_no_half_of_another(embedded: Installation) -> None:
    server = embedded.serve()
    outcomes = await load(embedded.client(server), server, enough=300, end="kill")
    server.popen.wait()
    acknowledged = {meeting for one in outcomes for meeting in one.acknowledged}
    assert len(acknowledged) == sum(len(one.acknowledged) for one in outcomes)
    found = meetings_in(embedded.folder / "huiyao.db")
    assert acknowledged <= set(found)
    assert all(found.values())
    client = embedded.client(embedded.serve())
    await asyncio.to_thread(eventually, lambda: told_once(client, found), what="the last invitation")


async def test_a_stop_under_load_answers_everything_it_accepted(embedded: Installation) -> None:
    server = embedded.serve()
    outcomes = await load(embedded.client(server), server, enough=300, end="terminate")
    assert await asyncio.to_thread(server.popen.wait, 10) == 0
    assert [one.unanswered for one in outcomes if one.unanswered] == []
    assert sum(one.refused for one in outcomes) == CLIENTS
    acknowledged = {meeting for one in outcomes for meeting in one.acknowledged}
    found = meetings_in(embedded.folder / "huiyao.db")
    assert set(found) == acknowledged
    assert all(found.values())


@pytest.mark.parametrize("end", ["kill", pytest.param("terminate", marks=pytest.mark.thorough)])
def test_a_dispatch_cut_off_midway_tells_everybody_once(embedded: Installation, end: str) -> None:
    crowd = [f"m{number}" for number in range(5000)]
    server = embedded.serve("--no-dispatch")
    client = embedded.client(server)
    meetings = [client.create("u1", *crowd) for _ in range(10)]
    assert server.stop() == 0
    database = embedded.folder / "huiyao.db"
    everybody = len(meetings) * len(crowd)
    server = embedded.serve()
    eventually(lambda: count_messages(database) > 0, what="the first invitations")
    getattr(server.popen, end)()
    assert server.popen.wait(10) == (0 if end == "terminate" else -signal.SIGKILL)
    assert count_messages(database) < everybody, "it was too fast to be cut off"
    embedded.serve()
    eventually(lambda: count_messages(database) == everybody, what="the rest of the invitations")
    told = query(database, "SELECT count(*) FROM (SELECT DISTINCT meeting_id, uid FROM message)")
    assert told == [(everybody,)]


def count_messages(database: Path) -> int:
    return int(query(database, "SELECT count(*) FROM message")[0][0])
