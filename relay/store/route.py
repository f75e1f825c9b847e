"""Routing: waiting events become deliveries, and some of those are claimed from the start."""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Integer, bindparam, func, literal, select, update

from relay.domain.delivery import LEASE, Claimed, Delivery, Routed, State, TakeOn
from relay.domain.event import Event, new_id
from relay.store.batch import any_of, insert_rows, rows_as_table
from relay.store.database import Database, bound, hurry
from relay.store.eventrows import EVENT_COLUMNS, to_event
from relay.store.tables import deliveries, events, in_state

_PLAIN = (
    "id",
    "event_id",
    "event_seq",
    "route",
    "target",
    "subject",
    "ordered",
    "next_attempt_at",
    "created_at",
)
_FOLDING = (*_PLAIN, "state", "finished_at", "last_error", "folded_into", "repeat", "digest", "dedupe")
_LEASED = (*_PLAIN, "state", "lease", "lease_until")

# One router at a time: two would put the events of one subject on their way in any order. The number is arbitrary,
# but the same in every relay that shares the database.
_LOCK = 7_345_218_001
_ALONE = func.pg_advisory_xact_lock(literal(_LOCK))

# Undone by a crash, it is done again: what of it was sent already was under way, or is recorded after it. Not so what
# is claimed by it: a claim that the database forgot would be sent again, although its result is known here.
_HURRIED = select(bound(), hurry(), _ALONE)
_CLAIMING = select(bound(), _ALONE)
_WAITING = select(*EVENT_COLUMNS).where(~events.c.routed).order_by(events.c.seq).limit(bindparam("most", type_=Integer))


def route(
    database: Database,
    limit: int,
    decide: Callable[[Sequence[Event]], Iterable[Delivery]],
    take_on: TakeOn | None,
) -> Routed:
    """Route waiting events, as `Events.route` says."""
    with database.writing(bounding=True) as connection:
        if database.is_postgresql:
            connection.execute(_CLAIMING if take_on else _HURRIED)
        batch = [to_event(row) for row in connection.execute(_WAITING, {"most": limit}).all()]
        if not batch:
            return Routed(0, 0)
        made = list(decide(batch))
        claimed = _claim(connection, batch, take_on(made)) if take_on else []
        taken = {one.id for one in claimed}
        # Apart: most deliveries neither gather nor repeat, and every column of a batch costs.
        for folding, names in ((False, _PLAIN), (True, _FOLDING)):
            left = [one for one in made if one.id not in taken and _folds(one) is folding]
            if left:
                insert_rows(connection, deliveries, names, [_row(one, names) for one in left])
        seqs = any_of(connection, events.c.seq, [event.seq for event in batch])
        connection.execute(update(events).values(routed=True).where(seqs))
        return Routed(len(batch), len(made), claimed)


def _claim(connection: Connection, batch: Sequence[Event], fresh: Sequence[Delivery]) -> list[Claimed]:
    """Store new deliveries under a lease, but for those that others wait before; return the claims."""
    if not fresh:
        return []
    now = fresh[0].created_at
    behind = _behind(connection, {one.target for one in fresh}, now)
    first = [one for one in fresh if one.target not in behind]
    if not first:
        return []
    lease = new_id()
    leased = (State.SENDING, lease, now + LEASE)
    rows = [(*_row(one, _PLAIN), *leased) for one in first]
    if insert_rows(connection, deliveries, _LEASED, rows) < len(rows):
        # Some were there already, under another id.
        stored = any_of(connection, deliveries.c.id, [one.id for one in first])
        known = set(connection.scalars(select(deliveries.c.id).where(stored)))
        first = [one for one in first if one.id in known]
    carried = {event.seq: event for event in batch}
    return [Claimed(one.id, carried[one.event_seq], one.route, one.target, 0, 0, lease) for one in first]


def _behind(connection: Connection, targets: Collection[str], now: datetime) -> set[str]:
    """Return those of these targets for which something is due already: it is not to be overtaken."""
    asked = rows_as_table(connection, deliveries, ("target",), [(name,) for name in targets])
    due = in_state(deliveries, State.PENDING) & (deliveries.c.next_attempt_at <= now)
    waits = select(deliveries.c.id).where(deliveries.c.target == asked.c.target, due).exists()
    return set(connection.scalars(select(asked.c.target).where(waits)))


def _row(delivery: Delivery, names: Iterable[str]) -> tuple[Any, ...]:
    return tuple(getattr(delivery, name) for name in names)


def _folds(delivery: Delivery) -> bool:
    return delivery.state is not State.PENDING or not (delivery.digest is delivery.dedupe is None)
