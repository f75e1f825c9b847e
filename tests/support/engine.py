"""The relay's steps in the test's own process: the real store, transport and pacing, without Celery around them."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from relay import wiring
from relay.config import Settings
from relay.domain.delivery import OPEN, Delivery
from relay.domain.event import Event, encode, new_id
from relay.queue.nudges import SWEEPING
from relay.store.migrate import migrate


class Engine:
    """One process' worth of the relay on a migrated database."""

    def __init__(self, database: str, broker: str, directory: Path, key: str) -> None:
        self._made = (database, broker, directory, key)
        self.relay = wiring.Relay(
            Settings(
                data_dir=directory,
                database_url=database,
                broker_url=broker,
                secret_keys=(key,),
                egress_allow=("127.0.0.0/8",),
            )
        )

    def another(self) -> "Engine":
        """Return a second process' worth, on the same database and broker."""
        return Engine(*self._made)

    def configure(self, text: str) -> None:
        """Apply a relay.toml."""
        self.relay.configurator.apply_text(text, "relay.toml")
        self.relay.following.refresh()

    def record(self, *subjects: str, type_: str = "orders.updated") -> list[Event]:
        """Store an event about each subject, in this order, and route them."""
        events = self.store(*subjects, type_=type_)
        self.relay.fan_out.run()
        return events

    def store(self, *subjects: str, type_: str = "orders.updated") -> list[Event]:
        """Store an event about each subject, in this order."""
        now = datetime.now(UTC)
        events = [
            Event(new_id(), "shop", type_, now, now, encode({"number": number}), subject=subject)
            for number, subject in enumerate(subjects)
        ]
        self.relay.events.add(events)
        return events

    def sweep(self) -> None:
        """Sweep, although another may have done so this second."""
        redis = self.relay.redis
        assert redis is not None
        redis.delete(SWEEPING)
        self.relay.line.sweep()

    def drain(self) -> None:
        """Deliver until nothing is due."""
        self.relay.line.deliver()

    def drain_until_settled(self, timeout: float = 30.0) -> None:
        """Deliver, retries included, until nothing is open."""
        until = time.monotonic() + timeout
        while any(self.deliveries(state=state) for state in OPEN) and time.monotonic() < until:
            self.drain()
            time.sleep(0.05)

    def drain_in_background(self) -> threading.Thread:
        """Start draining in a thread of its own and return it."""
        thread = threading.Thread(target=self.drain, daemon=True)
        thread.start()
        return thread

    def deliveries(self, **filters: Any) -> list[Delivery]:
        """Return deliveries, oldest first."""
        return self.relay.deliveries.find(filters, None, 10_000)[::-1]

    def close(self) -> None:
        """Close the connections."""
        self.relay.database.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path, redis_url: str) -> Iterator[Engine]:
    """The engine on a fresh database, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        database = f"sqlite:///{tmp_path / 'relay.sqlite3'}"
    else:
        database = request.getfixturevalue("pg_database")
    made = Engine(database, redis_url, tmp_path, Fernet.generate_key().decode())
    migrate(made.relay.database)
    yield made
    made.close()
