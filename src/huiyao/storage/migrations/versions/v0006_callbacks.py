"""Callbacks: how an app's events are signed, the events themselves, and whose turn it is in each meeting."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    style = sa.CheckConstraint(
        "callback_style IN ('platform', 'standard')", name=op.f("ck_app_callback_style")
    )
    op.add_column(
        "app", sa.Column("callback_style", sa.Text(), style, server_default="platform", nullable=False)
    )
    op.add_column("app", sa.Column("callback_secret", sa.LargeBinary(), nullable=True))
    op.add_column("app", sa.Column("callback_old_secret", sa.LargeBinary(), nullable=True))
    op.add_column("app", sa.Column("callback_old_until", sa.BigInteger(), nullable=True))
    op.add_column("app", sa.Column("callback_gone_at", sa.BigInteger(), nullable=True))
    op.create_table(
        "event",
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("app_id", sa.BigInteger(), nullable=False),
        sa.Column("meeting_id", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.SmallInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("msg_status", sa.SmallInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("give_up_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("log", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("id BETWEEN 1 AND 9007199254740991", name=op.f("ck_event_id")),
        sa.CheckConstraint("type BETWEEN 101 AND 108", name=op.f("ck_event_type")),
        sa.CheckConstraint("(uid = '') = (type IN (101, 106, 107))", name=op.f("ck_event_uid")),
        sa.CheckConstraint(
            "state IN ('pending', 'sending', 'delivered', 'failed', 'skipped')", name=op.f("ck_event_state")
        ),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (state IN ('pending', 'sending'))", name=op.f("ck_event_ended")
        ),
        sa.CheckConstraint("(sent_at IS NULL) = (attempt = 0)", name=op.f("ck_event_sent")),
        sa.ForeignKeyConstraint(
            ["org_id", "meeting_id"], ["meeting.org_id", "meeting.id"], name=op.f("fk_event_meeting")
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_event")),
    )
    op.create_table(
        "event_turn",
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("meeting_id", sa.BigInteger(), nullable=False),
        sa.Column("app_id", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("org_id", "meeting_id", name=op.f("pk_event_turn")),
    )
    for name, table, columns, condition in (
        ("ix_event_ended", "event", ["ended_at"], "ended_at IS NOT NULL"),
        ("ix_event_open", "event", ["org_id", "meeting_id", "id"], "ended_at IS NULL"),
        ("ix_event_overdue", "event", ["give_up_at"], "state = 'pending'"),
        ("ix_event_turn_leased", "event_turn", ["lease_until"], "lease_until IS NOT NULL"),
        ("ix_event_turn_waiting", "event_turn", ["app_id", "due_at"], "lease_until IS NULL"),
    ):
        op.create_index(
            name,
            table,
            columns,
            unique=False,
            postgresql_where=sa.text(condition),
            sqlite_where=sa.text(condition),
        )
    if op.get_bind().dialect.name == "postgresql":
        # Not huiyao_id: numbers are taken singly, under the lock that orders what happens to a meeting.
        op.execute("CREATE SEQUENCE huiyao_event")
