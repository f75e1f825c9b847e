"""Deliveries: claimed with a lease, recorded in batches, found again by whoever asks."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, func, or_, select, update

from relay.domain.delivery import LEASE, Attempt, Claimed, Delivery, Lane, State, Verdict
from relay.domain.event import new_id
from relay.store.batch import any_of, update_rows
from relay.store.claim import claim
from relay.store.database import Database
from relay.store.folds import cancel
from relay.store.glob import glob
from relay.store.record import SENDING, record
from relay.store.tables import attempts, deliveries, events, in_state, targets

TARGET_REMOVED = "its target was removed"

_LEASED = ("id", "lease")


class Deliveries:
    """The `deliveries` and `attempts` tables, in batches."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, lanes: Sequence[Lane], limit: int, now: datetime) -> list[Claimed]:
        """Take what is due, a fair share of each lane, at most `limit`, under a fresh lease of `LEASE`."""
        # Waits for the disk: a claim that the database forgot would be sent again, although its result is known here.
        return claim(self._database, lanes, limit, now, new_id(), now + LEASE)

    def record(self, verdicts: Sequence[Verdict]) -> int:
        """Store what attempts came to, and return how many deliveries took it.

        A delivery whose lease was lost meanwhile is another worker's: the attempt is kept, its state is not touched.
        """
        return record(self._database, verdicts) if verdicts else 0

    def renew(self, claimed: Sequence[Claimed], now: datetime) -> None:
        """Hold claims for another `LEASE`."""
        rows = [(one.id, one.lease, now + LEASE) for one in claimed]
        with self._database.writing(hurried=True) as connection:
            update_rows(connection, deliveries, _LEASED, ("lease_until",), rows)

    def release(self, claimed: Sequence[Claimed]) -> None:
        """Give back claims of which nothing was sent."""
        if not claimed:
            return
        rows = [(one.id, one.lease, State.PENDING) for one in claimed]
        with self._database.writing(hurried=True) as connection:
            update_rows(connection, deliveries, _LEASED, ("state",), rows, SENDING)

    def take_back(self, now: datetime) -> int:
        """Make claims whose lease has ended due again; return how many."""
        late = in_state(deliveries, State.SENDING) & (deliveries.c.lease_until < now)
        with self._database.reading() as connection:
            if not connection.scalar(select(select(deliveries.c.id).where(late).exists())):
                return 0
        with self._database.single() as connection:
            statement = update(deliveries).values(state=State.PENDING, lease=None, lease_until=None)
            return int(connection.execute(statement.where(late)).rowcount)

    def cancel_orphans(self, now: datetime) -> int:
        """Cancel what waits for a target that there is no more; return how many.

        It was under way when its target was removed, or was routed by a worker that had not heard of it yet.
        """
        there = select(targets.c.name).where(targets.c.name == deliveries.c.target).exists()
        orphaned = in_state(deliveries, State.PENDING) & ~there
        with self._database.reading() as connection:
            if not connection.scalar(select(select(deliveries.c.id).where(orphaned).exists())):
                return 0
        with self._database.writing() as connection:
            return cancel(connection, orphaned, TARGET_REMOVED, now)

    def due(self, names: Iterable[str], now: datetime) -> bool:
        """Say whether anything waits for one of these targets and its time has come."""
        with self._database.reading() as connection:
            waiting = (
                select(deliveries.c.id)
                .where(in_state(deliveries, State.PENDING), deliveries.c.next_attempt_at <= now)
                .where(any_of(connection, deliveries.c.target, names))
            )
            return bool(connection.scalar(select(waiting.exists())))

    def oldest_due(self, now: datetime) -> datetime | None:
        """Return since when the oldest due delivery waits; `None` when nothing is late."""
        waiting = in_state(deliveries, State.PENDING) & (deliveries.c.next_attempt_at <= now)
        with self._database.reading() as connection:
            oldest: datetime | None = connection.scalar(select(func.min(deliveries.c.next_attempt_at)).where(waiting))
            return oldest

    def get(self, delivery_id: str) -> Delivery | None:
        """Return one delivery, or `None`."""
        with self._database.reading() as connection:
            row = connection.execute(select(deliveries).where(deliveries.c.id == delivery_id)).one_or_none()
            return None if row is None else _delivery(row)

    def of_event(self, event_id: str) -> list[Delivery]:
        """Return an event's deliveries, oldest first."""
        statement = select(deliveries).where(deliveries.c.event_id == event_id).order_by(deliveries.c.id)
        with self._database.reading() as connection:
            return [_delivery(row) for row in connection.execute(statement)]

    def attempts_of(self, delivery_id: str) -> list[Attempt]:
        """Return a delivery's attempts, oldest first."""
        statement = select(attempts).where(attempts.c.delivery_id == delivery_id).order_by(attempts.c.at)
        with self._database.reading() as connection:
            return [Attempt(**row) for row in connection.execute(statement).mappings()]

    def folded_count(self, delivery_id: str) -> int:
        """Return how many deliveries were folded into this one: told in its message, or the same as it told."""
        statement = select(func.count()).where(deliveries.c.folded_into == delivery_id)
        with self._database.reading() as connection:
            return connection.scalar(statement) or 0

    def find(self, filters: Mapping[str, Any], before: str | None, limit: int) -> list[Delivery]:
        """Return deliveries, newest first, from `before` (an id) backwards.

        `filters` may hold `state`, `target`, `route`, `source`, `type` (shell-style globs), `subject`, `since`,
        `until` (datetimes of their making), `folded_into` (an id) and `q`, text that is part of the last error or the
        subject.
        """
        statement = filtered(select(deliveries), filters).order_by(deliveries.c.id.desc()).limit(limit)
        if before is not None:
            statement = statement.where(deliveries.c.id < before)
        with self._database.reading() as connection:
            return [_delivery(row) for row in connection.execute(statement)]

    def waiting(self, names: Iterable[str]) -> dict[str, int]:
        """Return how many deliveries wait for each of these targets; those of which there are none are left out."""
        with self._database.reading() as connection:
            statement = (
                select(deliveries.c.target, func.count())
                .where(in_state(deliveries, State.PENDING), any_of(connection, deliveries.c.target, names))
                .group_by(deliveries.c.target)
            )
            return {row[0]: row[1] for row in connection.execute(statement)}


def filtered(statement: Select[Any], filters: Mapping[str, Any]) -> Select[Any]:
    """Return a selection of deliveries with the conditions of `Deliveries.find`, or `ids` of events and deliveries."""
    if {"source", "type"} & filters.keys():
        statement = statement.join(events, events.c.seq == deliveries.c.event_seq)
    for name, value in filters.items():
        statement = statement.where(_condition(name, value))
    return statement


def _condition(name: str, value: Any) -> Any:
    match name:
        case "source" | "type":
            return glob(events.c[name], value)
        case "ids":
            return deliveries.c.id.in_(value) | deliveries.c.event_id.in_(value)
        case "since":
            return deliveries.c.created_at >= value
        case "until":
            return deliveries.c.created_at < value
        case "q":
            return or_(*(deliveries.c[part].icontains(value, autoescape=True) for part in ("last_error", "subject")))
        case _:
            return deliveries.c[name] == value


def _delivery(row: Row[Any]) -> Delivery:
    fields = {name: getattr(row, name) for name in Delivery.__dataclass_fields__}
    return Delivery(**fields | {"state": State(row.state)})
