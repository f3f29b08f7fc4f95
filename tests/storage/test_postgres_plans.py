"""Every statement finds its rows by index, on a young database without statistics too."""

import re

import pytest

from huiyao.storage.postgres import (
    deliveries,
    events,
    expand,
    history,
    inbox,
    live,
    meetings,
    people,
    sessions,
    telling,
    workbench,
    write,
)
from huiyao.storage.postgres.connections import connect

pytestmark = pytest.mark.postgres
STATEMENTS = {
    f"{module.__name__.rpartition('.')[2]}.{name}": statement
    for module in (
        deliveries,
        events,
        expand,
        history,
        inbox,
        live,
        meetings,
        people,
        sessions,
        telling,
        write,
    )
    for name, statement in vars(module).items()
    if isinstance(statement, str) and re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\s", statement)
    if "{" not in statement.replace("'{}'", "")  # a pattern for others
}
STATEMENTS |= {
    f"deliveries._PRUNE[{place}]": statement for place, (statement, _) in enumerate(deliveries._PRUNE)
}
STATEMENTS |= {
    f"people.erase[{place}]": statement
    for place, statement in enumerate(people._ERASE + people._ERASE_IN_MEETINGS)
}
CARDS = {f"workbench._SHELVES[{shelf}]": statement.sql for shelf, statement in workbench._SHELVES.items()} | {
    f"workbench.{name}": getattr(workbench, name).sql
    for name in ("_CALENDAR", "_WAITING", "_CARDS", "_ENGAGEMENTS")
}
STATEMENTS |= CARDS | {"workbench._LINKED": workbench._LINKED}


def test_the_statements_are_found() -> None:
    assert len(STATEMENTS) > 20


async def plan(url: str, statement: str) -> str:
    """The plan that a prepared statement keeps, made without knowing the parameters."""
    nulls = ", ".join("NULL" for _ in set(re.findall(r"\$\d+", statement)))
    connection = await connect(url)
    try:
        await connection.execute("SET plan_cache_mode = force_generic_plan")
        await connection.execute(f"PREPARE asked AS {statement}")
        lines = await connection.fetch(f"EXPLAIN EXECUTE asked({nulls})" if nulls else f"EXPLAIN {statement}")
        return "\n".join(line[0] for line in lines)
    finally:
        await connection.close()


@pytest.mark.parametrize("name", STATEMENTS)
async def test_a_statement_reads_no_whole_table(postgres_url: str, name: str) -> None:
    found = await plan(postgres_url, STATEMENTS[name])
    assert "Seq Scan" not in found, found
    assert "hashed SubPlan" not in found, found
    assert "Bitmap" not in found, found
    assert "Disabled" not in found, found


async def test_the_most_urgent_tasks_are_found_without_sorting_all_that_are_due(postgres_url: str) -> None:
    assert "Sort" not in await plan(postgres_url, expand._PEEK)


async def test_the_most_urgent_deliveries_are_found_without_sorting_all_that_are_due(
    postgres_url: str,
) -> None:
    found = await plan(postgres_url, deliveries._TAKE)
    assert "Sort" not in found, found
    assert "Index Scan using ix_delivery_waiting" in found, found


