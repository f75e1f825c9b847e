"""The schema: built, taken down and built again by the migrations, and the same as the one the stores work with."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, inspect, text

from relay.store import tables
from relay.store.database import Database
from relay.store.migrate import head, migrate, pending
from tests.support.relay import ROOT, RunningRelay


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'made' / 'relay.sqlite3'}"
    return str(request.getfixturevalue("pg_database"))


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """An empty database."""
    opened = Database(url)
    yield opened
    opened.dispose()


def names(database: Database) -> set[str]:
    """Return the names of all tables but Alembic's own."""
    with database.reading() as connection:
        return set(inspect(connection).get_table_names()) - {"alembic_version"}


def shape(connection: Connection) -> list[tuple[Any, ...]]:
    """Return every table and index as the database itself describes them."""
    if connection.dialect.name == "sqlite":
        described = "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type, name"
    else:
        described = "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2"
    return [tuple(" ".join(str(part).split()) for part in row) for row in connection.execute(text(described))]


def test_up_down_and_up(database: Database) -> None:
    """Down leaves nothing behind, and up again gives the same as the first time."""
    migrate(database)
    assert not pending(database)
    with database.reading() as connection:
        first = shape(connection)
    assert names(database) == set(tables.metadata.tables)
    migrate(database, "base")
    assert pending(database)
    assert names(database) == set()
    migrate(database)
    migrate(database)
    with database.reading() as connection:
        assert shape(connection) == first


def test_each_step_leads_back(database: Database) -> None:
    """Every revision can be left again, one at a time, both ways."""
    revisions = [f"{number:04}" for number in range(1, int(head()) + 1)]
    for revision in (*revisions, *revisions[-2::-1], *revisions):
        migrate(database, revision)
        assert pending(database) == (revision != head())


def test_the_schema_is_that_of_the_stores(database: Database) -> None:
    """Tables, columns, types, defaults and indexes are those that the code was written for."""
    migrate(database)
    with database.reading() as connection:
        # SQLite numbers rows by itself and shows no default for it.
        options = {"compare_type": True, "compare_server_default": database.is_postgresql}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), tables.metadata) == []


def test_indexes_have_their_conditions(database: Database) -> None:
    """Partial indexes are as partial, on the same columns, as the tables say."""
    migrate(database)
    with database.reading() as connection:
        migrated = {row[1] for row in shape(connection)}
        conditions = {row[1]: row[2].partition(" WHERE ")[2] for row in shape(connection)}
    for table in tables.metadata.tables.values():
        for index in table.indexes:
            assert index.name in migrated
            partial = any(index.dialect_kwargs.get(f"{kind}_where") is not None for kind in ("sqlite", "postgresql"))
            assert bool(conditions[str(index.name)]) == partial, index.name


def test_many_migrate_at_once(url: str, tmp_path: Path) -> None:
    """Machines that start together migrate once: each of them finds the schema there."""
    relay = RunningRelay(tmp_path, database=url)
    with ThreadPoolExecutor(3) as pool:
        for done in pool.map(lambda _: relay.cli("migrate"), range(3)):
            done.succeeds()
    database = Database(url)
    assert not pending(database)
    database.dispose()


def test_a_directory_keeps_its_mode(tmp_path: Path) -> None:
    """The file of a new database is its owner's alone; the directory it is put into stays as open as it was."""
    tmp_path.chmod(0o755)
    path = tmp_path / "relay.sqlite3"
    database = Database(f"sqlite:///{path}")
    migrate(database)
    database.dispose()
    assert (tmp_path.stat().st_mode & 0o777, path.stat().st_mode & 0o777) == (0o755, 0o600)


def test_alembic_by_itself(url: str, tmp_path: Path) -> None:
    """Alembic's own command finds the scripts and the database of the environment."""
    (tmp_path / "made").mkdir()
    environment = RunningRelay(tmp_path, database=url).env
    for words in (["upgrade", "head"], ["current"], ["check"]):
        done = subprocess.run(
            [sys.executable, "-m", "alembic", *words], cwd=ROOT, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
    engine = create_engine(url)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == head()
    engine.dispose()
