"""What one session has changed in its transaction so far, and the outbox rows that tell of it."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.orm import SessionTransaction

from relay.capture.changes import Key, Row, Values, fold
from relay.capture.dialects import is_mysql
from relay.capture.marks import unmark
from relay.capture.reading import read
from relay.capture.registry import Field, Shape
from relay.capture.snapshot import Before, State
from relay.capture.statements import Under
from relay.capture.telling import Summary, Teller
from relay.capture.tracing import traceparent
from relay.capture.values import ABSENT

Rows = dict[Key, Row]


class Ledger:
    """One session's changes, kept apart by savepoint, so that what is rolled back is forgotten.

    `flushing` holds the objects of the flush under way, `ahead` what was read of those to come, `under` a
    statement around objects. `facts` is what
    `annotate` said of this transaction, `active` what it says now. `commits` counts commits begun while a savepoint was
    open; `closing` is set once the outermost transaction is being committed, `told` once it wrote events.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.flushing: dict[State, Before] = {}
        self.ahead: dict[State, Before] = {}
        self.under: Under | None = None
        self.connections: list[Connection] = []
        self.marked: dict[Connection, str] = {}
        self.active: list[dict[str, Any]] = []
        self._layers: dict[SessionTransaction | None, Rows] = {}
        self._summaries: dict[SessionTransaction | None, list[Summary]] = {}
        self._released: SessionTransaction | None = None
        self.reset()

    def reset(self) -> None:
        """Forget the transaction: it has ended."""
        self.marked.clear()
        self.under = None
        self.forget_flush()
        self._layers.clear()
        self._summaries.clear()
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

    def sum_up(self, savepoint: SessionTransaction | None, summary: Summary) -> None:
        """Add the summary of a statement made within `savepoint`, or within none."""
        self._summaries.setdefault(savepoint, []).append(summary)

    def release(self, savepoint: SessionTransaction) -> SessionTransaction | None:
        """Hand the changes of a released savepoint to the transaction around it; return that, `None` if outermost."""
        around = _around(savepoint)
        self.record(around, self._layers.pop(savepoint, {}).values())
        for summary in self._summaries.pop(savepoint, ()):
            self.sum_up(around, summary)
        self._released = savepoint
        return around

    def discard(self, savepoint: SessionTransaction) -> None:
        """Forget the changes of a savepoint that ended, unless it was released."""
        if savepoint is not self._released:
            self._layers.pop(savepoint, None)
            self._summaries.pop(savepoint, None)
            self.commits = 0
            # A mark that was set within it went with it.
            self.marked.clear()
            self.forget_flush()

    def write(self) -> None:
        """Write an event for each row that changed on the whole, and each summary, through the connection that did it.

        An event written earlier in this transaction that no longer tells it all is taken back.
        """
        self._write()
        for connection in list(self.marked):
            unmark(connection, self.marked)

    def _write(self) -> None:
        rows = [row for row in self._layers.get(None, {}).values() if not row.settled]
        summaries = self._summaries.get(None, [])
        if not rows and not summaries:
            return
        coarse = any(map(is_mysql, self.connections))
        _read_rest([row for row in rows if row.unsure or row.blind or coarse])
        meta = {name: fact for facts in (self.facts, *self.active) for name, fact in facts.items()}
        if (trace := traceparent()) is not None:
            meta.setdefault("traceparent", trace)
        places: dict[tuple[Connection, Table], tuple[list[Row], list[Summary]]] = defaultdict(lambda: ([], []))
        for row in rows:
            places[row.connection, row.shape.outbox][0].append(row)
        for summary in summaries:
            places[summary.connection, summary.outbox][1].append(summary)
        for (connection, table), (changed, done) in places.items():
            teller = Teller(connection, table, self.source, meta)
            self.told |= teller.tell(changed, done)
        summaries.clear()


def _read_rest(rows: list[Row]) -> None:
    """Read what only the database knows of `rows`: one statement for each connection and class."""
    groups: dict[tuple[Connection, Shape], list[tuple[Row, list[Field]]]] = defaultdict(list)
    for row in rows:
        unread = row.unread()
        if unread or row.blind:
            groups[row.connection, row.shape].append((row, unread))
    for (connection, kind), group in groups.items():
        fields = list({f: None for _, unread in group for f in unread})
        stored = read(connection, kind, [row.identity for row, _ in group], fields)
        for row, unread in group:
            found = stored.get(row.identity)
            row.after = found if row.blind else _completed(row, set(unread), found)


def _completed(row: Row, unread: set[Field], found: Values | None) -> Values:
    kind, after = row.shape, row.after or ()
    rest = found or (ABSENT,) * len(after)
    return tuple(new if f in unread else old for f, old, new in zip(kind.fields, after, rest, strict=True))


def _around(savepoint: SessionTransaction) -> SessionTransaction | None:
    """Return the savepoint around this one, or none."""
    outer = savepoint.parent
    while outer is not None and not outer.nested:
        outer = outer.parent
    return outer
