"""Events as a web process stores them: from its event loop, without a thread in between where that can be."""

import asyncio
from collections.abc import Sequence

import psycopg

from relay.domain.event import Event
from relay.store.batch import arrays, insertion
from relay.store.database import Database
from relay.store.eventrows import COLUMNS, row_of
from relay.store.events import Events
from relay.store.tables import events as table


class Intake:
    """Stores groups of events: on PostgreSQL over a connection of the event loop's own, elsewhere in a thread.

    A thread would take turns with the loop at Python's lock, several times a group. What is not everyday, a repeat or
    a database that fails, goes the way of all other statements: `Events` knows what to make of it.
    """

    def __init__(self, database: Database, events: Events) -> None:
        self._database = database
        self._events = events
        self._cursor: psycopg.AsyncCursor | None = None
        self._insert: str | None = None
        if database.is_postgresql:
            self._insert = str(insertion(table, COLUMNS).compile(dialect=database.engine.dialect))

    async def add(self, batch: Sequence[Event]) -> list[str]:
        """Store events and return the id each is known by, as `Events.add` does. One batch at a time.

        Raises `StoreUnavailable`.
        """
        inserted = await self._inserted(batch)
        if inserted == len(batch):
            return [event.id for event in batch]
        finish = self._events.add if inserted is None else self._events.known
        return await asyncio.to_thread(finish, batch)

    async def close(self) -> None:
        """Close the connection; the next batch opens another."""
        cursor, self._cursor = self._cursor, None
        if cursor is not None:
            await cursor.connection.close()

    async def _inserted(self, batch: Sequence[Event]) -> int | None:
        """Return how many events were new; `None` if they have to be stored another way."""
        if self._insert is None:
            return None
        try:
            if self._cursor is None:
                self._cursor = (await self._database.connect()).cursor()
            rows = [row_of(event) for event in batch]
            return (await self._cursor.execute(self._insert, arrays(COLUMNS, rows))).rowcount
        except psycopg.Error:
            await self.close()
            return None
