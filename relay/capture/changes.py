"""The net change of a row over a transaction: what it was before, what it is after, and whether that is anything."""

from dataclasses import dataclass
from enum import Enum
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import Connection

from relay.capture.dialects import is_mysql
from relay.capture.registry import Field, Shape
from relay.capture.values import ATOMS, LIMIT, plain

Values = dict[str, Any]
"""Values by field name, as Python has them; what can change is already a copy made of JSON's types."""

Identity = tuple[Any, ...]
"""The values of a primary key, in the mapper's order."""

Key = tuple[Connection, Any, Identity]
"""A row: the connection it is written through, the class at the root of its inheritance, its primary key."""


class Unread(Enum):
    """Stands for a value that only the database knows, until it is read there."""

    UNREAD = 0


UNREAD: Final = Unread.UNREAD


@dataclass(slots=True)
class Row:
    """One row's change: `before` is `None` when it was not there, `after` when it is no more.

    `event` is the id of the event written for it so far; `settled` says that this event still tells it all. A `blind`
    change went around the session's objects: what came of it, only the database knows.
    """

    shape: Shape
    connection: Connection
    identity: Identity
    before: Values | None
    after: Values | None
    event: str | None = None
    settled: bool = False
    blind: bool = False

    @property
    def key(self) -> Key:
        """Return what identifies the row within its transaction."""
        return self.connection, self.shape.mapper.base_mapper, self.identity

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
        missing = (self.before or {}).keys() - self.after.keys()
        if self.shape.coarse and is_mysql(self.connection):
            missing |= {f.name for f in self.shape.coarse if getattr(self.after.get(f.name), "microsecond", 0)}
        return [f for f in self.shape.fields if self.after.get(f.name) is UNREAD or f.name in missing]


_JSON = frozenset({int, bool, type(None)})


def freeze(field: Field, value: Any) -> Any:
    """Return `value`, or a copy of it where it could still change."""
    return value if type(value) in ATOMS else field.export(value)


def fold(rows: dict[Key, Row], row: Row) -> None:
    """Add a change to those that came before it: the first `before` and the last `after` count."""
    key = row.key
    earlier = rows.get(key)
    if earlier is not None:
        row.event = earlier.event
        # Objects do not know what was done around them: the database is read when all is over.
        row.blind = row.blind or earlier.blind
        if earlier.before is None:
            row.before = None
        elif row.before is not None:
            # A deferred column may come into sight only with a later change: nothing had changed it until then.
            row.before = row.before | earlier.before
        else:
            row.before = earlier.before
    rows[key] = row


def net(row: Row) -> tuple[str, dict[str, Any]] | None:
    """Return what happened to the row and the data that tells it; `None` when it is as it was."""
    if row.before is not None and row.after is not None:
        return _updated(row.shape, row.before, row.after)
    if row.after is not None:
        return "created", {"before": None, "after": _shown(row.shape, row.after), "changed": []}
    if row.before is not None:
        return "deleted", {"before": _shown(row.shape, row.before), "after": None, "changed": []}
    return None


def _updated(shape: Shape, before: Values, after: Values) -> tuple[str, dict[str, Any]] | None:
    # Most fields hold the very value that they held: only the others are looked at.
    differ = [f for f in shape.fields if f.name in after and before.get(f.name) is not after[f.name]]
    changed = [f for f in differ if not _same(f, before.get(f.name), after[f.name])]
    if not changed:
        return None
    was = _shown(shape, before)
    if before.keys() == after.keys():
        now = was.copy()
    else:
        now = {f.name: was.get(f.name) for f in shape.fields if f.name in after}
    for f in changed:
        now[f.name] = f.show(after[f.name])
    return "updated", {"before": was, "after": now, "changed": [f.name for f in changed]}


def _same(field: Field, before: Any, after: Any) -> bool:
    return before == after or bool(field.export(before) == field.export(after))


def _shown(shape: Shape, values: Values) -> Values:
    told = {}
    for name, f, direct in shape.shown:
        if name in values:
            value = values[name]
            kind = type(value)
            asis = direct and (kind in _JSON or (kind is str and len(value) <= LIMIT))
            told[name] = value if asis else f.show(value)
    return told
