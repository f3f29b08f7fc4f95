"""History in the order of its feed: of each meeting, and of the organisation without what no reader need hear of."""

import sqlalchemy as sa
from alembic import op

from huiyao.storage.migrations import online

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        with op.get_context().autocommit_block():
            _online()
        return
    op.drop_index("ix_history_org_id_meeting_id_id", "history")
    op.create_index(
        "ix_history_org_id_meeting_id_xid_id",
        "history",
        ["org_id", "meeting_id", "xid", "id"],
        unique=False,
    )
    op.drop_index("ix_history_org_id_xid_id", "history")
    op.create_index(
        "ix_history_org_id_xid_id",
        "history",
        ["org_id", "xid", "id"],
        unique=False,
        sqlite_where=sa.text("kind != 'missed'"),
    )


def _online() -> None:
    online.index("ix_history_org_id_meeting_id_xid_id", "history", "(org_id, meeting_id, xid, id)")
    op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_history_org_id_meeting_id_id")
    online.index("ix_history_feed", "history", "(org_id, xid, id) WHERE kind <> 'missed'")
    op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_history_org_id_xid_id")
    op.execute("ALTER INDEX ix_history_feed RENAME TO ix_history_org_id_xid_id")
