"""Deliveries told in the message of another, digests, and what was told already."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ID = sa.String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql")

# Of deliveries that fold, gather or are told once, which none is yet: on a table of any size these are made empty.
INDEXES = {
    "deliveries_folded": (["folded_into", "id"], "folded_into IS NOT NULL"),
    "deliveries_gathering": (["digest", "next_attempt_at"], "state = 'pending' AND digest IS NOT NULL"),
    "deliveries_told": (["dedupe", "finished_at"], "dedupe IS NOT NULL"),
}


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("folded_into", ID))
    op.add_column("deliveries", sa.Column("repeat", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("deliveries", sa.Column("digest", sa.String(32)))
    op.add_column("deliveries", sa.Column("dedupe", sa.String(32)))
    for name, (columns, where) in INDEXES.items():
        condition = sa.text(where)
        op.create_index(name, "deliveries", columns, postgresql_where=condition, sqlite_where=condition)


def downgrade() -> None:
    for name in INDEXES:
        op.drop_index(name, "deliveries")
    for name in ("dedupe", "digest", "repeat", "folded_into"):
        op.drop_column("deliveries", name)
