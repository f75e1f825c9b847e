"""What a mapped object held before a flush, and what it holds after it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.orm import LoaderCallableStatus
from sqlalchemy.orm.state import InstanceState

from relay.capture.changes import Identity, Row, Values, translated
from relay.capture.reading import read
from relay.capture.registry import Field, Shape, shape
from relay.capture.values import ABSENT, UNREAD

State = InstanceState[Any]


@dataclass(eq=False)
class Before:
    """An object about to be flushed: `values` as the database has them, `None` for a row that is not there.

    `current` are the object's own attributes. `gaps` are fields whose value the session does not know, `unloaded`
    those that the object does not hold; `gone` says that the flush deletes the row.
    """

    state: State
    shape: Shape
    connection: Connection
    current: dict[str, Any]
    values: Values | None
    # One is made for each row: what few rows need is no part of it until it is needed.
    gaps: tuple[Field, ...] = field(default=(), init=False)
    unloaded: tuple[Field, ...] = field(default=(), init=False)
    gone: bool = field(default=False, init=False)

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
        kind, current, key = self.shape, self.current, self.state.key
        try:
            now = kind.identify(current)
        except KeyError:
            now = self._current()
        # A row that got another primary key is another row to the table.
        before = self.values if key is None or key[1] == now else None
        after = _steady(kind, current)
        if after is not None:
            return Row(kind, self.connection, now, before, after)
        unsettled = kind.take({**kind.blank, **current})
        after = tuple([self._settled(place, value) for place, value in enumerate(unsettled)])
        return Row(kind, self.connection, now, before, after, UNREAD in after)

    def _settled(self, place: int, value: Any) -> Any:
        """Return a value after the flush that nothing changes any more, also where the object holds none."""
        f = self.shape.fields[place]
        if value is not ABSENT:
            return self.shape.keep(f, value)
        if self.values is None:
            # An attribute that was never set is NULL, unless the database has a default for it.
            return UNREAD if f.key in self.state.expired_attributes else None
        # What the object held and no longer holds, the flush itself made it forget.
        return UNREAD if f.volatile or f not in self.unloaded else self.values[place]

    def _current(self) -> Identity:
        """Return the primary key of an object that expired and was not written: its own."""
        return tuple(self.current.get(key, stored) for key, stored in zip_longest(self.shape.keys, self.identity))


def of_new(state: State, kind: Shape, connection: Connection) -> Before:
    """Return what there is of an object before its INSERT: nothing."""
    return Before(state, kind, connection, state.dict, None)


def of_replaced(state: State, kind: Shape, stored: State, connection: Connection) -> Before:
    """Return the row that a new object takes over from a deleted one: SQLAlchemy turns the two into one UPDATE."""
    (before,) = of_stored([stored], connection)
    return Before(state, kind, connection, state.dict, translated(before.values, before.shape, kind))


def of_stored(states: Iterable[State], connection: Connection) -> list[Before]:
    """Return what the database has of each object; what the session does not know is read, a class at a time."""
    found = [known(state, shape(state.mapper), connection) for state in states]
    incomplete: dict[Shape, list[Before]] = {}
    for before in found:
        if before.gaps:
            incomplete.setdefault(before.shape, []).append(before)
    for kind, group in incomplete.items():
        _complete(kind, group, connection)
    return found


def known(state: State, kind: Shape, connection: Connection) -> Before:
    """Return what the session knows of an object as the database has it; `gaps` names the rest."""
    current, committed = state.dict, state.committed_state
    values = None
    if _UNKNOWN.isdisjoint(map(type, committed.values())):
        values = _steady(kind, {**current, **committed})
    if values is not None:
        return Before(state, kind, connection, current, values)
    return _partly_known(state, kind, connection, kind.take({**kind.blank, **current, **committed}))


_UNKNOWN = frozenset({LoaderCallableStatus})


def _steady(kind: Shape, attributes: dict[str, Any]) -> Values | None:
    """Return the values of all fields, if they are all there and none of them could change."""
    try:
        values = kind.take(attributes)
    except KeyError:
        return None
    return values if kind.steady or kind.atoms.issuperset(map(type, values)) else None


def _partly_known(state: State, kind: Shape, connection: Connection, values: Values) -> Before:
    """Keep what nothing changes any more, and note what the session does not know."""
    unknown = {f for f, value in zip(kind.fields, values, strict=True) if isinstance(value, LoaderCallableStatus)}
    unloaded = tuple(f for f, value in zip(kind.fields, values, strict=True) if value is ABSENT)
    unknown.update(unloaded)
    kept = [ABSENT if f in unknown else kind.keep(f, value) for f, value in zip(kind.fields, values, strict=True)]
    gaps = tuple(f for f in kind.fields if f in unknown and not (f.deferred and f in unloaded))
    before = Before(state, kind, connection, state.dict, tuple(kept))
    before.gaps, before.unloaded = gaps, unloaded
    return before


def _complete(kind: Shape, group: list[Before], connection: Connection) -> None:
    gaps = list({f: None for before in group for f in before.gaps})
    stored = read(connection, kind, [before.identity for before in group], gaps)
    for before in group:
        row = stored.get(before.identity)
        if row is not None and before.values is not None:
            before.values = tuple(
                found if f in before.gaps else value
                for f, value, found in zip(kind.fields, before.values, row, strict=True)
            )
