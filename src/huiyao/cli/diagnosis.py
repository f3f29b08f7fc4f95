"""`huiyao doctor`: what is wrong, and why."""

from typing import TYPE_CHECKING

import typer

from huiyao.cli import options
from huiyao.cli.lazily import lazily

if TYPE_CHECKING:
    from huiyao.service import health
else:
    health = lazily("huiyao.service.health")


def doctor(*, json: options.Json = False, database: options.Database = None) -> None:
    """Look at settings, database, schema, server key, clock, disk and dispatcher; exit with 1 if anything is wrong."""
    found = options.settings(database_url=database)
    findings = options.to_the_end(found, health.examine(found))
    if json:
        options.print_json(
            [{"subject": one.subject, "ok": one.ok, "finding": one.finding} for one in findings]
        )
    else:
        for one in findings:
            print(f"{'ok  ' if one.ok else 'BAD '} {one.subject}: {one.finding}")
    if not all(one.ok for one in findings):
        raise typer.Exit(1)
