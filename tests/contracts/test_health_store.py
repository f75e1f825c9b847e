"""The health of targets as workers share it: the same on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from relay.domain.health import IN_A_ROW, OPEN_FIRST
from relay.store.database import Database
from relay.store.health import HealthStore
from relay.store.migrate import migrate

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[HealthStore]:
    """A migrated database's health."""
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path / 'relay.sqlite3'}")
    else:
        database = Database(request.getfixturevalue("pg_database"))
    migrate(database)
    yield HealthStore(database)
    database.dispose()


def test_a_target_that_is_well_leaves_no_trace(store: HealthStore) -> None:
    """Success alone writes nothing that stays."""
    assert store.record({"a": [True, True]}, NOW) == {"a": None}
    assert store.load() == {}


def test_failures_add_up_over_groups(store: HealthStore) -> None:
    """Groups recorded by any worker make one series: the circuit opens for all of them."""
    for _ in range(IN_A_ROW - 1):
        store.record({"a": [False], "b": [True]}, NOW)
    after = store.record({"a": [False]}, NOW)["a"]
    assert after is not None
    assert after.open_until == NOW + OPEN_FIRST
    assert store.load() == {"a": after}


def test_one_worker_probes(store: HealthStore) -> None:
    """Before its time nobody takes the probe; then exactly one does, however many try at once."""
    store.record({"a": [False] * IN_A_ROW}, NOW)
    assert not store.take_probe("a", NOW)
    due = NOW + OPEN_FIRST + timedelta(seconds=1)
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda _: store.take_probe("a", due), range(8)))
    assert sorted(taken) == [False] * 7 + [True]
    assert store.record({"a": [True]}, due) == {"a": None}
    assert store.load() == {}


def test_concurrent_groups_are_all_counted(store: HealthStore) -> None:
    """Workers that record at the same moment, in whatever order of names, lose nothing and do not block each other."""
    names = [{"a": [False], "b": [False]}, {"b": [False], "a": [False]}] * 4
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda outcomes: store.record(outcomes, NOW), names))
    assert {name: health.failed for name, health in store.load().items()} == {"a": 8, "b": 8}


def test_what_is_forgotten_is_gone(store: HealthStore) -> None:
    """A target that is resumed begins anew."""
    store.record({"a": [False] * IN_A_ROW}, NOW)
    store.forget("a")
    assert store.load() == {}
