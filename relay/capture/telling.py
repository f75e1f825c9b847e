"""The outbox rows that tell of changes: made of what happened, and written in one statement."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from typing import Any
from weakref import WeakSet

from sqlalchemy import (
    Connection,
    Engine,
    Insert,
    Table,
    Text,
    bindparam,
    cast,
    column,
    delete,
    func,
    insert,
    inspect,
    select,
)
from sqlalchemy.dialects import postgresql

from relay.capture.changes import Row, net
from relay.capture.errors import CaptureError
from relay.domain.event import encode, new_id

SUBJECT = 512
"""Characters that the outbox has for a subject."""

_checked: WeakSet[Engine] = WeakSet()


@dataclass(frozen=True, slots=True)
class Summary:
    """One event for all the rows that a statement wrote: what was done to which table, and the data that tells it."""

    connection: Connection
    outbox: Table
    table: str
    verb: str
    data: dict[str, Any]


class Page:
    """What one commit adds to one outbox, all with the same source, moment and `meta`."""

    def __init__(self, source: str, meta: dict[str, Any]) -> None:
        self.events: list[dict[str, Any]] = []
        self._source = source
        self._meta = meta
        self._stale: list[str] = []

    def add_row(self, row: Row) -> None:
        """Add the event of a row, if it changed; one that was written for it before is taken back."""
        if row.event is not None:
            self._stale.append(row.event)
        change = net(row)
        row.settled = True
        row.event = None
        if change is not None:
            verb, data = change
            row.event = self._add(f"{row.shape.table}.{verb}", row.subject, data)

    def add_summary(self, summary: Summary) -> None:
        """Add the event of a statement."""
        self._add(f"{summary.table}.{summary.verb}", summary.table, summary.data)

    def write(self, connection: Connection, table: Table) -> None:
        """Write it. Raises `CaptureError` where the outbox is missing."""
        if self._stale:
            connection.execute(delete(table).where(table.c.id.in_(self._stale)))
        if self.events:
            _check(connection, table)
            _write(connection, table, self._source, self.events)

    def _add(self, kind: str, subject: str, data: dict[str, Any]) -> str:
        data["meta"] = self._meta
        number = new_id()
        self.events.append({"id": number, "type": kind, "subject": _short(subject), "data": data})
        return number


def _write(connection: Connection, table: Table, source: str, events: Sequence[dict[str, Any]]) -> None:
    now = datetime.now(UTC)
    if connection.dialect.name == "postgresql":
        batch = encode(events).decode()
        # What the server would unescape it may refuse: NUL, and half a surrogate pair. JSON itself allows both.
        if "\\u" not in batch:
            connection.execute(_insert_batch(table), {"batch": batch, "told_by": source, "now": now})
            return
    rows = [{**event, "data": encode(event["data"]).decode(), "source": source, "occurred_at": now} for event in events]
    connection.execute(_insert(table), rows)


@cache
def _insert_batch(table: Table) -> Insert:
    """Return an INSERT of any number of events as one JSON parameter: for many rows, the cheapest there is."""
    data = column("data", postgresql.JSON)
    given = cast(bindparam("batch", type_=Text), postgresql.JSON)
    batch = func.json_to_recordset(given).table_valued(
        *(column(name, table.c[name].type) for name in ("id", "type", "subject")), data
    )
    rows = batch.render_derived("batch", with_types=True)
    values = select(
        rows.c.id,
        bindparam("told_by", type_=table.c.source.type),
        rows.c.type,
        rows.c.subject,
        cast(rows.c.data, Text),
        bindparam("now", type_=table.c.occurred_at.type),
    )
    return insert(table).from_select(["id", "source", "type", "subject", "data", "occurred_at"], values)


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


def _short(subject: str) -> str:
    """Return a subject that fits its column: a long one ends in a hash, and so still names one row."""
    if len(subject) <= SUBJECT:
        return subject
    return f"{subject[: SUBJECT - 65]}~{sha256(subject.encode()).hexdigest()}"
