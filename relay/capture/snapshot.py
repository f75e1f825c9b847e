"""What a mapped object held before a flush, and what it holds after it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.orm import LoaderCallableStatus
from sqlalchemy.orm.state import InstanceState

from relay.capture.changes import UNREAD, Identity, Row, Values, freeze
from relay.capture.reading import read
from relay.capture.registry import Field, Shape, shape
from relay.capture.values import ATOMS

State = InstanceState[Any]


@dataclass(slots=True)
class Before:
    """An object about to be flushed: `values` as the database has them, `None` for a row that is not there.

    `gaps` are fields whose value the session does not know, `written` attributes that this flush writes;
    `gone` says that it deletes the row.
    """

    state: State
    shape: Shape
    connection: Connection
    values: Values | None
    gaps: list[Field] = field(default_factory=list)
    written: frozenset[str] = frozenset()
    gone: bool = False

    @property
    def identity(self) -> Identity:
        """Return the primary key under which the row is stored; empty when it has none yet."""
        return tuple(self.state.identity or ())

    def removed(self) -> Row:
        """Return the change of a row that is no more under its primary key."""
        return Row(self.shape, self.connection, self.identity, self.values, None)

    def saved(self) -> Row:
        """Return the change of a row that was written, under the primary key it has now."""
        values = self.state.dict
        after = {f.name: freeze(f, values[f.key]) if f.key in values else self._absent(f) for f in self.shape.fields}
        seen = {name: value for name, value in after.items() if value is not _UNSEEN}
        return Row(self.shape, self.connection, self._current, None if self.moved else self.values, seen)

    @property
    def moved(self) -> bool:
        """Say whether the flush gave a stored row another primary key: to the table that is another row."""
        return bool(self.identity) and self.identity != self._current

    @property
    def _current(self) -> Identity:
        """Return the primary key after the flush; an object that expired and was not written keeps its own."""
        pairs = zip_longest(self.shape.keys, self.identity)
        return tuple(self.state.dict.get(key, stored) for key, stored in pairs)

    def _absent(self, f: Field) -> Any:
        """Return the value after a flush of an attribute that the flush left unloaded."""
        if self.values is None:
            # An attribute that was never set is NULL, unless the database has a default for it.
            return UNREAD if f.key in self.state.expired_attributes else None
        if f.volatile or f.key in self.written:
            return UNREAD
        return self.values.get(f.name, _UNSEEN)


_UNSEEN = object()


def of_new(state: State, connection: Connection) -> Before:
    """Return what there is of an object before its INSERT: nothing."""
    return Before(state, shape(state.mapper), connection, None)


def of_replaced(state: State, stored: State, connection: Connection) -> Before:
    """Return the row that a new object takes over from a deleted one: SQLAlchemy turns the two into one UPDATE."""
    kind = shape(state.mapper)
    (before,) = of_stored([stored], connection)
    return Before(state, kind, connection, before.values, written=frozenset(f.key for f in kind.fields))


def of_stored(states: Iterable[State], connection: Connection) -> list[Before]:
    """Return what the database has of each object; what the session does not know is read, a class at a time."""
    found = [known(state, connection) for state in states]
    incomplete: dict[Shape, list[Before]] = {}
    for before in found:
        if before.gaps:
            incomplete.setdefault(before.shape, []).append(before)
    for kind, group in incomplete.items():
        _complete(kind, group, connection)
    return found


def known(state: State, connection: Connection) -> Before:
    """Return what the session knows of an object as the database has it; `gaps` names the rest."""
    kind = shape(state.mapper)
    current, committed = state.dict, state.committed_state
    before = Before(state, kind, connection, {}, written=frozenset(committed))
    values: Values = {}
    for f in kind.fields:
        value = committed[f.key] if f.key in committed else current.get(f.key, _UNSEEN)
        if type(value) in ATOMS:
            values[f.name] = value
        elif value is _UNSEEN or isinstance(value, LoaderCallableStatus):
            if value is not _UNSEEN or not f.deferred:
                before.gaps.append(f)
        else:
            values[f.name] = freeze(f, value)
    before.values = values
    return before


def _complete(kind: Shape, group: list[Before], connection: Connection) -> None:
    gaps = {f.name: f for before in group for f in before.gaps}
    stored = read(connection, kind, [before.identity for before in group], gaps.values())
    for before in group:
        row = stored.get(before.identity, {})
        before.values = {**(before.values or {}), **{f.name: row[f.name] for f in before.gaps if f.name in row}}
