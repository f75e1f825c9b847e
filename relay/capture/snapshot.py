"""What a mapped object held before a flush, and what it holds after it."""

from collections.abc import Iterable
from dataclasses import dataclass
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
    gaps: list[Field] | None = None
    written: frozenset[str] = frozenset()
    gone: bool = False

    @property
    def identity(self) -> Identity:
        """Return the primary key under which the row is stored; empty when it has none yet."""
        key = self.state.key
        return () if key is None else key[1]

    def removed(self) -> Row:
        """Return the change of a row that is no more under its primary key."""
        return Row(self.shape, self.connection, self.identity, self.values, None)

    def saved(self) -> Row:
        """Return the change of a row that was written, under the primary key it has now."""
        current, after = self.state.dict, {}
        for name, key in self.shape.pairs:
            value = current.get(key, _UNSEEN)
            after[name] = value
            if type(value) not in ATOMS:
                self._settle(name, value, after)
        now = self._current
        # A row that got another primary key is another row to the table.
        moved = self.state.key is not None and self.identity != now
        return Row(self.shape, self.connection, now, None if moved else self.values, after)

    def _settle(self, name: str, value: Any, after: Values) -> None:
        """Give a value that may change, or that is not there, its place in `after`; or none."""
        f = next(f for f in self.shape.fields if f.name == name)
        value = self._absent(f) if value is _UNSEEN else freeze(f, value)
        if value is _UNSEEN:
            del after[name]
        else:
            after[name] = value

    @property
    def _current(self) -> Identity:
        """Return the primary key after the flush; an object that expired and was not written keeps its own."""
        current, keys, identity = self.state.dict, self.shape.keys, self.identity
        if len(keys) == 1:
            return (current.get(keys[0], identity[0] if identity else None),)
        return tuple(current.get(key, stored) for key, stored in zip_longest(keys, identity))

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
    values: Values = {}
    before = Before(state, kind, connection, values)
    for name, key in kind.pairs:
        value = committed[key] if key in committed else current.get(key, _UNSEEN)
        if type(value) in ATOMS:
            values[name] = value
        else:
            _unsure(before, values, name, value)
    return before


def _unsure(before: Before, values: Values, name: str, value: Any) -> None:
    """Note a value that may change, or that the session does not know."""
    f = next(f for f in before.shape.fields if f.name == name)
    if value is not _UNSEEN and not isinstance(value, LoaderCallableStatus):
        values[name] = freeze(f, value)
    elif value is not _UNSEEN or not f.deferred:
        before.gaps = [*(before.gaps or ()), f]


def _complete(kind: Shape, group: list[Before], connection: Connection) -> None:
    gaps = {f.name: f for before in group for f in before.gaps or ()}
    stored = read(connection, kind, [before.identity for before in group], gaps.values())
    for before in group:
        row = stored.get(before.identity, {})
        before.values = {**(before.values or {}), **{f.name: row[f.name] for f in before.gaps or () if f.name in row}}
