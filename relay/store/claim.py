"""The claim: the one statement on which throughput and fairness rest."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    FromClause,
    Integer,
    Row,
    Select,
    String,
    and_,
    bindparam,
    column,
    func,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from relay.domain.delivery import OPEN, Lane, State
from relay.store.batch import any_of
from relay.store.tables import deliveries

_earlier = deliveries.alias("earlier")
_TAKEN = (
    deliveries.c.id,
    deliveries.c.event_seq,
    deliveries.c.route,
    deliveries.c.target,
    deliveries.c.attempts,
    deliveries.c.tries,
)


def claim_ids(
    connection: Connection, lanes: Sequence[Lane], limit: int, now: datetime, lease: str, until: datetime
) -> Sequence[Row[Any]]:
    """Put what is due under a lease and return it: at most `limit`, and of each lane at most its quota."""
    if not lanes:
        return []
    if connection.dialect.name == "postgresql":
        # A CTE is run once; a plain subquery with LIMIT and SKIP LOCKED may be run again, and take more.
        picked = _pick_each(lanes, limit, now).cte("picked")
        chosen: ColumnElement[bool] = deliveries.c.id == picked.c.id
    else:
        chosen = any_of(connection, deliveries.c.id, _pick_in_turn(connection, lanes, limit, now))
    taken = update(deliveries).where(chosen).values(state=State.SENDING, lease=lease, lease_until=until)
    rows = connection.execute(taken.returning(*_TAKEN)).all()
    # RETURNING keeps no order, and what was due first is to leave first.
    return sorted(rows, key=lambda row: row.event_seq)


def _pick_each(lanes: Sequence[Lane], limit: int, now: datetime) -> Select[Any]:
    """One index range for each lane, in one statement; rows that another worker is claiming are passed over."""
    lane = (
        func.unnest(
            bindparam("lane_names", [lane.target for lane in lanes], ARRAY(String)),
            bindparam("lane_quotas", [lane.quota for lane in lanes], ARRAY(Integer)),
            bindparam("lane_ordered", [lane.ordered for lane in lanes], ARRAY(Boolean)),
        )
        .table_valued(column("name", String), column("quota", Integer), column("ordered", Boolean))
        .render_derived("lane")
    )
    due = (
        _due(lane.c.name, lane.c.ordered, now)
        .limit(lane.c.quota)
        .with_for_update(skip_locked=True, of=deliveries)
        .correlate(lane)
        .lateral("due")
    )
    both: FromClause = lane.join(due, true())
    return select(due.c.id).select_from(both).limit(limit)


def _pick_in_turn(connection: Connection, lanes: Sequence[Lane], limit: int, now: datetime) -> list[str]:
    """The same, lane after lane: SQLite has no LATERAL, but a query costs it microseconds."""
    picked: list[str] = []
    for lane in lanes:
        free = min(lane.quota, limit - len(picked))
        if free <= 0:
            break
        ordered = true() if lane.ordered else None
        picked += connection.scalars(_due(lane.target, ordered, now).limit(free))
    return picked


def _due(target: Any, ordered: ColumnElement[bool] | None, now: datetime) -> Select[tuple[str]]:
    due = (
        select(deliveries.c.id)
        .where(
            deliveries.c.target == target,
            deliveries.c.state == State.PENDING,
            deliveries.c.next_attempt_at <= bindparam("now", now, deliveries.c.next_attempt_at.type),
        )
        .order_by(deliveries.c.next_attempt_at, deliveries.c.id)
    )
    if ordered is None:
        return due
    overtaken = (
        select(_earlier.c.id)
        .where(
            _earlier.c.target == deliveries.c.target,
            _earlier.c.subject == deliveries.c.subject,
            _earlier.c.state.in_(OPEN),
            _earlier.c.event_seq < deliveries.c.event_seq,
        )
        .correlate(deliveries)
        .exists()
    )
    return due.where(or_(~ordered, and_(ordered, ~overtaken)))
