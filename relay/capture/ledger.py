"""What one session has changed in its transaction so far, and the outbox rows that tell of it."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from typing import Any
from weakref import WeakSet

from sqlalchemy import Connection, Engine, Insert, Table, delete, insert, inspect
from sqlalchemy.orm import SessionTransaction

from relay.capture.changes import UNREAD, Key, Row, fold, net
from relay.capture.errors import CaptureError
from relay.capture.reading import read
from relay.capture.registry import Field, Shape
from relay.capture.snapshot import Before, State
from relay.domain.event import encode, new_id

SUBJECT = 512
"""Characters that the outbox has for a subject."""

Rows = dict[Key, Row]

_checked: WeakSet[Engine] = WeakSet()


class Ledger:
    """One session's changes, kept apart by savepoint, so that what is rolled back is forgotten.

    `flushing` holds the objects of the flush under way, `ahead` what was read of those to come. `facts` is what
    `annotate` said of this transaction, `active` what it says now. `commits` counts commits begun while a savepoint was
    open; `closing` is set once the outermost transaction is being committed, `told` once it wrote events.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.flushing: dict[State, Before] = {}
        self.ahead: dict[State, Before] = {}
        self.active: list[dict[str, Any]] = []
        self._layers: dict[SessionTransaction | None, Rows] = {}
        self._released: SessionTransaction | None = None
        self.reset()

    def reset(self) -> None:
        """Forget the transaction: it has ended."""
        self.forget_flush()
        self._layers.clear()
        self._released = None
        self.facts: dict[str, Any] = {}
        self.commits = 0
        self.closing = False
        self.told = False

    def forget_flush(self) -> None:
        """Forget the objects of a flush that is over, or failed."""
        self.flushing.clear()
        self.ahead.clear()

    def record(self, savepoint: SessionTransaction | None, rows: Iterable[Row]) -> None:
        """Add changes made within `savepoint`, or within none."""
        layer = self._layers.setdefault(savepoint, {})
        for row in rows:
            fold(layer, row)

    def release(self, savepoint: SessionTransaction) -> SessionTransaction | None:
        """Hand the changes of a released savepoint to the transaction around it; return that, `None` if outermost."""
        around = _around(savepoint)
        self.record(around, self._layers.pop(savepoint, {}).values())
        self._released = savepoint
        return around

    def discard(self, savepoint: SessionTransaction) -> None:
        """Forget the changes of a savepoint that ended, unless it was released."""
        if savepoint is not self._released:
            self._layers.pop(savepoint, None)
            self.commits = 0
            self.forget_flush()

    def write(self) -> None:
        """Write an event for each row that changed on the whole, through the connection that changed it.

        An event written earlier in this transaction that no longer tells it all is taken back.
        """
        rows = [row for row in self._layers.get(None, {}).values() if not row.settled]
        _read_rest(rows)
        groups: dict[tuple[Connection, Table], list[Row]] = defaultdict(list)
        for row in rows:
            groups[row.connection, row.shape.outbox].append(row)
        for (connection, table), changed in groups.items():
            self._write(connection, table, changed)

    def _write(self, connection: Connection, table: Table, rows: list[Row]) -> None:
        stale = [row.event for row in rows if row.event is not None]
        if stale:
            connection.execute(delete(table).where(table.c.id.in_(stale)))
        now = datetime.now(UTC)
        meta = {name: fact for facts in (self.facts, *self.active) for name, fact in facts.items()}
        events = [event for row in rows if (event := _event(row, self.source, now, meta)) is not None]
        if events:
            _check(connection, table)
            connection.execute(_insert(table), events)
            self.told = True


def _event(row: Row, source: str, now: datetime, meta: dict[str, Any]) -> dict[str, Any] | None:
    change = net(row)
    row.settled = True
    if change is None:
        row.event = None
        return None
    verb, data = change
    row.event = new_id()
    return {
        "id": row.event,
        "source": source,
        "type": f"{row.shape.table}.{verb}",
        "subject": _short(row.subject),
        "data": encode({**data, "meta": meta}).decode(),
        "occurred_at": now,
    }


def _read_rest(rows: list[Row]) -> None:
    """Read what only the database knows of `rows`: one statement for each connection and class."""
    groups: dict[tuple[Connection, Shape], list[tuple[Row, list[Field]]]] = defaultdict(list)
    for row in rows:
        unread = row.unread()
        if unread:
            groups[row.connection, row.shape].append((row, unread))
    for (connection, kind), group in groups.items():
        fields = {f.name: f for _, unread in group for f in unread}
        stored = read(connection, kind, [row.identity for row, _ in group], fields.values())
        for row, unread in group:
            found = stored.get(row.identity, {})
            kept = {name: value for name, value in (row.after or {}).items() if value is not UNREAD}
            row.after = kept | {f.name: found[f.name] for f in unread if f.name in found}


def _around(savepoint: SessionTransaction) -> SessionTransaction | None:
    """Return the savepoint around this one, or none."""
    outer = savepoint.parent
    while outer is not None and not outer.nested:
        outer = outer.parent
    return outer


def _short(subject: str) -> str:
    """Return a subject that fits its column: a long one ends in a hash, and so still names one row."""
    if len(subject) <= SUBJECT:
        return subject
    return f"{subject[: SUBJECT - 65]}~{sha256(subject.encode()).hexdigest()}"


@cache
def _insert(table: Table) -> Insert:
    return insert(table)


def _check(connection: Connection, table: Table) -> None:
    """Raise `CaptureError` when the outbox is missing; asked once of each engine."""
    if connection.engine in _checked:
        return
    if not inspect(connection).has_table(table.name, schema=table.schema):
        raise CaptureError(
            f"the database has no table {table.fullname}: call capture.outbox(Base.metadata) and migrate, or create_all"
        )
    _checked.add(connection.engine)
