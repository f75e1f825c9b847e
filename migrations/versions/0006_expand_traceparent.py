"""An event knows the trace that it belongs to."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("events", sa.Column("traceparent", sa.String(55)))


def downgrade() -> None:
    op.drop_column("events", "traceparent")
