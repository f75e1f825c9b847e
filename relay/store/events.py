"""Events: stored once each, read by the steps that route and deliver them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, and_, or_, select

from relay.domain.delivery import Delivery, Routed, TakeOn
from relay.domain.event import Event
from relay.store.batch import any_of, insert_of, insert_rows, rows_as_table
from relay.store.database import Database, Deadlock
from relay.store.eventrows import COLUMNS, EVENT_COLUMNS, row_of, to_event
from relay.store.glob import glob
from relay.store.route import route
from relay.store.tables import deliveries, events

_DEADLOCKS = 5


class Events:
    """The `events` table, in batches."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, batch: Sequence[Event], *, hurried: bool = False) -> list[str]:
        """Store events in one transaction and return the id each is known by, in their order.

        An event whose source already sent its `dedupe` id, or whose own id is known, is not stored again: the id of
        the first is returned in its place. `hurried` does not wait for the disk: whoever asks for it can do it again.
        """
        if not batch:
            return []
        for _ in range(_DEADLOCKS):
            try:
                return self._add(batch, hurried=hurried)
            except Deadlock:
                # Another batch holds the same repeats in another order; once it is through they are known.
                continue
        return self._add(batch, hurried=hurried)

    def _add(self, batch: Sequence[Event], *, hurried: bool) -> list[str]:
        with self._database.writing(hurried=True) if hurried else self._database.single() as connection:
            if self._insert(connection, batch) == len(batch):
                return [event.id for event in batch]
            return self._known(connection, batch)

    def known(self, batch: Sequence[Event]) -> list[str]:
        """Return the id that each of these events is known by: all were stored, or repeat what is."""
        with self._database.reading() as connection:
            return self._known(connection, batch)

    def _insert(self, connection: Connection, batch: Sequence[Event]) -> int:
        rows = [row_of(event) for event in batch]
        if self._database.is_postgresql:
            return insert_rows(connection, events, COLUMNS, rows)
        # Bytes do not travel inside SQLite's JSON.
        statement = insert_of(connection)(events).on_conflict_do_nothing()
        return int(connection.execute(statement, [dict(zip(COLUMNS, row, strict=True)) for row in rows]).rowcount)

    def _known(self, connection: Connection, batch: Sequence[Event]) -> list[str]:
        ids = {event.id for event in batch}
        stored = set(connection.scalars(select(events.c.id).where(any_of(connection, events.c.id, ids))))
        repeats = [event for event in batch if event.id not in stored]
        first: dict[tuple[str, str | None], str] = {}
        if repeats:
            keys = rows_as_table(connection, events, ("source", "dedupe"), [(e.source, e.dedupe) for e in repeats])
            same = and_(events.c.source == keys.c.source, events.c.dedupe == keys.c.dedupe)
            found = connection.execute(select(events.c.source, events.c.dedupe, events.c.id).join(keys, same))
            first = {(row.source, row.dedupe): row.id for row in found}
        return [event.id if event.id in stored else first[event.source, event.dedupe] for event in batch]

    def route(
        self,
        limit: int,
        decide: Callable[[Sequence[Event]], Iterable[Delivery]],
        take_on: TakeOn | None = None,
    ) -> Routed:
        """Route up to `limit` waiting events, oldest first; return what became of them.

        `decide` names their deliveries; those that `take_on` names are claimed at once. All of it is one transaction,
        and one router works at a time.
        """
        return route(self._database, limit, decide, take_on)

    def waiting(self) -> bool:
        """Say whether any event is not routed yet."""
        with self._database.reading() as connection:
            return bool(connection.scalar(select(select(events.c.seq).where(~events.c.routed).exists())))

    def get(self, event_id: str) -> Event | None:
        """Return one event, or `None`."""
        with self._database.reading() as connection:
            row = connection.execute(select(*EVENT_COLUMNS).where(events.c.id == event_id)).one_or_none()
            return None if row is None else to_event(row)

    def find(self, filters: Mapping[str, Any], before: int | None, limit: int) -> list[Event]:
        """Return events, newest first, from `before` (a `seq`) backwards.

        `filters` may hold `source`, `type` (shell-style globs), `subject`, `since`, `until` (datetimes), `q` (text that
        is part of the type or the subject), and `state`, `target`, `route`: those of any of its deliveries.
        """
        statement = select(*EVENT_COLUMNS).order_by(events.c.seq.desc()).limit(limit)
        if before is not None:
            statement = statement.where(events.c.seq < before)
        for name, value in filters.items():
            statement = statement.where(_condition(name, value))
        with self._database.reading() as connection:
            return [to_event(row) for row in connection.execute(statement)]


def _condition(name: str, value: Any) -> Any:
    match name:
        case "source" | "type":
            return glob(events.c[name], value)
        case "subject":
            return events.c.subject == value
        case "since":
            return events.c.received_at >= value
        case "until":
            return events.c.received_at < value
        case "state" | "target" | "route":
            carried = (deliveries.c.event_id == events.c.id) & (deliveries.c[name] == value)
            return select(deliveries.c.id).where(carried).exists()
        case _:
            return or_(*(events.c[part].icontains(value, autoescape=True) for part in ("type", "subject")))
