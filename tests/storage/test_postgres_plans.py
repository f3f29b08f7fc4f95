"""Every statement finds its rows by index, on a young database without statistics too."""

import re

import pytest

from huiyao.storage.postgres import expand, inbox, meetings, write
from huiyao.storage.postgres.connections import connect

pytestmark = pytest.mark.postgres
STATEMENTS = {
    f"{module.__name__.rpartition('.')[2]}.{name}": statement
    for module in (expand, inbox, meetings, write)
    for name, statement in vars(module).items()
    if isinstance(statement, str) and re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\s", statement)
    if "{" not in statement.replace("'{}'", "")  # a pattern for others
}


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
