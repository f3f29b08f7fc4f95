"""Each person's cards in the order of time, link ids, what people are found by, tickets and sessions."""

import os
from typing import Any

import sqlalchemy as sa
from alembic import op

from huiyao.pinyin import search_text
from huiyao.storage.migrations import online

revision = "0003"
down_revision = "0002"

_PEOPLE_AT_ONCE = 1000
_CARD_KEY = ["org_id", "uid", "begin_at", "meeting_id"]
_CARD_REST = ["end_at", "organizer", "msg_status", "card_removed_at", "removed_at"]


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _rebuild_sqlite()
        op.create_index("ix_attendee_card", "attendee", _CARD_KEY + _CARD_REST, unique=False)
        op.create_index(
            "ix_attendee_long",
            "attendee",
            ["org_id", "uid", "end_at"],
            unique=False,
            sqlite_where=sa.text("end_at - begin_at > 604800000"),
        )
    else:
        with op.get_context().autocommit_block():
            _extend_postgres()
    for table, *more in (
        ("ticket", sa.Column("consumed_at", sa.BigInteger(), nullable=True)),
        ("session",),
    ):
        op.create_table(
            table,
            sa.Column("org_id", sa.BigInteger(), nullable=False),
            sa.Column("hash", sa.LargeBinary(), nullable=False),
            sa.Column("uid", sa.Text(), nullable=False),
            sa.Column("app_id", sa.BigInteger(), nullable=True),
            sa.Column("created_at", sa.BigInteger(), nullable=False),
            sa.Column("expires_at", sa.BigInteger(), nullable=False),
            *more,
            sa.PrimaryKeyConstraint("org_id", "hash", name=op.f(f"pk_{table}")),
        )
        op.create_index(f"ix_{table}_expires_at", table, ["expires_at"], unique=False)
        op.create_index(f"ix_{table}_org_id_uid", table, ["org_id", "uid"], unique=False)


def _extend_postgres() -> None:
    """While programs of the version before read on. What they create from now on is refused, so nothing is missed."""
    online.briefly(
        "ALTER TABLE attendee ADD COLUMN IF NOT EXISTS begin_at bigint, ADD COLUMN IF NOT EXISTS end_at bigint,"
        " ADD COLUMN IF NOT EXISTS link_id bigint, DROP CONSTRAINT IF EXISTS filled,"
        " ADD CONSTRAINT filled CHECK (begin_at IS NOT NULL AND end_at IS NOT NULL AND link_id IS NOT NULL) NOT VALID,"
        " DROP CONSTRAINT IF EXISTS ck_attendee_link_id,"
        " ADD CONSTRAINT ck_attendee_link_id CHECK (link_id > 0) NOT VALID"
    )
    # A version 4 UUID's first 32 bits and last 32 are random; without the sign.
    online.page_by_page(
        "UPDATE attendee a SET begin_at = m.begin_at, end_at = m.end_at, link_id = coalesce(a.link_id, greatest(1,"
        " ('x' || left(gen_random_uuid()::text, 8) || right(gen_random_uuid()::text, 8))::bit(64)::bigint"
        " & 9223372036854775807))"
        " FROM meeting m WHERE m.org_id = a.org_id AND m.id = a.meeting_id AND (m.org_id, m.id) > (:a, :b)"
        " AND (m.org_id, m.id) <= (:c, :d)"
        " AND (a.begin_at, a.end_at) IS DISTINCT FROM (m.begin_at, m.end_at)",
        table="meeting",
        key=("org_id", "id"),
    )
    op.execute("ALTER TABLE attendee VALIDATE CONSTRAINT filled")
    op.execute("ALTER TABLE attendee VALIDATE CONSTRAINT ck_attendee_link_id")
    online.briefly(
        "ALTER TABLE attendee ALTER COLUMN begin_at SET NOT NULL, ALTER COLUMN end_at SET NOT NULL,"
        " ALTER COLUMN link_id SET NOT NULL"
    )
    online.briefly("ALTER TABLE attendee DROP CONSTRAINT filled")
    rest = ", ".join(_CARD_REST)
    online.index("ix_attendee_card", "attendee", f"({', '.join(_CARD_KEY)}) INCLUDE ({rest})")
    online.index("ix_attendee_long", "attendee", "(org_id, uid, end_at) WHERE end_at - begin_at > 604800000")
    # Made last: of indexes that seem equally good, as all do on a table without statistics, PostgreSQL takes the
    # newest, and a row that is asked for by its key would be looked for among all of the person's.
    online.index("pk_attendee_anew", "attendee", "(org_id, meeting_id, uid)", unique=True)
    online.briefly(
        "ALTER TABLE attendee DROP CONSTRAINT pk_attendee,"
        " ADD CONSTRAINT pk_attendee PRIMARY KEY USING INDEX pk_attendee_anew"
    )
    online.briefly("ALTER TABLE person ADD COLUMN IF NOT EXISTS search text NOT NULL DEFAULT ''")
    online.briefly("ALTER TABLE person ALTER COLUMN search DROP DEFAULT")
    connection = op.get_bind()
    page = sa.text(
        "SELECT org_id, uid, name FROM person WHERE (org_id, uid) > (:org_id, :uid)"
        f" ORDER BY org_id, uid LIMIT {_PEOPLE_AT_ONCE}"
    )
    fill = sa.text(
        "UPDATE person SET search = given.search FROM unnest(CAST(:uids AS text[]), CAST(:searches AS text[]))"
        " AS given (uid, search) WHERE org_id = :org_id AND person.uid = given.uid"
    )
    behind: dict[str, Any] = {"org_id": 0, "uid": ""}
    while people := connection.execute(page, behind).all():
        for org_id in {row[0] for row in people}:
            mine = [row for row in people if row[0] == org_id]
            connection.execute(
                fill,
                {
                    "org_id": org_id,
                    "uids": [row[1] for row in mine],
                    "searches": [search_text(row[1], row[2]) for row in mine],
                },
            )
        behind = {"org_id": people[-1][0], "uid": people[-1][1]}


