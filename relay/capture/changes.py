"""One row's change: what it was before a transaction, and what it is after it."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection

from relay.capture.dialects import is_mysql
from relay.capture.registry import Field, Shape
from relay.capture.values import ABSENT, UNREAD, plain

Values = tuple[Any, ...]
"""A value for each field of a shape, as Python has it; what can change is already a copy made of JSON's types."""

Identity = tuple[Any, ...]
"""The values of a primary key, in the mapper's order."""

Key = tuple[Connection, Any, Identity]
"""A row: the connection it is written through, the class at the root of its inheritance, its primary key."""


@dataclass(slots=True)
class Row:
    """One row's change: `before` is `None` when it was not there, `after` when it is no more.

    `unsure` says that `after` may lack what only the database knows. A `blind` change went around the session's
    objects: all that came of it, only the database knows. `event` is the id of the event written for it so far;
    `settled` says that this event still tells it all.
    """

    shape: Shape
    connection: Connection
    identity: Identity
    before: Values | None
    after: Values | None
    unsure: bool = False
    blind: bool = False
    event: str | None = None
    settled: bool = False

    @property
    def subject(self) -> str:
        """Return `orders/42`; the parts of a composite key are joined by commas."""
        if len(self.identity) == 1 and type(self.identity[0]) is int:
            return f"{self.shape.table}/{self.identity[0]}"
        return f"{self.shape.table}/{','.join(quote(str(plain(part)), safe='') for part in self.identity)}"

    def unread(self) -> list[Field]:
        """Return the fields whose value after the change has to be read from the database."""
        if self.blind:
            return list(self.shape.fields)
        if self.after is None:
            return []
        before = self.before or (ABSENT,) * len(self.after)
        rounded = self.shape.coarse if is_mysql(self.connection) else ()
        missing = {f for f in rounded if getattr(self.after[self.shape.fields.index(f)], "microsecond", 0)}
        for f, was, now in zip(self.shape.fields, before, self.after, strict=True):
            if now is UNREAD or (now is ABSENT and was is not ABSENT):
                missing.add(f)
        return [f for f in self.shape.fields if f in missing]


def fold(rows: dict[Key, Row], row: Row) -> None:
    """Add a change to those that came before it: the first `before` and the last `after` count."""
    key = (row.connection, row.shape.mapper.base_mapper, row.identity)
    earlier = rows.setdefault(key, row)
    if earlier is row:
        return
    rows[key] = row
    row.event = earlier.event
    row.unsure = True
    # Objects do not know what was done around them: the database is read when all is over.
    row.blind = row.blind or earlier.blind
    was = translated(earlier.before, earlier.shape, row.shape)
    if was is not None and row.before is not None:
        # A deferred column may come into sight only with a later change: nothing had changed it until then.
        was = tuple(now if first is ABSENT else first for first, now in zip(was, row.before, strict=True))
    row.before = was


def translated(values: Values | None, old: Shape, new: Shape) -> Values | None:
    """Return values of a row that became one of another class, in the order of that class's fields."""
    if values is None or old is new:
        return values
    named = {f.name: value for f, value in zip(old.fields, values, strict=True)}
    return tuple(named.get(f.name, ABSENT) for f in new.fields)
