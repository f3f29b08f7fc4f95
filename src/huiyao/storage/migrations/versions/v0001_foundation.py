"""The tables of the first release."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "app",
        sa.Column("app_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("revoked_generation", sa.BigInteger(), nullable=False),
        sa.Column("disabled", sa.SmallInteger(), nullable=False),
        sa.Column("callback_url", sa.Text(), nullable=False),
        sa.Column("grants", sa.Text(), nullable=False),
        sa.CheckConstraint("app_id > 0", name=op.f("ck_app_id")),
        sa.CheckConstraint("disabled IN (0, 1)", name=op.f("ck_app_disabled")),
        sa.CheckConstraint("revoked_generation <= generation", name=op.f("ck_app_generation")),
        sa.PrimaryKeyConstraint("app_id", name=op.f("pk_app")),
    )
    op.create_table(
        "counter",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_counter")),
    )
    op.create_table(
        "heartbeat",
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("node", name=op.f("pk_heartbeat")),
    )
    op.create_table(
        "idempotency",
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("app_id", sa.BigInteger(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("meeting_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "app_id", "uid", "key", name=op.f("pk_idempotency")),
    )
    op.create_index("ix_idempotency_expires_at", "idempotency", ["expires_at"], unique=False)
    op.create_table(
        "org",
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("closed", sa.SmallInteger(), nullable=False),
        sa.CheckConstraint("closed IN (0, 1)", name=op.f("ck_org_closed")),
        sa.CheckConstraint("org_id > 0", name=op.f("ck_org_id")),
        sa.PrimaryKeyConstraint("org_id", name=op.f("pk_org")),
    )
    op.create_table(
        "setting",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_setting")),
    )
    op.create_table(
        "meeting",
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("app_id", sa.BigInteger(), nullable=False),
        sa.Column("organizer_uid", sa.Text(), nullable=False),
        sa.Column("organizer_name", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("begin_at", sa.BigInteger(), nullable=False),
        sa.Column("end_at", sa.BigInteger(), nullable=False),
        sa.Column("remind_min", sa.BigInteger(), nullable=False),
        sa.Column("remind_type", sa.SmallInteger(), nullable=False),
        sa.Column("push_status", sa.SmallInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("moved_sequence", sa.BigInteger(), nullable=False),
        sa.Column("ical_uid", sa.Text(), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("cancelled_at", sa.BigInteger(), nullable=True),
        sa.Column("nudged_at", sa.BigInteger(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "(push_status = 2) = (cancelled_at IS NOT NULL)", name=op.f("ck_meeting_cancelled")
        ),
        sa.CheckConstraint("end_at >= begin_at", name=op.f("ck_meeting_times")),
        sa.CheckConstraint("id BETWEEN 1 AND 9007199254740991", name=op.f("ck_meeting_id")),
        sa.CheckConstraint("moved_sequence BETWEEN 0 AND sequence", name=op.f("ck_meeting_sequence")),
        sa.CheckConstraint("push_status IN (0, 1, 2)", name=op.f("ck_meeting_push_status")),
        sa.CheckConstraint("remind_min BETWEEN 0 AND 40320", name=op.f("ck_meeting_remind_min")),
        sa.CheckConstraint("remind_type IN (0, 1)", name=op.f("ck_meeting_remind_type")),
        sa.CheckConstraint("size > 0", name=op.f("ck_meeting_size")),
        sa.ForeignKeyConstraint(["org_id"], ["org.org_id"], name=op.f("fk_meeting_org")),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_meeting")),
    )
    op.create_table(
        "org_app",
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("app_id", sa.BigInteger(), nullable=False),
        sa.Column("is_default", sa.SmallInteger(), nullable=False),
        sa.ForeignKeyConstraint(["app_id"], ["app.app_id"], name=op.f("fk_org_app_app")),
        sa.ForeignKeyConstraint(["org_id"], ["org.org_id"], name=op.f("fk_org_app_org")),
        sa.PrimaryKeyConstraint("org_id", "app_id", name=op.f("pk_org_app")),
    )
    op.create_index("ix_org_app_app_id", "org_app", ["app_id"], unique=False)
    op.create_table(
        "person",
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("mobile", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["org_id"], ["org.org_id"], name=op.f("fk_person_org")),
        sa.PrimaryKeyConstraint("org_id", "uid", name=op.f("pk_person")),
    )
    op.create_table(
        "token_generation",
        sa.Column("app_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("issued_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["app_id"], ["app.app_id"], name=op.f("fk_token_generation_app")),
        sa.PrimaryKeyConstraint("app_id", "number", name=op.f("pk_token_generation")),
    )
    op.create_table(
        "attendee",
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("meeting_id", sa.BigInteger(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("organizer", sa.SmallInteger(), nullable=False),
        sa.Column("msg_status", sa.SmallInteger(), nullable=False),
        sa.Column("remind", sa.SmallInteger(), nullable=False),
        sa.Column("reply", sa.Text(), nullable=False),
        sa.Column("read_at", sa.BigInteger(), nullable=True),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.Column("card_removed_at", sa.BigInteger(), nullable=True),
        sa.Column("removed_at", sa.BigInteger(), nullable=True),
        sa.Column("membership", sa.BigInteger(), nullable=False),
        sa.Column("invited_sequence", sa.BigInteger(), nullable=False),
        sa.Column("removed_sequence", sa.BigInteger(), nullable=True),
        sa.Column("quiet", sa.SmallInteger(), nullable=False),
        sa.CheckConstraint(
            "(answered_at IS NOT NULL) = (msg_status >= 2)", name=op.f("ck_attendee_answered")
        ),
        sa.CheckConstraint(
            "(removed_at IS NULL) = (removed_sequence IS NULL)", name=op.f("ck_attendee_removed")
        ),
        sa.CheckConstraint("msg_status BETWEEN 0 AND 3", name=op.f("ck_attendee_msg_status")),
        sa.CheckConstraint("organizer IN (0, 1)", name=op.f("ck_attendee_organizer")),
        sa.CheckConstraint(
            "position >= 0 OR (position = -1 AND organizer = 1)", name=op.f("ck_attendee_position")
        ),
        sa.CheckConstraint("quiet IN (0, 1)", name=op.f("ck_attendee_quiet")),
        sa.CheckConstraint("remind IN (0, 1)", name=op.f("ck_attendee_remind")),
        sa.CheckConstraint("removed_at IS NULL OR organizer = 0", name=op.f("ck_attendee_organizer_stays")),
        sa.ForeignKeyConstraint(
            ["org_id", "meeting_id"], ["meeting.org_id", "meeting.id"], name=op.f("fk_attendee_meeting")
        ),
        sa.PrimaryKeyConstraint("org_id", "meeting_id", "uid", name=op.f("pk_attendee")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "history",
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("xid", sa.BigInteger(), nullable=False),
        sa.Column("meeting_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("app_id", sa.BigInteger(), nullable=True),
        sa.Column("actor_uid", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("change", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('created', 'updated', 'cancelled', 'deleted', 'read', 'responded', 'remind', 'nudged', 'missed')",
            name=op.f("ck_history_kind"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "meeting_id"], ["meeting.org_id", "meeting.id"], name=op.f("fk_history_meeting")
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_history")),
    )
    op.create_index(
        "ix_history_org_id_meeting_id_id", "history", ["org_id", "meeting_id", "id"], unique=False
    )
    op.create_index("ix_history_org_id_xid_id", "history", ["org_id", "xid", "id"], unique=False)
    op.create_table(
        "message",
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("xid", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("meeting_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("occasion", sa.Text(), nullable=False),
        sa.Column("as_of", sa.BigInteger(), nullable=False),
        sa.Column("params", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("read_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('invited', 'updated', 'cancelled', 'removed', 'reminder', 'nudged', 'answered')",
            name=op.f("ck_message_kind"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "meeting_id"], ["meeting.org_id", "meeting.id"], name=op.f("fk_message_meeting")
        ),
        sa.PrimaryKeyConstraint("org_id", "uid", "xid", "id", name=op.f("pk_message")),
        sa.UniqueConstraint(
            "org_id",
            "meeting_id",
            "uid",
            "kind",
            "occasion",
            name=op.f("uq_message_org_id_meeting_id_uid_kind_occasion"),
        ),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_message_unread",
        "message",
        ["org_id", "uid"],
        unique=False,
        postgresql_where=sa.text("read_at IS NULL"),
        sqlite_where=sa.text("read_at IS NULL"),
    )
    op.create_table(
        "task",
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("meeting_id", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("dedup_key", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("since_at", sa.BigInteger(), nullable=False),
        sa.Column("old", sa.Text(), nullable=False),
        sa.Column("resume_uid", sa.Text(), nullable=False),
        sa.CheckConstraint("kind IN ('announce', 'remind', 'nudge', 'answered')", name=op.f("ck_task_kind")),
        sa.CheckConstraint(
            "topic IN ('', 'created', 'moved', 'edited', 'listed', 'cancelled', 'silent')",
            name=op.f("ck_task_topic"),
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "meeting_id"], ["meeting.org_id", "meeting.id"], name=op.f("fk_task_meeting")
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name=op.f("pk_task")),
        sa.UniqueConstraint("org_id", "dedup_key", name=op.f("uq_task_org_id_dedup_key")),
    )
    op.create_index("ix_task_due_at", "task", ["due_at"], unique=False)
    op.create_index(
        "ix_task_org_id_meeting_id_sequence", "task", ["org_id", "meeting_id", "sequence"], unique=False
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE SEQUENCE huiyao_id")
    else:
        op.execute("INSERT INTO counter (name, value) VALUES ('id', 0), ('xid', 0)")
