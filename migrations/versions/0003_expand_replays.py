"""Replays as things of their own."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from relay.capture.moment import Moment

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql")


def upgrade() -> None:
    op.create_table(
        "replays",
        sa.Column("id", ID, primary_key=True),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("rate", sa.Float),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("cancelled_at", Moment),
        sa.Column("filter", sa.Text, nullable=False),
    )
    op.add_column("deliveries", sa.Column("replay_id", ID))
    # Only replayed deliveries are in it: on a table of any size it is made empty.
    replayed = sa.text("replay_id IS NOT NULL")
    op.create_index(
        "deliveries_replayed", "deliveries", ["replay_id", "state"], postgresql_where=replayed, sqlite_where=replayed
    )


def downgrade() -> None:
    op.drop_index("deliveries_replayed", "deliveries")
    op.drop_column("deliveries", "replay_id")
    op.drop_table("replays")
