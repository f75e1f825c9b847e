"""A migrated database of each kind, with its stores, for tests that hold both to one contract."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete

from relay import plugins
from relay.domain.delivery import Attempt, Claimed, Delivery, Routed, State, Verdict
from relay.domain.event import Event, new_id
from relay.secrets import Sealer
from relay.store import tables
from relay.store.configuration import ConfigurationStore
from relay.store.database import Database
from relay.store.deliveries import Deliveries
from relay.store.events import Events
from relay.store.migrate import migrate
from relay.store.outbox import Outbox
from tests.support.postgres import Postgres

KEY = Sealer.new_key()
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
"""The moment at which tests happen; what they ask for lies before or after it."""


@dataclass(frozen=True)
class Stores:
    """The stores over one database."""

    database: Database

    @property
    def events(self) -> Events:
        """Where events are kept."""
        return Events(self.database)

    @property
    def deliveries(self) -> Deliveries:
        """Where deliveries are kept."""
        return Deliveries(self.database)

    @property
    def outbox(self) -> Outbox:
        """The outbox in the same database."""
        return Outbox("relay", self.database)

    @property
    def configuration(self) -> ConfigurationStore:
        """Where the configuration is kept."""
        return ConfigurationStore(self.database, lambda: Sealer([KEY]), plugins.discover())

    def add(self, count: int, *targets: str, **fields: Any) -> list[Event]:
        """Store events, each routed to every one of these targets; return them as they are stored."""
        batch = [event(**fields) for _ in range(count)]
        self.events.add(batch)
        self.route(*targets)
        return [found for one in batch if (found := self.events.get(one.id))]

    def route(self, *targets: str, limit: int = 10_000, ordered: bool = False) -> Routed:
        """Route what waits to these targets."""
        return self.events.route(
            limit, lambda batch: [delivery(one, target, ordered=ordered) for one in batch for target in targets]
        )

    def clear(self) -> None:
        """Empty every table."""
        with self.database.writing() as connection:
            for table in tables.metadata.tables.values():
                connection.execute(delete(table))


def event(**fields: Any) -> Event:
    """Return an event; every field has a default."""
    given = {"id": new_id(), "source": "shop", "type": "orders.created", "occurred_at": NOW, "received_at": NOW}
    return Event(**given | fields)


def delivery(of: Event, target: str = "billing", *, ordered: bool = False) -> Delivery:
    """Return a delivery of an event that is due."""
    return Delivery(
        id=new_id(),
        event_id=of.id,
        event_seq=of.seq,
        route="all",
        target=target,
        subject=of.subject,
        state=State.PENDING,
        attempts=0,
        tries=0,
        next_attempt_at=NOW,
        created_at=NOW,
        ordered=ordered,
    )


def verdict(claimed: Claimed, state: State = State.DELIVERED, **fields: Any) -> Verdict:
    """Return what an attempt came to."""
    given: dict[str, Any] = {"at": NOW + timedelta(seconds=claimed.attempts), "ms": 1.5, "outcome": "delivered"}
    attempt = Attempt(delivery_id=claimed.id, number=claimed.attempts + 1, **given | fields)
    return Verdict(claimed, attempt, state, NOW)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def migrated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    """The stores, for all tests of a module."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('stores') / 'relay.sqlite3'}"
    else:
        postgres: Postgres = request.getfixturevalue("postgres")
        url = postgres.start().create_database()
    database = Database(url, pool_size=10)
    migrate(database)
    yield Stores(database)
    database.dispose()


@pytest.fixture
def stores(migrated: Stores) -> Stores:
    """The stores, empty."""
    migrated.clear()
    return migrated
