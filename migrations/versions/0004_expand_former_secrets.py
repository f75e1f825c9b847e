"""Signing secrets that were replaced go on signing for a while."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("targets", sa.Column("former", sa.Text))


def downgrade() -> None:
    op.drop_column("targets", "former")
