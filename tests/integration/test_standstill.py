"""A process that stands still in the midst of a transaction keeps nobody out for long."""

import pytest
from sqlalchemy import select, update

from relay.errors import StoreUnavailable
from relay.store import database as module
from relay.store.database import Database
from relay.store.migrate import migrate
from relay.store.tables import configuration
from tests.support.processes import eventually


def test_its_locks_are_let_go(pg_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL ends its transaction: what it had locked is anybody's, and it hears that nothing of it counts."""
    monkeypatch.setattr(module, "_STANDSTILL", "300ms")
    monkeypatch.setattr(module, "_BOUND", select(module.bound()))
    frozen, other = Database(pg_database), Database(pg_database)
    migrate(other)
    with other.writing() as connection:
        connection.execute(configuration.insert().values(id=1, version=1, applied_at="2026-01-01T00:00:00Z"))
    locked = select(configuration.c.version).with_for_update(skip_locked=True)

    def free() -> bool:
        with other.writing() as connection:
            return connection.scalar(locked) == 1

    with pytest.raises(StoreUnavailable), frozen.writing() as connection:  # noqa: PT012  what is tested is its end
        connection.execute(update(configuration).values(version=2))
        assert not free()
        eventually(free, what="the end of its transaction")
        connection.execute(update(configuration).values(version=3))
    with frozen.reading() as connection:
        assert connection.scalar(select(configuration.c.version)) == 1
    frozen.dispose()
    other.dispose()
