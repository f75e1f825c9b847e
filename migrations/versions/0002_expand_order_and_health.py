"""Order within a subject; the health of targets."""

import sqlalchemy as sa
from alembic import op

from relay.capture.moment import Moment

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("ordered", sa.Boolean, nullable=False, server_default=sa.false()))
    in_line = "ordered AND state IN ('pending', 'sending', 'dead')"
    _partial_index("deliveries_in_line", ["target", "subject", "event_seq"], in_line)
    op.create_table(
        "health",
        sa.Column("target", sa.String(64), primary_key=True),
        sa.Column("in_a_row", sa.Integer, nullable=False),
        sa.Column("window_began", Moment, nullable=False),
        sa.Column("tried", sa.Integer, nullable=False),
        sa.Column("failed", sa.Integer, nullable=False),
        sa.Column("failing_since", Moment),
        sa.Column("open_until", Moment),
        sa.Column("probing", sa.Boolean, nullable=False),
        sa.Column("opened", sa.Integer, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("health")
    op.drop_index("deliveries_in_line", "deliveries")
    op.drop_column("deliveries", "ordered")


def _partial_index(name: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, "deliveries", columns, postgresql_where=condition, sqlite_where=condition)