@pytest.mark.parametrize(
    ("name", "indexes"),
    [
        ("deliveries._NEXT_DUE", ["ix_delivery_waiting"]),
        (
            "deliveries._SIGHTS",
            [
                "pk_delivery",
                "ix_delivery_begun",
                "uq_delivery_meeting_id",
                "pk_meeting",
                "pk_attendee",
                "pk_org",
                "pk_person",
            ],
        ),
        ("deliveries._RESCUE", ["ix_delivery_leased"]),
        ("events._WAITING", ["ix_event_turn_waiting"]),
        ("events._DUE", ["ix_event_turn_waiting"]),
        ("events._BEGIN", ["ix_event_open", "pk_event"]),
        ("events._GIVE_TURNS", ["ix_event_open", "pk_event_turn"]),
        ("events._RESCUE", ["ix_event_turn_leased", "ix_event_open"]),
        ("events._OVERDUE", ["ix_event_overdue"]),
        ("deliveries._PEOPLE", ["ix_person_mobile"]),
        ("deliveries._ANSWERABLE", ["ix_delivery_begun"]),
        ("deliveries._INBOUNDS", ["ix_inbound_at"]),
        ("deliveries._PRUNE[0]", ["ix_idempotency_expires_at"]),
        ("deliveries._PRUNE[1]", ["ix_delivery_ended"]),
        ("deliveries._PRUNE[2]", ["ix_inbound_at"]),
        ("deliveries._PRUNE[3]", ["ix_event_ended"]),
        ("deliveries._PRUNE[4]", ["ix_ticket_expires_at"]),
        ("deliveries._PRUNE[5]", ["ix_session_expires_at"]),
        ("expand._NEXT", ["ix_task_due_at"]),
        ("live._PEOPLE", ["pk_message"]),
        ("history._CHANGES", ["ix_history_org_id_xid_id", "pk_meeting", "pk_attendee"]),
        ("history._HISTORY", ["ix_history_org_id_meeting_id_xid_id"]),
        ("live._MEETINGS", ["ix_history_org_id_xid_id"]),
        ("write._OVERTAKEN", ["ix_history_org_id_meeting_id_xid_id"]),
    ],
)
async def test_what_senders_ask_is_answered_by_the_index_made_for_it(
    postgres_url: str, name: str, indexes: list[str]
) -> None:
    found = await plan(postgres_url, STATEMENTS[name])
    for index in indexes:
        assert re.search(rf"Index (Only )?Scan (Backward )?using {index}", found), found


@pytest.mark.parametrize("name", ["history._CHANGES", "history._HISTORY"])
async def test_of_history_no_more_is_read_than_a_page(postgres_url: str, name: str) -> None:
    assert "Sort" not in await plan(postgres_url, STATEMENTS[name])


@pytest.mark.parametrize("name", [name for name in STATEMENTS if name.startswith("deliveries.")])
async def test_no_delivery_is_looked_up_by_its_organisation_or_channel_alone(
    postgres_url: str, name: str
) -> None:
    found = await plan(postgres_url, STATEMENTS[name])
    scans = re.findall(r"Index (?:Only )?Scan using (\w+) .*\n\s+Index Cond: (.*)", found)
    alone = [index for index, condition in scans if re.fullmatch(r"\((org_id|channel) = \S+\)", condition)]
    assert set(alone) <= {"pk_org"} | ({"ix_delivery_waiting"} if name.endswith("_NEXT_DUE") else set()), (
        found
    )


@pytest.mark.parametrize("name", CARDS)
async def test_a_persons_cards_are_found_by_the_indexes_made_for_them(postgres_url: str, name: str) -> None:
    found = await plan(postgres_url, CARDS[name])
    assert re.search(r"Index Only Scan (Backward )?using ix_attendee_card", found), found
    backwards = name in ("workbench._SHELVES[past]", "workbench._SHELVES[created]")
    assert ("using ix_attendee_long" in found) == (not backwards), found


@pytest.mark.parametrize("name", ["workbench._SHELVES[past]", "workbench._SHELVES[created]"])
async def test_of_the_past_no_more_is_read_than_a_page(postgres_url: str, name: str) -> None:
    assert "Sort" not in await plan(postgres_url, CARDS[name])


@pytest.mark.parametrize("name", STATEMENTS)
async def test_no_attendee_is_looked_for_among_all_of_an_organisation(postgres_url: str, name: str) -> None:
    """By the key where the meeting is known, and by the indexes of cards only where it is not."""
    found = await plan(postgres_url, STATEMENTS[name])
    scans = re.findall(r"using (\w+) on attendee.*\n\s+Index Cond: (.*)", found)
    assert len(scans) == len(re.findall(r"Scan.* on attendee", found)), found
    for index, condition in scans:
        asked = r"org_id = .*meeting_id = " if index == "pk_attendee" else r"org_id = .*uid = "
        assert re.search(asked, condition), found
        assert index == "pk_attendee" or "meeting_id =" not in condition, found
