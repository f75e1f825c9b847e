"""Routes can be muted for a time."""

from alembic import op
from sqlalchemy import Column

from relay.capture.moment import Moment

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("routes", Column("muted_until", Moment()))


def downgrade() -> None:
    op.drop_column("routes", "muted_until")
