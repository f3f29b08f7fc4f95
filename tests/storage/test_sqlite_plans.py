"""What senders and dispatchers ask of SQLite all the time is answered by an index, without sorting all that is due."""

import re
from contextlib import closing
from pathlib import Path

import pytest

from huiyao.storage.contract import Shelf
from huiyao.storage.sqlite import (
    deliveries,
    events,
    expand,
    history,
    live,
    people,
    reads,
    sessions,
    workbench,
)
from huiyao.storage.sqlite.writer import connect

WAITING = "SEARCH {} USING INDEX ix_delivery_waiting (channel=?"
CARDS = "SEARCH c USING COVERING INDEX ix_attendee_card (org_id=? AND uid=?"
LONG = "SEARCH c USING INDEX ix_attendee_long (org_id=? AND uid=? AND end_at>?)"
ROW = [
    "SEARCH m USING INDEX sqlite_autoindex_meeting_1 (org_id=? AND id=?)",
    "SEARCH a USING PRIMARY KEY (org_id=? AND meeting_id=? AND uid=?)",
]
PRUNED = (
    "ix_idempotency_expires_at (expires_at<?)",
    "ix_delivery_ended (ended_at<?)",
    "ix_inbound_at (at<?)",
    "ix_event_ended (ended_at<?)",
    "ix_ticket_expires_at (expires_at<?)",
    "ix_session_expires_at (expires_at<?)",
)


def plan(template: Path, statement: str) -> list[str]:
    parameters = dict.fromkeys(re.findall(r":(\w+)", statement), 1)
    with closing(connect(str(template))) as connection:
        given = parameters or (1,) * statement.count("?")
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
        (
            events._DUE,
            "SEARCH event_turn USING INDEX ix_event_turn_waiting (app_id=? AND due_at<?)",
        ),
        (events._WAITING, "SEARCH t USING INDEX ix_event_turn_waiting (app_id=?)"),
        (events._FIRST, "SEARCH e USING INDEX ix_event_open (org_id=? AND meeting_id=?)"),
        (events._FREE_EVENT, "SEARCH event USING INDEX ix_event_open (org_id=? AND meeting_id=?)"),
        (events._LEASED, "SEARCH event_turn USING INDEX ix_event_turn_leased (lease_until<?)"),
        (events._OVERDUE, "SEARCH event USING INDEX ix_event_overdue (give_up_at<?)"),
        (expand.NEXT_DUE, "SCAN t USING INDEX ix_task_due_at"),
        (
            live._PEOPLE,
            "SEARCH message USING COVERING INDEX sqlite_autoindex_message_1"
            " (org_id=? AND uid=? AND xid>? AND xid<?)",
        ),
        (
            live._MEETINGS,
            "SEARCH history USING INDEX ix_history_org_id_xid_id (org_id=? AND xid>? AND xid<?)",
        ),
        (
            history._CHANGES,
            "SEARCH h USING INDEX ix_history_org_id_xid_id (org_id=? AND (xid,id)>(?,?))",
        ),
        (
            history._HISTORY,
            "SEARCH history USING INDEX ix_history_org_id_meeting_id_xid_id"
            " (org_id=? AND meeting_id=? AND (xid,id)>(?,?))",
        ),
        (sessions.TICKET, "SEARCH ticket USING INDEX sqlite_autoindex_ticket_1 (org_id=? AND hash=?)"),
        (sessions.USE, "SEARCH ticket USING INDEX sqlite_autoindex_ticket_1 (org_id=? AND hash=?)"),
        (sessions.SESSION, "SEARCH session USING INDEX sqlite_autoindex_session_1 (org_id=? AND hash=?)"),
        (sessions.END_ALL, "SEARCH session USING INDEX ix_session_org_id_uid (org_id=? AND uid=?)"),
        (sessions.DROP_TICKETS, "SEARCH ticket USING INDEX ix_ticket_org_id_uid (org_id=? AND uid=?)"),
        (people.search(2), "SEARCH person USING INDEX sqlite_autoindex_person_1 (org_id=? AND uid>?)"),
        (
            reads._MARK_OF_MEETING,
            "SEARCH message USING INDEX sqlite_autoindex_message_2 (org_id=? AND meeting_id=? AND uid=?)",
        ),
        (workbench.COUNT, "SEARCH attendee USING PRIMARY KEY (org_id=? AND meeting_id=?)"),
        (workbench.LINKED, "SEARCH a USING PRIMARY KEY (org_id=? AND meeting_id=?)"),
    ],
)
def test_an_index_made_for_it_answers(sqlite_template: Path, statement: str, step: str) -> None:
    found = plan(sqlite_template, statement)
    assert step in found, found
    assert not any("TEMP B-TREE FOR ORDER BY" in one for one in found), found


@pytest.mark.parametrize(
    ("statement", "way_in"),
    [
        *((one, " AND (begin_at,meeting_id)>(?,?))") for one in workbench.NEAR.values()),
        *((one, " AND (begin_at,meeting_id)<(?,?))") for one in workbench.BACKWARDS.values()),
        (workbench.CALENDAR_NEAR, " AND begin_at>? AND begin_at<?)"),
    ],
)
def test_a_page_of_cards_is_read_in_the_order_of_its_index(
    sqlite_template: Path, statement: str, way_in: str
) -> None:
    """And so no further than the page goes."""
    assert plan(sqlite_template, statement) == [f"{CARDS}{way_in}", *ROW]


@pytest.mark.parametrize("statement", [*workbench.LONG.values(), workbench.CALENDAR_LONG])
def test_the_long_ones_are_found_by_their_end(sqlite_template: Path, statement: str) -> None:
    assert plan(sqlite_template, statement)[:-1] == [LONG, *ROW]


@pytest.mark.parametrize("statement", [workbench.WAITING, workbench.ENGAGED, workbench.CARDS])
def test_cards_are_looked_through_by_index_alone(sqlite_template: Path, statement: str) -> None:
    found = plan(sqlite_template, statement)
    assert [step for step in found if step.startswith("SEARCH c")] == [
        f"{CARDS} AND (begin_at,meeting_id)>(?,?))"
        if statement == workbench.WAITING
        else f"{CARDS} AND begin_at>? AND begin_at<?)",
        LONG,
    ]


@pytest.mark.parametrize("statement", people.ERASE)
def test_nobody_is_erased_by_looking_through_an_organisation(sqlite_template: Path, statement: str) -> None:
    found = plan(sqlite_template, statement)
    assert not any(re.search(r"SCAN|\(org_id=\?\)", step) for step in found), found


def test_the_plan_of_every_shelf_is_looked_at() -> None:
    assert set(workbench.NEAR) | set(workbench.BACKWARDS) == set(Shelf)


@pytest.mark.parametrize("statement", [reads._MARK, reads._UNREAD_BEFORE], ids=["mark", "look"])
def test_marking_an_inbox_as_read_looks_at_what_is_unread_only(sqlite_template: Path, statement: str) -> None:
    assert plan(sqlite_template, statement) == [
        "SEARCH message USING INDEX ix_message_unread (org_id=? AND uid=?)"
    ]
