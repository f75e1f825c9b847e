"""Events, deliveries and attempts; the outbox; the configuration."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from relay.capture.moment import Moment

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql")
SEQ = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    _outbox()
    _events()
    _deliveries()
    _configuration()


def downgrade() -> None:
    for table in (
        "configuration",
        "routes",
        "targets",
        "databases",
        "sources",
        "attempts",
        "deliveries",
        "events",
        "relay_outbox",
    ):
        op.drop_table(table)


def _outbox() -> None:
    op.create_table(
        "relay_outbox",
        sa.Column("seq", SEQ, sa.Identity(), primary_key=True),
        sa.Column("id", ID, nullable=False, unique=True),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("type", sa.String(256), nullable=False),
        sa.Column("subject", sa.String(512)),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("occurred_at", Moment, nullable=False),
        # A number that is given twice could be forgotten twice, the second row unread.
        sqlite_autoincrement=True,
    )


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("seq", SEQ, sa.Identity(), primary_key=True),
        sa.Column("id", ID, nullable=False, unique=True),
        sa.Column("source", sa.String(256), nullable=False),
        sa.Column("type", sa.String(256), nullable=False),
        sa.Column("subject", sa.String(512)),
        sa.Column("content_type", sa.String(256), nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("dedupe", sa.String(256)),
        sa.Column("occurred_at", Moment, nullable=False),
        sa.Column("received_at", Moment, nullable=False),
        sa.Column("routed", sa.Boolean, nullable=False, server_default=sa.false()),
    )
    _partial_index("events_unrouted", "events", ["seq"], "NOT routed")
    _partial_index("events_dedupe", "events", ["source", "dedupe"], "dedupe IS NOT NULL", unique=True)


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", ID, primary_key=True),
        sa.Column("event_id", ID, nullable=False),
        sa.Column("event_seq", sa.BigInteger, nullable=False),
        sa.Column("route", sa.String(64), nullable=False),
        sa.Column("target", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(512)),
        sa.Column("state", sa.String(16), nullable=False, server_default="pending"),
        sa.Column("attempts", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("tries", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("next_attempt_at", Moment, nullable=False),
        sa.Column("lease", ID),
        sa.Column("lease_until", Moment),
        sa.Column("last_status", sa.SmallInteger),
        sa.Column("last_error", sa.Text),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("finished_at", Moment),
    )
    _partial_index("deliveries_due", "deliveries", ["target", "next_attempt_at", "id"], "state = 'pending'")
    _partial_index("deliveries_sending", "deliveries", ["target", "lease_until"], "state = 'sending'")
    _partial_index("deliveries_dead", "deliveries", ["finished_at"], "state = 'dead'")
    op.create_index("deliveries_once", "deliveries", ["event_id", "target"], unique=True)
    op.create_table(
        "attempts",
        sa.Column("delivery_id", ID, primary_key=True),
        sa.Column("at", Moment, primary_key=True),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("ms", sa.Float, nullable=False),
        sa.Column("outcome", sa.String(32), nullable=False),
        sa.Column("status", sa.SmallInteger),
        sa.Column("error", sa.Text),
        sa.Column("response", sa.Text),
    )


def _configuration() -> None:
    paused = (sa.Column("paused_at", Moment), sa.Column("paused_reason", sa.Text))
    for name, more in (("sources", ()), ("databases", ()), ("targets", paused), ("routes", ())):
        op.create_table(
            name,
            sa.Column("name", sa.String(64), primary_key=True),
            sa.Column("position", sa.Integer, nullable=False),
            sa.Column("spec", sa.Text, nullable=False),
            *more,
        )
    op.create_table(
        "configuration",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("applied_at", Moment, nullable=False),
    )


def _partial_index(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, unique=unique, postgresql_where=condition, sqlite_where=condition)
