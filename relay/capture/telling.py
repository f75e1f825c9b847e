"""The outbox rows that tell of changes: made of what happened, and written in one statement."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from os import urandom
from typing import Any
from uuid import UUID
from weakref import WeakSet

from sqlalchemy import (
    ColumnElement,
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
    literal_column,
    select,
)

from relay.capture.changes import Row, net
from relay.capture.errors import CaptureError
from relay.capture.labels import columns_of
from relay.domain.event import encode, new_id

SUBJECT = 512
"""Characters that the outbox has for a subject."""

Event = tuple[str, str, str, dict[str, Any]]
"""Id, type, subject and data."""

_SEPARATOR = "\x1e"

# Made once: what `json.dumps` makes anew for each call that has options.
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":"))

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
        self.events: list[Event] = []
        self._ids = _new_ids()
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
            if row.shape.namings and (columns := columns_of(row.shape.namings, data)):
                data["meta"] = {"columns": columns, **self._meta}

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
        number = next(self._ids)
        self.events.append((number, kind, _short(subject), data))
        return number


def _write(connection: Connection, table: Table, source: str, events: list[Event]) -> None:
    now = datetime.now(UTC)
    ids, kinds, subjects, data = zip(*events, strict=True)
    mark, encoded = _encoded(data, ids[0])
    if connection.dialect.name == "postgresql" and len(events) > 1:
        batch = {"ids": ids, "kinds": kinds, "subjects": subjects}
        joined = {name: _SEPARATOR.join(column) for name, column in batch.items()}
        # A table's name, and so a subject, may hold anything.
        if all(text.count(_SEPARATOR) == len(events) - 1 for text in joined.values()):
            rest = {"data": encoded, "mark": mark, "told_by": source, "now": now}
            connection.execute(_insert_batch(table), joined | rest)
            return
    texts = encoded.split(mark)
    names = ("id", "type", "subject", "data")
    rows = [dict(zip(names, row, strict=True)) for row in zip(ids, kinds, subjects, texts, strict=True)]
    connection.execute(_insert(table), [{**row, "source": source, "occurred_at": now} for row in rows])


def _encoded(data: Sequence[dict[str, Any]], unique: str) -> tuple[str, str]:
    """Return what stands between two of `data`, and all of them as JSON: one call costs less than one for each."""
    listed = [part for each in data for part in (unique, each)]
    text = _ENCODER.encode(listed)
    try:
        text.encode()
    except UnicodeEncodeError:
        # UTF-8 has no lone surrogates; JSON's escapes do.
        text = encode(listed).decode()
    mark = f',"{unique}",'
    return mark, text[len(mark) : -1]


@cache
def _insert_batch(table: Table) -> Insert:
    """Return an INSERT of any number of events as one text a column, which the server takes apart.

    For many rows that is the cheapest there is: drivers escape each element of an array, the server parses JSON.
    """
    separator: ColumnElement[str] = literal_column(f"E'\\x{ord(_SEPARATOR):02x}'")
    given = [_split(name, separator) for name in ("ids", "kinds", "subjects")]
    given.append(_split("data", bindparam("mark", type_=Text)))
    columns = [column(name, Text) for name in ("id", "type", "subject", "data")]
    rows = func.unnest(*given).table_valued(*columns).render_derived("batch")
    values = select(
        cast(rows.c.id, table.c.id.type),
        bindparam("told_by", type_=table.c.source.type),
        rows.c.type,
        rows.c.subject,
        rows.c.data,
        bindparam("now", type_=table.c.occurred_at.type),
    )
    return insert(table).from_select(["id", "source", "type", "subject", "data", "occurred_at"], values)


def _split(name: str, separator: ColumnElement[str]) -> ColumnElement[Any]:
    return func.string_to_array(bindparam(name, type_=Text), separator)


@cache
def _insert(table: Table) -> Insert:
    # Nobody asks for the number that the row got: the database need not say.
    return insert(table).inline()


def _check(connection: Connection, table: Table) -> None:
    """Raise `CaptureError` when the outbox is missing; asked once of each engine."""
    if connection.engine in _checked:
        return
    if not inspect(connection).has_table(table.name, schema=table.schema):
        raise CaptureError(
            f"the database has no table {table.fullname}: call capture.outbox(Base.metadata) and migrate, or create_all"
        )
    _checked.add(connection.engine)


def _new_ids() -> Iterator[str]:
    """Yield ids that sort in the order in which they are given: the first is new, the others count on from it."""
    # One bit of the noise stays free, so that counting never runs over it.
    number = UUID(new_id()).int & ~(1 << 61)
    step = (1 << 32) | int.from_bytes(urandom(4), "big")
    while True:
        text = f"{number:032x}"
        yield f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
        number += step


def _short(subject: str) -> str:
    """Return a subject that fits its column: a long one ends in a hash, and so still names one row."""
    if len(subject) <= SUBJECT:
        return subject
    return f"{subject[: SUBJECT - 65]}~{sha256(subject.encode()).hexdigest()}"
