"""What senders and dispatchers ask of SQLite all the time is answered by an index, without sorting all that is due."""

from contextlib import closing
from pathlib import Path

import pytest

from huiyao.storage.sqlite import deliveries, expand
from huiyao.storage.sqlite.writer import connect

WAITING = "SEARCH {} USING INDEX ix_delivery_waiting (channel=?"
PRUNED = (
    "ix_idempotency_expires_at (expires_at<?)",
    "ix_delivery_ended (ended_at<?)",
    "ix_inbound_at (at<?)",
)


def plan(template: Path, statement: str) -> list[str]:
    parameters = dict.fromkeys(("channel", "now", "look_at", "day_ago", "ended_before"), 1)
    with closing(connect(str(template))) as connection:
        given = parameters if ":" in statement else (1,) * statement.count("?")
        return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", given)]


def test_what_a_sender_sees_is_found_by_keys_in_the_order_of_what_is_due(sqlite_template: Path) -> None:
    assert [step for step in plan(sqlite_template, deliveries.SIGHTS) if "SUBQUERY" not in step] == [
        f"{WAITING.format('d')} AND due_at<?)",
        "SEARCH m USING INDEX sqlite_autoindex_meeting_1 (org_id=? AND id=?)",
        "SEARCH a USING PRIMARY KEY (org_id=? AND meeting_id=? AND uid=?)",
        "SEARCH o USING INDEX sqlite_autoindex_org_1 (org_id=?)",
        "SEARCH p USING INDEX sqlite_autoindex_person_1 (org_id=? AND uid=?) LEFT-JOIN",
        "SEARCH g USING INDEX sqlite_autoindex_message_2"
        " (org_id=? AND meeting_id=? AND uid=? AND kind=? AND occasion=?)",
        "SEARCH s USING INDEX sqlite_autoindex_delivery_2 (meeting_id=? AND org_id=? AND uid=? AND kind=?)",
        "SEARCH i USING INDEX sqlite_autoindex_delivery_2 (meeting_id=? AND org_id=? AND uid=? AND kind=?)",
        "SEARCH t USING INDEX ix_delivery_begun (org_id=? AND uid=? AND sent_at>?)",
    ]


@pytest.mark.parametrize(
    ("statement", "step"),
    [
        (deliveries._NEXT_DUE, f"{WAITING.format('delivery')})"),
        (deliveries._LEASED, "SEARCH delivery USING INDEX ix_delivery_leased (lease_until<?)"),
        (deliveries._RESCUE, "SEARCH delivery USING INDEX ix_delivery_leased (lease_until<?)"),
        (deliveries._WRITE, "SEARCH delivery USING INDEX sqlite_autoindex_delivery_1 (org_id=? AND id=?)"),
        (deliveries._PEOPLE, "SEARCH person USING INDEX ix_person_mobile (mobile=?)"),
        (
            deliveries._ANSWERABLE.format(kinds="?"),
            "SEARCH d USING INDEX ix_delivery_begun (org_id=? AND uid=? AND sent_at>?)",
        ),
        *(
            (statement, f"SEARCH {index.split('_')[1]} USING COVERING INDEX {index}")
            for statement, index in zip(deliveries._PRUNE, PRUNED, strict=True)
        ),
        (expand.NEXT_DUE, "SCAN t USING INDEX ix_task_due_at"),
    ],
)
def test_an_index_made_for_it_answers(sqlite_template: Path, statement: str, step: str) -> None:
    found = plan(sqlite_template, statement)
    assert step in found, found
    assert not any("TEMP B-TREE FOR ORDER BY" in one for one in found), found
