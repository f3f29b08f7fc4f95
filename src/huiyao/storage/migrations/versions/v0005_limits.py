"""What an app may do: from which addresses, which calls, how fast, how many a day; and the quotas' days."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    for name in ("ip_list", "api_list"):
        op.add_column("app", sa.Column(name, sa.Text(), server_default="", nullable=False))
    for name in ("rate", "quota"):
        check = sa.CheckConstraint(f"{name} >= 0", name=op.f(f"ck_app_{name}"))
        op.add_column("app", sa.Column(name, sa.BigInteger(), check, server_default="0", nullable=False))
    op.create_table(
        "quota",
        sa.Column("app_id", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.BigInteger(), nullable=False),
        sa.Column("taken", sa.BigInteger(), nullable=False),
        sa.Column("granted", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("granted BETWEEN 0 AND taken", name=op.f("ck_quota_granted")),
        sa.ForeignKeyConstraint(["app_id"], ["app.app_id"], name=op.f("fk_quota_app")),
        sa.PrimaryKeyConstraint("app_id", "day", name=op.f("pk_quota")),
    )