def _rebuild_sqlite() -> None:
    """SQLite adds no column that may not be null; tables built anew have what fresh ones have, to the letter."""
    connection: Any = op.get_bind().connection.driver_connection
    connection.create_function("new_link_id", 0, _new_link_id)
    connection.create_function("search_text", 2, search_text)
    op.rename_table("attendee", "attendee_before")
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
        sa.Column("begin_at", sa.BigInteger(), nullable=False),
        sa.Column("end_at", sa.BigInteger(), nullable=False),
        sa.Column("link_id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "(answered_at IS NOT NULL) = (msg_status >= 2)", name=op.f("ck_attendee_answered")
        ),
        sa.CheckConstraint(
            "(removed_at IS NULL) = (removed_sequence IS NULL)", name=op.f("ck_attendee_removed")
        ),
        sa.CheckConstraint("link_id > 0", name=op.f("ck_attendee_link_id")),
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
    op.execute(
        "INSERT INTO attendee SELECT a.*, m.begin_at, m.end_at, new_link_id() FROM attendee_before a"
        " CROSS JOIN meeting m ON m.org_id = a.org_id AND m.id = a.meeting_id"
        " ORDER BY a.org_id, a.meeting_id, a.uid"
    )
    op.drop_table("attendee_before")
    op.drop_index("ix_person_mobile", "person")
    op.rename_table("person", "person_before")
    op.create_table(
        "person",
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("mobile", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("search", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["org_id"], ["org.org_id"], name=op.f("fk_person_org")),
        sa.PrimaryKeyConstraint("org_id", "uid", name=op.f("pk_person")),
    )
    op.execute("INSERT INTO person SELECT *, search_text(uid, name) FROM person_before ORDER BY org_id, uid")
    op.drop_table("person_before")
    op.create_index(
        "ix_person_mobile", "person", ["mobile"], unique=False, sqlite_where=sa.text("mobile != ''")
    )


def _new_link_id() -> int:
    return int.from_bytes(os.urandom(8)) >> 1 or 1
