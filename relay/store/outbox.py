"""Outboxes: the relay's own, and those in the databases of applications."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, MetaData, Row, delete, false, func, select

from relay.capture.outbox import outbox as outbox_table
from relay.domain.event import Event, fitting, parse_json
from relay.domain.trace import HEADER, traceparent
from relay.errors import StoreUnavailable, Unreadable
from relay.store.batch import any_of
from relay.store.database import Database, NotMigrated, hurry

_outbox = outbox_table(MetaData())


@dataclass(frozen=True, slots=True)
class Lag:
    """How far an outbox is behind: rows that wait, and since when the oldest does."""

    rows: int
    oldest: datetime | None


class Outbox:
    """The `relay_outbox` table of one database.

    It is read without a lock and deleted after its events are stored: two readers, or one that died in between, store
    the same rows under the same ids, which is once. Relays with databases of their own share an outbox: a row goes to
    one of them, or once to each that read it before it was deleted.
    """

    def __init__(self, name: str, database: Database) -> None:
        self.name = name
        self._database = database

    def read(self, limit: int) -> tuple[list[int], list[Event]]:
        """Return the oldest rows' numbers, and the events they are. Raises `StoreUnavailable`."""
        statement = select(_outbox).order_by(_outbox.c.seq).limit(limit)
        now = datetime.now(UTC)
        with self._reading() as connection:
            rows = connection.execute(statement).all()
        return [row.seq for row in rows], [_event(row, now) for row in rows]

    def forget(self, seqs: Sequence[int]) -> None:
        """Delete rows whose events are stored."""
        with self._database.single() as connection:
            statement = delete(_outbox).where(any_of(connection, _outbox.c.seq, seqs))
            if self._database.is_postgresql:
                # In one breath. It is a question of its own: as a plain condition it would be asked for each row.
                statement = statement.where(select(hurry()).scalar_subquery() == "off")
            connection.execute(statement)

    def waiting(self) -> bool:
        """Say whether any row waits; an outbox that cannot be read has none."""
        try:
            with self._reading() as connection:
                return bool(connection.scalar(select(select(_outbox.c.seq).exists())))
        except StoreUnavailable:
            return False

    def lag(self) -> Lag:
        """Return how much waits. Raises `StoreUnavailable`, also where rows could be read and never be deleted."""
        with self._reading() as connection:
            count, oldest = connection.execute(select(func.count(), func.min(_outbox.c.occurred_at))).one()
            if connection.dialect.name != "sqlite":
                # Servers know who may delete, before they know what.
                connection.execute(delete(_outbox).where(false()))
        return Lag(count, oldest)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self._database.reading() as connection:
                yield connection
        except NotMigrated:
            raise StoreUnavailable("it has no table relay_outbox: the application has not migrated yet") from None

    def close(self) -> None:
        """Close the connections to its database."""
        self._database.dispose()


class ClosedOutbox:
    """The outbox of a database that cannot be opened: its URL is none, or there is no driver for it."""

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self._reason = reason

    def read(self, limit: int) -> tuple[list[int], list[Event]]:
        """Raise `StoreUnavailable`."""
        raise StoreUnavailable(self._reason)

    def forget(self, seqs: Sequence[int]) -> None:
        """Do nothing: nothing was read."""

    def waiting(self) -> bool:
        """Say that no row waits."""
        return False

    def lag(self) -> Lag:
        """Raise `StoreUnavailable`."""
        raise StoreUnavailable(self._reason)

    def close(self) -> None:
        """Do nothing: nothing was opened."""


def _event(row: Row[Any], now: datetime) -> Event:
    return Event(
        id=row.id,
        # SQLite does not hold an application to the lengths of these columns.
        source=fitting(row.source, 64) or "",
        type=fitting(row.type, 256) or "",
        subject=fitting(row.subject, 512),
        body=row.data.encode(),
        occurred_at=row.occurred_at,
        received_at=now,
        traceparent=_trace(row.data),
    )


def _trace(data: str) -> str | None:
    # Most events have none: their text is not parsed for it.
    if '"traceparent"' not in data:
        return None
    try:
        told = parse_json(data.encode())
    except Unreadable:
        return None
    meta = told.get("meta") if isinstance(told, dict) else None
    return traceparent(meta.get(HEADER)) if isinstance(meta, dict) else None
