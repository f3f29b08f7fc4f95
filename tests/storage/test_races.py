"""What happens at once on several nodes of one PostgreSQL. `held` stops a transaction at the moment that matters."""

import asyncio
from collections import Counter

import asyncpg
import pytest
from structlog.testing import capture_logs

from huiyao import errors
from huiyao.model import Callback, Kind, MsgStatus, PushStatus, RemindType
from huiyao.rules import attend, commands
from huiyao.storage.contract import Position
from huiyao.storage.event_contract import EventsWanted
from huiyao.storage.postgres import expand, inbox, write
from tests.storage.node import (
    APP,
    BOSS,
    HOUR,
    MINUTE,
    NOW,
    ORG,
    held,
    open_nodes,
    until_blocked,
)

pytestmark = pytest.mark.postgres
SOON = NOW + HOUR


async def status_after_answer_against_move(url: str) -> int:
    """What is left of an answer to the old time, given while the move is written and not yet committed."""
    async with open_nodes(url, 2) as (mover, member):
        meeting_id = await mover.create("ann")
        reminder = f"SELECT FROM task WHERE kind = 'remind' AND meeting_id = {meeting_id} FOR UPDATE"
        async with held(url, reminder) as other:
            moving = asyncio.create_task(mover.update(meeting_id, "ann", begin_at=SOON))
            await until_blocked(
                url
            )  # the answers are reset; the reminder, which comes last, is not yet moved
            found = await member.storage.meeting(ORG.id, meeting_id, "ann")
            assert found
            assert found[0].sequence == 0
            answer = attend.respond(
                commands.Respond(msg_status=MsgStatus.ACCEPTED),
                *found,
                app_id=APP.id,
                ids=iter(await member.storage.reserve_ids(2)),
                now=NOW,
            )
            assert answer
            answering = asyncio.create_task(member.storage.commit(answer))
            await asyncio.wait({answering}, timeout=0.3)
            await other.execute("ROLLBACK")
            await moving
            await answering
        return await member.status(meeting_id, "ann")


async def test_an_answer_to_the_old_time_never_survives_the_move(postgres_url: str) -> None:
    assert await status_after_answer_against_move(postgres_url) == MsgStatus.UNREAD


