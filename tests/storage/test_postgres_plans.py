"""Every statement finds its rows by index, on a young database without statistics too."""

import re

import pytest

from huiyao.storage.postgres import deliveries, expand, inbox, meetings, write
from huiyao.storage.postgres.connections import connect

pytestmark = pytest.mark.postgres
STATEMENTS = {
    f"{module.__name__.rpartition('.')[2]}.{name}": statement
    for module in (deliveries, expand, inbox, meetings, write)
    for name, statement in vars(module).items()
    if isinstance(statement, str) and re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\s", statement)
    if "{" not in statement.replace("'{}'", "")  # a pattern for others
} | {f"deliveries._PRUNE[{place}]": statement for place, (statement, _) in enumerate(deliveries._PRUNE)}


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
        ("deliveries._PEOPLE", ["ix_person_mobile"]),
        ("deliveries._ANSWERABLE", ["ix_delivery_begun"]),
        ("deliveries._INBOUNDS", ["ix_inbound_at"]),
        ("deliveries._PRUNE[0]", ["ix_idempotency_expires_at"]),
        ("deliveries._PRUNE[1]", ["ix_delivery_ended"]),
        ("deliveries._PRUNE[2]", ["ix_inbound_at"]),
        ("expand._NEXT", ["ix_task_due_at"]),
    ],
)
async def test_what_senders_ask_is_answered_by_the_index_made_for_it(
    postgres_url: str, name: str, indexes: list[str]
) -> None:
    found = await plan(postgres_url, STATEMENTS[name])
    for index in indexes:
        assert re.search(rf"Index (Only )?Scan (Backward )?using {index}", found), found


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
