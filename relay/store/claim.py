"""The claim: the one statement on which throughput and fairness rest."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    FromClause,
    Integer,
    Select,
    String,
    and_,
    bindparam,
    column,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from relay.domain.delivery import OPEN, Claimed, Lane, State
from relay.domain.event import Event
from relay.store.batch import any_of
from relay.store.database import Database, bound
from relay.store.eventrows import EVENT_COLUMNS, load_events, to_event
from relay.store.tables import deliveries, events, in_state, targets

_earlier = deliveries.alias("earlier")
_mate = deliveries.alias("mate")
_place: ColumnElement[Any] = literal_column("deliveries.ctid")
"""Where PostgreSQL keeps a row, until it is next changed."""
_TAKEN = (
    deliveries.c.id,
    deliveries.c.event_seq,
    deliveries.c.route,
    deliveries.c.target,
    deliveries.c.attempts,
    deliveries.c.tries,
)


def claim(
    database: Database, lanes: Sequence[Lane], limit: int, now: datetime, lease: str, until: datetime
) -> list[Claimed]:
    """Put what is due under a lease and return it, first what was first stored.

    At most `limit`, and of each lane at most its quota.
    """
    # A count that all workers share holds for as long as the transaction in which it was taken.
    bounded = any(lane.most is not None for lane in lanes)
    with database.writing(bounding=True) if bounded else database.single() as connection:
        lanes = _within_bounds(connection, lanes) if bounded else lanes
        if not lanes:
            return []
        take = _take_at_once if database.is_postgresql else _take_in_turn
        claimed = take(connection, lanes, limit, now, lease, until)
    # RETURNING keeps no order.
    return sorted(claimed, key=lambda one: one.event.seq)


def _take_at_once(
    connection: Connection, lanes: Sequence[Lane], limit: int, now: datetime, lease: str, until: datetime
) -> list[Claimed]:
    """Take from all lanes, with the events, in one statement."""
    asked = {
        "lane_names": [lane.target for lane in lanes],
        "lane_quotas": [lane.quota for lane in lanes],
        "lane_ordered": [lane.ordered for lane in lanes],
        "lane_blocking": [lane.blocking for lane in lanes],
        "most": limit,
        "now": now,
        "new_lease": lease,
        "new_until": until,
    }
    rows = connection.execute(_take_each(), asked).all()
    width = len(_TAKEN)
    return [_claimed(row[:width], to_event(row[width:]), lease) for row in rows]


def _take_in_turn(
    connection: Connection, lanes: Sequence[Lane], limit: int, now: datetime, lease: str, until: datetime
) -> list[Claimed]:
    """Take lane after lane: SQLite has no LATERAL, but a query costs it microseconds."""
    picked = any_of(connection, deliveries.c.id, _pick_in_turn(connection, lanes, limit, now))
    taken = update(deliveries).where(picked).values(state=State.SENDING, lease=lease, lease_until=until)
    rows = connection.execute(taken.returning(*_TAKEN)).all()
    carried = load_events(connection, {row.event_seq for row in rows}) if rows else {}
    return [_claimed(row, carried[row.event_seq], lease) for row in rows]


def _claimed(row: Sequence[Any], event: Event, lease: str) -> Claimed:
    delivery_id, _, route, target, attempts, tries = row
    return Claimed(delivery_id, event, route, target, attempts, tries, lease)


def _within_bounds(connection: Connection, lanes: Sequence[Lane]) -> list[Lane]:
    """Cut the quotas of lanes with a common bound to what is free of it; a lane that is being claimed is left out.

    The target's row is the lock: only under it does the count that follows hold until the claim.
    """
    bounded = {lane.target: lane.most for lane in lanes if lane.most is not None}
    if not bounded:
        return list(lanes)
    standstill = [bound()] if connection.dialect.name == "postgresql" else []
    mine = select(targets.c.name, *standstill).where(any_of(connection, targets.c.name, bounded))
    mine = mine.order_by(targets.c.name)
    locked = set(connection.scalars(mine.with_for_update(skip_locked=True)))
    under_way = (
        select(deliveries.c.target, func.count())
        .where(in_state(deliveries, State.SENDING), any_of(connection, deliveries.c.target, locked))
        .group_by(deliveries.c.target)
    )
    taken = {row[0]: row[1] for row in connection.execute(under_way)}
    free = {name: most - taken.get(name, 0) for name, most in bounded.items() if name in locked}
    return [
        lane if lane.most is None else replace(lane, quota=min(lane.quota, free[lane.target]))
        for lane in lanes
        if lane.most is None or free.get(lane.target, 0) > 0
    ]


@cache
def _take_each() -> Any:
    """One index range for each lane, in one statement; rows that another worker is claiming are passed over.

    Made once: to build it anew costs as much as to run it.
    """
    lane = (
        func.unnest(
            bindparam("lane_names", type_=ARRAY(String)),
            bindparam("lane_quotas", type_=ARRAY(Integer)),
            bindparam("lane_ordered", type_=ARRAY(Boolean)),
            bindparam("lane_blocking", type_=ARRAY(Boolean)),
        )
        .table_valued(
            column("name", String), column("quota", Integer), column("ordered", Boolean), column("blocking", Boolean)
        )
        .render_derived("lane")
    )
    due = (
        _due(_place.label("place"), lane.c.name, bindparam("now", type_=deliveries.c.next_attempt_at.type))
        .where(or_(~lane.c.ordered, ~_behind(lane.c.blocking)))
        .limit(lane.c.quota)
        .with_for_update(skip_locked=True, of=deliveries)
        .correlate(lane)
        .lateral("due")
    )
    both: FromClause = lane.join(due, true())
    picked = select(due.c.place).select_from(both).limit(bindparam("most", type_=Integer))
    # By where the rows lie: they are locked, and stay there. To find them again by their ids the planner would rather
    # read the whole of a table that it takes for small. An array is made once; a subquery with LIMIT and SKIP LOCKED
    # may be run again, and take more.
    taken = update(deliveries).where(_place == func.any(func.array(picked.scalar_subquery())))
    leased = taken.values(state=State.SENDING, lease=bindparam("new_lease"), lease_until=bindparam("new_until"))
    mine = leased.returning(*_TAKEN).cte("mine")
    # LIMIT holds the planner to one look into the index for each: it cannot know how few there will be.
    carried = select(*EVENT_COLUMNS).where(events.c.seq == mine.c.event_seq).limit(1).lateral("carried")
    return select(*mine.c, *carried.c).select_from(mine.join(carried, true()))


def _pick_in_turn(connection: Connection, lanes: Sequence[Lane], limit: int, now: datetime) -> list[str]:
    picked: list[str] = []
    for lane in lanes:
        free = min(lane.quota, limit - len(picked))
        if free <= 0:
            break
        due = _due(deliveries.c.id, lane.target, now)
        if lane.ordered:
            due = due.where(~_behind(literal(lane.blocking)))
        picked += connection.scalars(due.limit(free))
    return picked


def _due(what: Any, target: Any, now: Any) -> Select[Any]:
    return (
        select(what)
        .where(
            deliveries.c.target == target,
            in_state(deliveries, State.PENDING),
            deliveries.c.next_attempt_at <= now,
            or_(deliveries.c.digest.is_(None), ~_rides(now)),
        )
        .order_by(deliveries.c.next_attempt_at, deliveries.c.id)
    )


def _rides(now: Any) -> ColumnElement[bool]:
    """Return the condition that another of its digest leads it: one under way, or due and stored before it.

    Were both claimed, by two workers or by one, each would lead a message of its own.
    """
    mate = select(_mate.c.id).where(_mate.c.digest == deliveries.c.digest, _mate.c.tries == 0).correlate_except(_mate)
    under_way = mate.where(_mate.c.target == deliveries.c.target, in_state(_mate, State.SENDING))
    due = mate.where(in_state(_mate, State.PENDING), _mate.c.next_attempt_at <= now, _mate.c.id < deliveries.c.id)
    return and_(deliveries.c.tries == 0, or_(under_way.exists(), due.exists()))


def _behind(blocking: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return the condition that an earlier delivery of the same subject stands before this one."""
    in_the_way = or_(in_state(_earlier, *OPEN), and_(blocking, in_state(_earlier, State.DEAD)))
    return (
        select(_earlier.c.id)
        .where(
            _earlier.c.ordered,
            _earlier.c.target == deliveries.c.target,
            _earlier.c.subject == deliveries.c.subject,
            _earlier.c.event_seq < deliveries.c.event_seq,
            # Twice, for the planner: the index holds these states alone.
            in_state(_earlier, *OPEN, State.DEAD),
            in_the_way,
        )
        .correlate_except(_earlier)
        .exists()
    )