async def test_a_guard_that_only_reads_the_meeting_would_let_the_old_answer_survive(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = write._GUARD_ATTENDEES.replace("FOR SHARE OF m", "")
    monkeypatch.setattr(write, "_GUARD_ATTENDEES", plain)
    assert await status_after_answer_against_move(postgres_url) == MsgStatus.ACCEPTED


async def test_of_two_updates_decided_on_one_state_the_second_starts_over(postgres_url: str) -> None:
    async with open_nodes(postgres_url, 2) as (one, two):
        for _ in range(20):
            meeting_id = await one.create("ann")
            await asyncio.gather(
                one.update(meeting_id, "ann", "bob", address="room 2"),
                two.update(meeting_id, "ann", "cid", begin_at=SOON),
            )
            whole = await one.storage.whole_meeting(ORG.id, meeting_id)
            assert whole
            meeting, attendees = whole
            listed = {attendee.uid for attendee in attendees if attendee.listed}
            assert (meeting.sequence, meeting.size) == (2, len(attendees))
            # Whichever came last, all of it holds and nothing of the other's.
            assert (meeting.address, meeting.begin_at, listed) in [
                ("room 2", NOW + 24 * HOUR, {"ann", "bob"}),
                ("room 1", SOON, {"ann", "cid"}),
            ]


async def test_no_update_is_applied_after_the_cancellation(postgres_url: str) -> None:
    async with open_nodes(postgres_url, 2) as (one, two):
        for _ in range(20):
            meeting_id = await one.create("ann")
            updated, cancelled = await asyncio.gather(
                one.update(meeting_id, "ann", address="room 2"),
                two.cancel(meeting_id),
                return_exceptions=True,
            )
            assert cancelled is None
            assert updated is None or isinstance(updated, errors.MeetingCancelled)
            found = await one.storage.meeting(ORG.id, meeting_id, BOSS)
            assert found
            assert found[0].push_status == PushStatus.CANCELLED
            assert found[0].sequence == (1 if updated else 2)
            assert (found[0].address == "room 2") == (updated is None)


async def test_a_cancellation_waits_until_the_invitations_being_written_are_in_the_inboxes(
    postgres_url: str,
) -> None:
    async with open_nodes(postgres_url, 2) as (teller, canceller):
        meeting_id = await teller.create("ann", "bob")
        async with held(postgres_url, message_to("ann", meeting_id, "invited", "0")) as other:
            telling = asyncio.create_task(teller.expand())
            await until_blocked(postgres_url)
            cancelling = asyncio.create_task(canceller.cancel(meeting_id))
            await until_blocked(postgres_url, backends=2)
            await other.execute("ROLLBACK")
            await telling
            await cancelling
        await canceller.expand_all()
        assert await canceller.kinds("ann") == [Kind.INVITED, Kind.CANCELLED]
        assert await canceller.kinds("bob") == [Kind.INVITED, Kind.CANCELLED]


async def test_who_hears_of_a_cancellation_was_invited_before_and_the_others_hear_nothing(
    postgres_url: str,
) -> None:
    async with open_nodes(postgres_url, 3) as (one, two, three):
        for number in range(20):
            uid = f"ann{number}"
            meeting_id = await one.create(uid)
            await asyncio.gather(two.expand_all(), three.cancel(meeting_id))
            await two.expand_all()
            assert await one.kinds(uid) in ([], [Kind.INVITED, Kind.CANCELLED])


async def reported_after_answer_against_report(url: str) -> list[str]:
    """The creator's inbox when a second answer comes while the dispatcher is reporting the first."""
    async with open_nodes(url, 2) as (teller, member):
        meeting_id = await teller.create("ann", "bob")
        await teller.expand_all()
        await member.respond(meeting_id, "ann")
        member.clock.moment += 11_000
        [(task_id,)] = await rows(url, "SELECT id FROM task WHERE kind = 'answered'")
        async with held(url, message_to(BOSS, meeting_id, "answered", str(task_id))) as other:
            telling = asyncio.create_task(teller.expand())
            await until_blocked(url)  # the task is claimed, its answers are read
            answering = asyncio.create_task(member.respond(meeting_id, "bob"))
            await asyncio.wait({answering}, timeout=0.3)
            await other.execute("ROLLBACK")
            await telling
            await answering
        member.clock.moment += 11_000
        await teller.expand_all()
        return [message.params for message in await member.inbox(BOSS)]


async def test_an_answer_that_joins_a_report_while_it_is_made_is_reported_next(postgres_url: str) -> None:
    first, second = await reported_after_answer_against_report(postgres_url)
    assert "name of ann" in first
    assert "name of bob" not in first
    assert "name of bob" in second


async def test_joining_without_an_update_would_leave_that_answer_unreported(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert, _, _ = write._TASKS.partition("ON CONFLICT")
    monkeypatch.setattr(write, "_TASKS", f"{insert} ON CONFLICT DO NOTHING")
    (only,) = await reported_after_answer_against_report(postgres_url)
    assert "name of bob" not in only


async def test_a_report_that_an_answer_is_just_joining_is_made_when_it_has_joined(postgres_url: str) -> None:
    async with open_nodes(postgres_url) as (node,):
        meeting_id = await node.create("ann", "bob")
        await node.expand_all()
        await node.respond(meeting_id, "ann")
        joining = (
            f"UPDATE attendee SET msg_status = 2, answered_at = {NOW + 1} WHERE uid = 'bob'",
            "UPDATE task SET due_at = due_at WHERE kind = 'answered'",
        )
        node.clock.moment += 11_000
        async with held(postgres_url, *joining) as other:
            async with asyncio.timeout(5):
                assert (await node.expand()).messages == 0
            await other.execute("COMMIT")
        await node.expand_all()
        (report,) = await node.inbox(BOSS)
        assert "name of ann" in report.params
        assert "name of bob" in report.params


async def test_an_update_made_before_the_invitation_went_out_is_told_by_the_invitation(
    postgres_url: str,
) -> None:
    async with open_nodes(postgres_url, 2) as (one, two):
        for number in range(10):
            meeting_id = await one.create(f"ann{number}")
            await one.update(meeting_id, f"ann{number}", address="room 2")
        await asyncio.gather(one.expand_all(), two.expand_all())
        for number in range(10):
            (message,) = await one.inbox(f"ann{number}")
            assert message.kind == Kind.INVITED
            assert "room 2" in message.params


async def test_two_nodes_that_learn_the_same_people_in_opposite_orders_do_not_deadlock(
    postgres_url: str,
) -> None:
    uids = [f"p{number:02}" for number in range(40)]
    middle = f"INSERT INTO person VALUES ({ORG.id}, 'p20', 'x', '', '', '', '', '')"
    async with open_nodes(postgres_url, 2) as (one, two):
        with capture_logs() as logs:
            async with held(postgres_url, middle) as other:
                creating = asyncio.gather(one.create(*uids), two.create(*reversed(uids)))
                await until_blocked(postgres_url, backends=2)
                await other.execute("ROLLBACK")
                await creating
        assert not logs  # a deadlock would have been logged, and repeated
        assert await one.storage.unknown_people(ORG.id, uids) == []


async def test_many_dispatchers_tell_everybody_everything_exactly_once(postgres_url: str) -> None:
    uids = [f"p{number}" for number in range(7)]
    async with open_nodes(postgres_url, 4) as nodes:
        ids = [await nodes[0].create(*uids) for _ in range(30)]
        big = await nodes[0].create(*(f"q{number}" for number in range(200)))
        made = await asyncio.gather(*(node.expand_all(rows=30) for node in nodes))
        assert sum(made) == 7 * 30 + 200
        for uid in uids:
            told = Counter(message.meeting_id for message in await nodes[0].inbox(uid))
            assert told == dict.fromkeys(ids, 1)
        for meeting_id in (*ids, big):
            found = await nodes[0].storage.meeting(ORG.id, meeting_id, BOSS)
            assert found
            assert found[0].push_status == PushStatus.PUSHED
        assert await rows(postgres_url, "SELECT FROM task WHERE kind = 'announce'") == []


async def test_a_dispatcher_takes_another_slot_while_one_is_busy(postgres_url: str) -> None:
    async with open_nodes(postgres_url) as (node,):
        for _ in range(20):
            await node.create("ann")
        told = 0
        async with held(postgres_url, f"SELECT pg_advisory_xact_lock({expand._SLOT_LOCK}, 0)"):
            async with asyncio.timeout(5):
                while (done := await node.expand()).tasks:
                    told += done.messages
        assert 0 < told < 20
        assert told + await node.expand_all() == 20


async def test_a_meeting_that_somebody_keeps_locked_holds_up_no_other(postgres_url: str) -> None:
    async with open_nodes(postgres_url) as (node,):
        locked, *others = [await node.create("ann") for _ in range(12)]
        told = 0
        async with held(postgres_url, f"SELECT FROM meeting WHERE id = {locked} FOR UPDATE"):
            async with asyncio.timeout(2):
                while told < len(others):
                    told += (await node.expand()).messages
                left = await node.expand()
            assert (left.tasks, left.messages, left.more) == (0, 0, True)
        assert await node.expand_all() == 1


async def seen_by_a_reader_while_a_commit_is_late(url: str) -> list[str]:
    """What one who reads on from the cursor sees where the first of two messages is committed last."""
    async with open_nodes(url) as (node,):
        meeting_id = await node.create("ann")
        async with held(url, message_to("ann", meeting_id, "nudged", "late")) as other:
            await node.expand_all()
            page = await node.storage.inbox(ORG.id, "ann", after=Position(0, 0), size=10)
            seen = [message.kind for message in page.messages]
            await other.execute("COMMIT")
        page = await node.storage.inbox(ORG.id, "ann", after=page.end, size=10)
        return seen + [message.kind for message in page.messages]


async def test_a_cursor_never_steps_over_a_message_that_is_committed_late(postgres_url: str) -> None:
    assert await seen_by_a_reader_while_a_commit_is_late(postgres_url) == [Kind.NUDGED, Kind.INVITED]


async def test_a_reader_of_all_that_is_committed_would_step_over_it(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "_BEHIND", inbox._BEHIND.replace(inbox.SETTLED, "true"))
    assert await seen_by_a_reader_while_a_commit_is_late(postgres_url) == [Kind.INVITED]


async def test_an_update_leaves_push_status_to_the_dispatcher(postgres_url: str) -> None:
    async with open_nodes(postgres_url, 2) as (one, two):
        for _ in range(10):
            meeting_id = await one.create("ann")
            await asyncio.gather(one.update(meeting_id, "ann", address="room 2"), two.expand_all())
            await two.expand_all()
            found = await one.storage.meeting(ORG.id, meeting_id, BOSS)
            assert found
            assert found[0].push_status == PushStatus.PUSHED


async def test_a_thousand_answers_at_once_are_all_counted_and_reported_in_one_message(
    postgres_url: str,
) -> None:
    uids = [f"p{number}" for number in range(1000)]
    async with open_nodes(postgres_url, 2) as nodes:
        meeting_id = await nodes[0].create(*uids)
        await nodes[0].expand_all()
        await asyncio.gather(*(nodes[number % 2].respond(meeting_id, uid) for number, uid in enumerate(uids)))
        nodes[0].clock.moment += 11_000
        await nodes[0].expand_all()
        (report,) = await nodes[0].inbox(BOSS)
        assert '"answer_count":1000' in report.params


async def test_the_same_key_on_two_nodes_creates_one_meeting(postgres_url: str) -> None:
    async with open_nodes(postgres_url, 2) as (one, two):
        for number in range(20):
            key = f"key {number}"
            first, second, third = await asyncio.gather(
                one.create("ann", key=key), two.create("ann", key=key), one.create("ann", key=key)
            )
            assert first == second == third
        assert len(await rows(postgres_url, "SELECT FROM meeting")) == 20


async def test_ids_reserved_on_several_nodes_never_meet(postgres_url: str) -> None:
    async with open_nodes(postgres_url, 3) as nodes:
        blocks = await asyncio.gather(*(node.storage.reserve_ids(7) for node in nodes for _ in range(50)))
        numbers = [number for block in blocks for number in block]
        assert len(set(numbers)) == len(numbers) == 7 * 150
        assert min(numbers) > 0


async def test_an_erasure_takes_meetings_in_the_order_of_everybody_else(postgres_url: str) -> None:
    async with open_nodes(postgres_url, 2) as (one, two):
        ids = [await one.create("ann", "bob") for _ in range(10)]
        with capture_logs() as logs:
            await asyncio.gather(
                two.storage.erase_person(ORG.id, "ann"),
                *(one.update(meeting_id, "ann", "bob", "cid") for meeting_id in reversed(ids)),
            )
        assert not logs


@pytest.mark.parametrize("reminded", [False, True], ids=["changed", "reminded"])
async def test_who_declines_while_it_is_told_gets_the_text_and_the_message_or_neither(
    postgres_url: str, reminded: bool
) -> None:
    async with open_nodes(postgres_url, 2) as (teller, member):
        await teller.storage.put_callback(
            APP.id, "https://hooks.example.com/", Callback(style="platform", secret=b"sealed"), check=""
        )
        meeting_id = await teller.create("ann", "bob", begin_at=SOON, remind_type=RemindType.SMS)
        await teller.expand_all()
        if reminded:
            member.clock.moment = SOON - 15 * MINUTE
            told, occasion = Kind.REMINDER, f"{SOON}:15"
        else:
            await teller.update(
                meeting_id, "ann", "bob", begin_at=SOON, address="room 2", remind_type=RemindType.SMS
            )
            told, occasion = Kind.UPDATED, "1"
        async with held(postgres_url, text_to("ann", meeting_id, told, occasion)) as other:
            telling = asyncio.create_task(teller.expand())
            await until_blocked(postgres_url)  # the texts are being written
            await member.respond(meeting_id, "bob", declined=True)
            await other.execute("ROLLBACK")
            await telling
        texts = [one.uid for one in await teller.deliveries() if one.kind == told]
        assert sorted(texts) == (["ann", "bob", BOSS] if reminded else ["ann", "bob"])
        assert [uid for uid in ("ann", "bob") if told in await teller.kinds(uid)] == ["ann", "bob"]
        reports = [one for one in await teller.storage.events(EventsWanted(limit=100)) if one.type == 105]
        assert sorted(one.uid for one in reports) == (["ann", "bob", BOSS] if reminded else [])


def message_to(uid: str, meeting_id: int, kind: str, occasion: str) -> str:
    """A statement that writes this very message, so that whoever else writes it has to wait."""
    return (
        "INSERT INTO message VALUES"
        f" ({ORG.id}, '{uid}', pg_current_xact_id()::text::bigint, 1, {meeting_id},"
        f" '{kind}', '{occasion}', 0, '{{}}', {NOW}, NULL)"
    )


def text_to(uid: str, meeting_id: int, kind: str, occasion: str) -> str:
    """The same of a text."""
    return (
        "INSERT INTO delivery VALUES"
        f" ({ORG.id}, 1, 'sms', '{uid}', {meeting_id}, '{kind}', '{occasion}', 0, {NOW}, {NOW}, {NOW}, 'pending',"
        " 0, 0, 0, NULL, NULL, -1, '', '', '', '', NULL)"
    )


async def rows(url: str, query: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetch(query)
    finally:
        await connection.close()
