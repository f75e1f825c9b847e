"""The relay's tables. The migrations build them; a test holds the two against each other."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Float,
    FromClause,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    false,
    literal_column,
    text,
)
from sqlalchemy.dialects import postgresql

from relay.capture.moment import Moment
from relay.capture.outbox import outbox as outbox_table

metadata = MetaData()

Id = String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql")
Seq = BigInteger().with_variant(Integer, "sqlite")

outbox = outbox_table(metadata)

events = Table(
    "events",
    metadata,
    Column("seq", Seq, Identity(), primary_key=True),
    Column("id", Id, nullable=False, unique=True),
    Column("source", String(256), nullable=False),
    Column("type", String(256), nullable=False),
    Column("subject", String(512)),
    Column("content_type", String(256), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("dedupe", String(256)),
    Column("occurred_at", Moment, nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("routed", Boolean, nullable=False, server_default=false()),
    Column("traceparent", String(55)),
)
# Partial, so that what is done costs nothing: ten million routed events leave these two empty.
Index("events_unrouted", events.c.seq, postgresql_where=~events.c.routed, sqlite_where=~events.c.routed)
Index(
    "events_dedupe",
    events.c.source,
    events.c.dedupe,
    unique=True,
    postgresql_where=events.c.dedupe.is_not(None),
    sqlite_where=events.c.dedupe.is_not(None),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Id, primary_key=True),
    Column("event_id", Id, nullable=False),
    Column("event_seq", BigInteger, nullable=False),
    Column("route", String(64), nullable=False),
    Column("target", String(64), nullable=False),
    Column("subject", String(512)),
    Column("state", String(16), nullable=False, server_default="pending"),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("tries", Integer, nullable=False, server_default=text("0")),
    Column("next_attempt_at", Moment, nullable=False),
    Column("lease", Id),
    Column("lease_until", Moment),
    Column("last_status", SmallInteger),
    Column("last_error", Text),
    Column("created_at", Moment, nullable=False),
    Column("finished_at", Moment),
    Column("ordered", Boolean, nullable=False, server_default=false()),
    # Of the latest replay that sent it again.
    Column("replay_id", Id),
    # The delivery whose message tells this one; or, for a `repeat`, the one that told the same before.
    Column("folded_into", Id),
    Column("repeat", Boolean, nullable=False, server_default=false()),
    # What gathers until its window ends, and what is told once in a while: digests of route, target and key.
    Column("digest", String(32)),
    Column("dedupe", String(32)),
)
_pending = deliveries.c.state == "pending"
_sending = deliveries.c.state == "sending"
_dead = deliveries.c.state == "dead"
Index("deliveries_once", deliveries.c.event_id, deliveries.c.target, unique=True)
Index(
    "deliveries_due",
    deliveries.c.target,
    deliveries.c.next_attempt_at,
    deliveries.c.id,
    postgresql_where=_pending,
    sqlite_where=_pending,
)
# One for both questions, how many a target has under way and which leases have ended: it is short, and every index
# that a change of state touches costs each delivery twice.
Index(
    "deliveries_sending",
    deliveries.c.target,
    deliveries.c.lease_until,
    postgresql_where=_sending,
    sqlite_where=_sending,
)
_in_line = deliveries.c.ordered & deliveries.c.state.in_(["pending", "sending", "dead"])
Index(
    "deliveries_in_line",
    deliveries.c.target,
    deliveries.c.subject,
    deliveries.c.event_seq,
    postgresql_where=_in_line,
    sqlite_where=_in_line,
)
Index(
    "deliveries_replayed",
    deliveries.c.replay_id,
    deliveries.c.state,
    postgresql_where=deliveries.c.replay_id.is_not(None),
    sqlite_where=deliveries.c.replay_id.is_not(None),
)
Index(
    "deliveries_folded",
    deliveries.c.folded_into,
    deliveries.c.id,
    postgresql_where=deliveries.c.folded_into.is_not(None),
    sqlite_where=deliveries.c.folded_into.is_not(None),
)
_gathering = _pending & deliveries.c.digest.is_not(None)
Index(
    "deliveries_gathering",
    deliveries.c.digest,
    deliveries.c.next_attempt_at,
    postgresql_where=_gathering,
    sqlite_where=_gathering,
)
Index(
    "deliveries_told",
    deliveries.c.dedupe,
    deliveries.c.finished_at,
    postgresql_where=deliveries.c.dedupe.is_not(None),
    sqlite_where=deliveries.c.dedupe.is_not(None),
)
Index("deliveries_dead", deliveries.c.finished_at, postgresql_where=_dead, sqlite_where=_dead)


def in_state(table: FromClause, *states: str) -> ColumnElement[bool]:
    """Return the condition that a delivery is in one of these states, written out.

    PostgreSQL makes a plan for any parameters once it has seen a statement some times; by one that may be any state it
    would not know the indexes above.
    """
    known = [literal_column(f"'{state}'", String) for state in states]
    return table.c.state == known[0] if len(known) == 1 else table.c.state.in_(known)


attempts = Table(
    "attempts",
    metadata,
    # One delivery is under way once at a time, so its attempts never share a microsecond.
    Column("delivery_id", Id, primary_key=True),
    Column("at", Moment, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("ms", Float, nullable=False),
    Column("outcome", String(32), nullable=False),
    Column("status", SmallInteger),
    Column("error", Text),
    Column("response", Text),
)

replays = Table(
    "replays",
    metadata,
    Column("id", Id, primary_key=True),
    Column("created_at", Moment, nullable=False),
    Column("rate", Float),
    Column("count", Integer, nullable=False),
    Column("cancelled_at", Moment),
    Column("filter", Text, nullable=False),
)

health = Table(
    "health",
    metadata,
    # Targets that failed lately; one that is well has no row.
    Column("target", String(64), primary_key=True),
    Column("in_a_row", Integer, nullable=False),
    Column("window_began", Moment, nullable=False),
    Column("tried", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("failing_since", Moment),
    Column("open_until", Moment),
    Column("probing", Boolean, nullable=False),
    Column("opened", Integer, nullable=False),
)


def _configured(name: str, *columns: Column[object]) -> Table:
    """Return a table of things that relay.toml names: in its order, each with its whole specification as JSON."""
    return Table(
        name,
        metadata,
        Column("name", String(64), primary_key=True),
        Column("position", Integer, nullable=False),
        Column("spec", Text, nullable=False),
        *columns,
    )


# The specifications of these three hold secrets: they are sealed as a whole.
sources = _configured("sources")
databases = _configured("databases")
targets = _configured(
    "targets",
    Column("paused_at", Moment),
    Column("paused_reason", Text),
    # Signing secrets that were replaced, sealed too.
    Column("former", Text),
)
routes = _configured("routes", Column("muted_until", Moment))

configuration = Table(
    "configuration",
    metadata,
    # One row: whoever changes the configuration raises the version, and workers look at nothing else.
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),
    Column("applied_at", Moment, nullable=False),
)
