"""What comes in is stored from an event loop as it is from anywhere else, on either database."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest
from sqlalchemy import text

from relay.domain.event import Event
from relay.errors import StoreUnavailable
from relay.store.database import Database
from relay.store.events import Events
from relay.store.intake import Intake
from relay.store.migrate import migrate
from tests.support.processes import HOST
from tests.support.stores import Stores, event, migrated, stores

__all__ = ["migrated", "stores"]


def working(stores: Stores, work: Callable[[Intake], Awaitable[None]], events: Events | None = None) -> None:
    """Run a coroutine function with an intake."""

    async def run() -> None:
        intake = Intake(stores.database, events or stores.events)
        try:
            await work(intake)
        finally:
            await intake.close()

    asyncio.run(run())


def test_groups_are_stored(stores: Stores) -> None:
    """Each event is there as it was, a repeat is known by the first one's id, within a group and in the next one."""

    async def work(intake: Intake) -> None:
        odd = event(dedupe="a", body=bytes(range(256)), subject="ü🚲\\\"{}',")
        again, other = event(dedupe="a"), event(dedupe="b", traceparent="00-" + "1" * 32 + "-" + "2" * 16 + "-01")
        assert await intake.add([odd, again, other]) == [odd.id, odd.id, other.id]
        assert [stores.events.get(one.id) for one in (odd, again, other)] == [odd, None, other]
        late = event()
        assert await intake.add([event(dedupe="b"), late]) == [other.id, late.id]
        many = [event() for _ in range(1000)]
        assert await intake.add(many) == [one.id for one in many]

    working(stores, work)


def test_new_events_need_no_thread(pg_database: str) -> None:
    """On PostgreSQL a group of new events is one statement of the loop's own: only repeats are asked about apart."""
    asked: list[int] = []

    class Asked(Events):
        def known(self, batch: Sequence[Event]) -> list[str]:
            asked.append(len(batch))
            return super().known(batch)

        def add(self, batch: Sequence[Event], *, hurried: bool = False) -> list[str]:
            raise AssertionError("stored apart")

    async def work(intake: Intake) -> None:
        for _ in range(10):
            await intake.add([event(), event()])
        assert asked == []
        await intake.add([event(dedupe="a"), event(), event(dedupe="a")])
        assert asked == [3]

    database = Database(pg_database)
    migrate(database)
    working(Stores(database), work, Asked(database))
    database.dispose()


def test_a_connection_that_was_cut(stores: Stores) -> None:
    """A database that ended the connection, as it does when it is started anew, keeps no group from being stored."""

    async def work(intake: Intake) -> None:
        for _ in range(3):
            batch = [event() for _ in range(3)]
            assert await intake.add(batch) == [one.id for one in batch]
            if stores.database.is_postgresql:
                _cut_others(stores.database)
        assert len(stores.events.find({}, None, 100)) == 9

    working(stores, work)


def test_a_database_that_is_away() -> None:
    """Whoever sent the group hears that it is not stored."""
    database = Database(f"postgresql://nobody@{HOST}:1/nothing")

    async def run() -> None:
        with pytest.raises(StoreUnavailable):
            await Intake(database, Events(database)).add([event()])

    asyncio.run(run())


def _cut_others(database: Database) -> None:
    with database.reading() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
