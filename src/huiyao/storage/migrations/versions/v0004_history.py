"""History in the order of its feed: of each meeting, and of the organisation without what no reader need hear of."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
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
        postgresql_where=sa.text("kind != 'missed'"),
        sqlite_where=sa.text("kind != 'missed'"),
    )
