"""The outbox rows that tell of changes: made of what happened, and written in few statements."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from itertools import count, islice
from os import urandom
from typing import Any
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
    delete,
    func,
    insert,
    literal_column,
    select,
)

from relay.capture.changes import Row
from relay.capture.jsontext import encoded, tell
from relay.capture.presence import missing, there
from relay.capture.reading import BATCH
from relay.domain.event import new_id

SUBJECT = 512
"""Characters that the outbox has for a subject."""

PAGE = 1000
"""Events a statement: more cost no less each, and are all in memory at once."""

_SEPARATOR = "\x1e"

_checked: WeakSet[Engine] = WeakSet()


@dataclass(frozen=True, slots=True)
class Summary:
    """One event for all the rows that a statement wrote: what was done to which table, and the data that tells it."""

    connection: Connection
    outbox: Table
    table: str
    verb: str
    data: dict[str, Any]


class Teller:
    """Writes the events of one commit into one outbox, all with the same source, moment and `meta`."""

    def __init__(self, connection: Connection, table: Table, source: str, meta: dict[str, Any]) -> None:
        self._connection = connection
        self._table = table
        self._source = source
        self._meta = encoded(meta) if meta else "{}"
        self._now = datetime.now(UTC)
        self._ids = _new_ids()

    def tell(self, rows: Sequence[Row], summaries: Sequence[Summary]) -> bool:
        """Write the events of the rows that changed and of statements, and say whether there are any.

        One that was written for a row before is taken back. Raises `CaptureError` where the outbox is missing.
        """
        pages = [self._tell_page(rows[start : start + PAGE]) for start in range(0, len(rows), PAGE)]
        return self._sum_up(summaries) or any(pages)

    def _sum_up(self, summaries: Sequence[Summary]) -> bool:
        rest = f',"meta":{self._meta}}}'
        types = [f"{one.table}.{one.verb}" for one in summaries]
        data = [encoded(one.data)[:-1] + rest for one in summaries]
        return bool(self._write(types, [one.table for one in summaries], data))

    def _tell_page(self, rows: Sequence[Row]) -> bool:
        changed, types, data = tell(rows, self._meta)
        self._take_back([row.event for row in rows if row.event is not None])
        ids = self._write(types, [row.subject for row in changed], data)
        for row in rows:
            row.event = None
            row.settled = True
        for row, number in zip(changed, ids, strict=True):
            row.event = number
        return bool(changed)

    def _take_back(self, stale: Sequence[str]) -> None:
        for start in range(0, len(stale), BATCH):
            written = self._table.c.id.in_(stale[start : start + BATCH])
            self._connection.execute(delete(self._table).where(written))

    def _write(self, types: Sequence[str], subjects: Sequence[str], data: Sequence[str]) -> list[str]:
        """Write events, given by columns, and return the ids that they got."""
        ids = list(islice(self._ids, len(types)))
        if not ids:
            return ids
        _check(self._connection, self._table)
        common = {"source": self._source, "occurred_at": self._now}
        columns = (ids, types, [text if len(text) <= SUBJECT else _short(text) for text in subjects], _storable(data))
        # A table's name, and so a subject, may hold anything.
        plain = not any(_SEPARATOR in text for text in {*types, *columns[2]})
        if len(ids) > 1 and plain and self._connection.dialect.name == "postgresql":
            batch = dict(zip(_COLUMNS, map(_SEPARATOR.join, columns), strict=True))
            self._connection.execute(_insert_batch(self._table), batch | common)
        else:
            rows = [dict(zip(_COLUMNS, row, strict=True)) | common for row in zip(*columns, strict=True)]
            self._connection.execute(_insert(self._table), rows)
        return ids


_COLUMNS = ("id", "type", "subject", "data")


def _storable(data: Sequence[str]) -> Sequence[str]:
    """Return JSON that UTF-8 can write: it has no lone surrogates, JSON's escapes do."""
    try:
        "".join(data).encode()
    except UnicodeEncodeError:
        return [text.encode(errors="backslashreplace").decode() for text in data]
    return data


@cache
def _insert_batch(table: Table) -> Insert:
    """Return an INSERT of any number of events as one text a column, which the server takes apart.

    For many rows that is the cheapest there is: drivers escape each element of an array, the server parses JSON.
    """
    separator: ColumnElement[str] = literal_column(f"E'\\x{ord(_SEPARATOR):02x}'")
    split = {name: func.unnest(func.string_to_array(bindparam(name, type_=Text), separator)) for name in _COLUMNS}
    common = [bindparam(name, type_=table.c[name].type) for name in ("source", "occurred_at")]
    values = select(cast(split.pop("id"), table.c.id.type), *split.values(), *common)
    return insert(table).from_select([*_COLUMNS, "source", "occurred_at"], values)


@cache
def _insert(table: Table) -> Insert:
    # Nobody asks for the number that the row got: the database need not say.
    return insert(table).inline()


def _check(connection: Connection, table: Table) -> None:
    """Raise `CaptureError` when the outbox is missing; asked once of each engine."""
    if connection.engine in _checked:
        return
    if not there(connection, table):
        raise missing(table)
    _checked.add(connection.engine)


def _new_ids() -> Iterator[str]:
    """Yield ids that sort in the order in which they are given: the first is new, the others count on from it."""
    text = new_id()
    # One bit of the noise stays free, so that counting never runs over it.
    first, step = int(text[24:], 16) >> 1, int.from_bytes(urandom(2), "big") + 1
    return map(f"{text[:24]}%012x".__mod__, count(first, step))


def _short(subject: str) -> str:
    """Return a subject that fits its column: a long one ends in a hash, and so still names one row."""
    if len(subject) <= SUBJECT:
        return subject
    return f"{subject[: SUBJECT - 65]}~{sha256(subject.encode()).hexdigest()}"
