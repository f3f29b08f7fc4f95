"""The tables of events for apps, part of `schema`."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
)

from huiyao.storage.columns import number, small, text


def define(metadata: MetaData) -> None:
    """Add them to the schema."""
    event = Table(
        "event",
        metadata,
        number("org_id"),
        number("id"),
        number("app_id"),
        number("meeting_id"),
        small("type"),
        number("sequence"),
        text("uid"),
        Column("msg_status", SmallInteger),
        text("reason"),
        number("at"),
        number("due_at"),
        number("give_up_at"),
        text("state"),
        number("attempt"),
        number("failures"),
        number("sent_at", optional=True),
        text("outcome"),
        text("log"),
        number("ended_at", optional=True),
        PrimaryKeyConstraint("org_id", "id"),
        ForeignKeyConstraint(["org_id", "meeting_id"], ["meeting.org_id", "meeting.id"]),
        CheckConstraint("id BETWEEN 1 AND 9007199254740991", name="id"),
        CheckConstraint("type BETWEEN 101 AND 108", name="type"),
        CheckConstraint("(uid = '') = (type IN (101, 106, 107))", name="uid"),
        CheckConstraint("state IN ('pending', 'sending', 'delivered', 'failed', 'skipped')", name="state"),
        CheckConstraint("(ended_at IS NULL) = (state IN ('pending', 'sending'))", name="ended"),
        CheckConstraint("(sent_at IS NULL) = (attempt = 0)", name="sent"),
    )
    # Those of a meeting that are still to be delivered, in their order; those that have waited too long; and those that
    # ended, by their age.
    Index(
        "ix_event_open",
        event.c.org_id,
        event.c.meeting_id,
        event.c.id,
        postgresql_where=event.c.ended_at.is_(None),
        sqlite_where=event.c.ended_at.is_(None),
    )
    Index(
        "ix_event_overdue",
        event.c.give_up_at,
        postgresql_where=event.c.state == "pending",
        sqlite_where=event.c.state == "pending",
    )
    Index(
        "ix_event_ended",
        event.c.ended_at,
        postgresql_where=event.c.ended_at.is_not(None),
        sqlite_where=event.c.ended_at.is_not(None),
    )

    # One row for each meeting that has events to be delivered: the first of them has the turn. By it at most one is
    # under way, and what waits behind it costs the search for due ones nothing.
    event_turn = Table(
        "event_turn",
        metadata,
        number("org_id"),
        number("meeting_id"),
        number("app_id"),
        number("due_at"),  # of the event whose turn it is
        number("lease_until", optional=True),
        PrimaryKeyConstraint("org_id", "meeting_id"),
    )
    Index(
        "ix_event_turn_waiting",
        event_turn.c.app_id,
        event_turn.c.due_at,
        postgresql_where=event_turn.c.lease_until.is_(None),
        sqlite_where=event_turn.c.lease_until.is_(None),
    )
    Index(
        "ix_event_turn_leased",
        event_turn.c.lease_until,
        postgresql_where=event_turn.c.lease_until.is_not(None),
        sqlite_where=event_turn.c.lease_until.is_not(None),
    )
