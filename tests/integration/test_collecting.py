"""Outboxes of any database, read by any number of workers and relays: each row is one event, whoever dies."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, MetaData, create_engine, func, insert, select, text

from relay import capture, plugins
from relay.domain.configuration import Configuration
from relay.domain.database import Database as Spec
from relay.domain.event import new_id
from relay.errors import StoreUnavailable
from relay.secrets import Sealer
from relay.store.configuration import ConfigurationStore
from relay.store.database import Database
from relay.store.migrate import migrate
from relay.store.outbox import Outbox
from tests.support.mariadb import MariaDB
from tests.support.processes import Child
from tests.support.relay import ROOT, RunningRelay

OUTBOX = capture.outbox(MetaData())

COLLECT = """
import sys
from relay import wiring
from relay.store.outbox import Outbox
if "hang" in sys.argv:
    Outbox.forget = lambda *_: (print("stored", flush=True), sys.stdin.read(), __import__("time").sleep(60))
relay = wiring.current()
relay.following.refresh()
while moved := relay.collect.run():
    print(moved, flush=True)
"""


@pytest.fixture
def shop(application_url: str) -> Iterator[Engine]:
    """An application's database of each kind, with an outbox."""
    engine = create_engine(application_url)
    OUTBOX.create(engine)
    yield engine
    engine.dispose()


def url_of(engine: Engine) -> str:
    """Return the URL of an engine's database, password and all."""
    return engine.url.render_as_string(hide_password=False)


@contextmanager
def relay_of(directory: Path, database: str | None, *urls: str) -> Iterator[RunningRelay]:
    """A migrated relay that reads these databases."""
    relay = RunningRelay(directory, database=database)
    (directory / "data").mkdir()
    own = Database(relay.database)
    specs = [Spec(name=f"db{number}", url=SecretStr(url)) for number, url in enumerate(urls)]
    try:
        migrate(own)
        sealer = Sealer([relay.env["RELAY_SECRET_KEYS"]])
        store = ConfigurationStore(own, lambda: sealer, plugins.discover())
        store.replace(Configuration(databases=tuple(specs)), datetime.now(UTC))
        yield relay
    finally:
        own.dispose()
        relay.close()


def fill(engine: Engine, count: int, at: datetime | None = None) -> list[str]:
    """Commit events to an outbox and return their ids."""
    ids = [new_id() for _ in range(count)]
    row = {"source": "shop", "type": "orders.created", "data": '{"ü": 1}', "occurred_at": at or datetime.now(UTC)}
    with engine.begin() as connection:
        connection.execute(insert(OUTBOX), [{"id": one, "subject": f"orders/{one}", **row} for one in ids])
    return ids


def left(engine: Engine) -> int:
    """Return how many rows wait."""
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(OUTBOX)) or 0


def collect(relay: RunningRelay, *words: str) -> Child:
    """Start a process that collects until nothing waits; with `hang` it stops between storing and deleting."""
    output = relay.directory / f"{new_id()}.log"
    return Child([sys.executable, "-c", COLLECT, *words], output, env=relay.env, cwd=ROOT)


def finish(child: Child) -> None:
    """Wait for a process that collects."""
    assert child.process.wait(60) == 0, child.text


def events(relay: RunningRelay) -> Counter[str]:
    """Return how often each event is stored."""
    engine = create_engine(relay.database)
    with engine.connect() as connection:
        found = Counter(str(one) for one in connection.scalars(text("SELECT id FROM events")))
    engine.dispose()
    return found


@pytest.fixture
def own(request: pytest.FixtureRequest, shop: Engine) -> str | None:
    """The relay's own database: one like the shop's, where it can be, and PostgreSQL beside MariaDB."""
    return None if shop.dialect.name == "sqlite" else request.getfixturevalue("postgres").start().create_database()


def test_killed_between_storing_and_deleting(tmp_path: Path, shop: Engine, own: str | None):
    """Who dies after events are stored and before rows are deleted repeats none of them, and loses none."""
    ids = fill(shop, 1500)
    with relay_of(tmp_path / "relay", own, url_of(shop)) as relay:
        dying = collect(relay, "hang")
        dying.until(lambda: "stored" in dying.text)
        os.kill(dying.pid, signal.SIGKILL)
        dying.process.wait(10)
        assert left(shop) == 1500
        assert len(events(relay)) == 1000
        finish(collect(relay))
        assert events(relay) == Counter(ids)
    assert left(shop) == 0


def test_workers_that_read_together(tmp_path: Path, shop: Engine, own: str | None):
    """Workers of one relay share an outbox that is written meanwhile: each row is one event."""
    ids = fill(shop, 2000)
    with relay_of(tmp_path / "relay", own, url_of(shop)) as relay:
        workers = [collect(relay) for _ in range(2)]
        for _ in range(10):
            ids += fill(shop, 50)
        for worker in workers:
            finish(worker)
        finish(collect(relay))
        assert events(relay) == Counter(ids)
    assert left(shop) == 0


@pytest.mark.parametrize("application_url", ["postgresql", "mariadb"], indirect=True)
def test_relays_that_share_an_outbox(tmp_path: Path, shop: Engine):
    """Relays with databases of their own share what one outbox holds: no row is lost, none is twice in one of them."""
    ids = fill(shop, 3000)
    with (
        relay_of(tmp_path / "first", None, url_of(shop)) as first,
        relay_of(tmp_path / "second", None, url_of(shop)) as second,
    ):
        for child in [collect(first), collect(second)]:
            finish(child)
        stored = [events(first), events(second)]
    assert set(stored[0]) | set(stored[1]) == set(ids)
    assert all(set(one.values()) <= {1} for one in stored)
    assert left(shop) == 0


def test_many_databases(tmp_path: Path, pg_database: str, mariadb_database: str):
    """Databases of every kind are read by one relay; those that cannot be are named, and keep no other waiting."""
    engines = [create_engine(url) for url in (f"sqlite:///{tmp_path}/a.db", pg_database, mariadb_database)]
    ids = []
    for engine in engines:
        OUTBOX.create(engine)
        ids += fill(engine, 20, datetime.now(UTC) - timedelta(hours=1))
    broken = ("mysql+pymysql://root@127.0.0.1:1/shop", "oracle://h/d", "no url", f"sqlite:///{tmp_path}/absent.db")
    with relay_of(tmp_path / "relay", None, *map(url_of, engines), *broken) as relay:
        before = outboxes(relay)
        finish(collect(relay))
        assert events(relay) == Counter(ids)
        after = outboxes(relay)
    for engine in engines:
        engine.dispose()
    assert [before[f"outbox db{number}"][0] for number in range(7)] == [False] * 7
    assert all(before[f"outbox db{number}"][1].startswith("20 rows wait, the oldest for 36") for number in range(3))
    assert [after[f"outbox db{number}"] for number in range(3)] == [(True, "empty")] * 3
    assert "127.0.0.1" in after["outbox db3"][1]
    assert "oracle" in after["outbox db4"][1]
    assert "URL" in after["outbox db5"][1]
    assert "no file" in after["outbox db6"][1]


def outboxes(relay: RunningRelay) -> dict[str, tuple[bool, str]]:
    """Return what the doctor says of each outbox."""
    checks = json.loads(relay.cli("doctor", "--json").out)["checks"]
    return {one["check"]: (one["ok"], one["detail"]) for one in checks if one["check"].startswith("outbox")}


def restricted(engine: Engine, mariadb: MariaDB | None, rights: str) -> str:
    """Return the URL of a user who has no other rights than these on the outbox."""
    if mariadb is not None:
        name = engine.url.database or ""
        mariadb.execute("CREATE USER reader@127.0.0.1 IDENTIFIED BY 'pw:@/'", database=name)
        mariadb.execute(f"GRANT {rights} ON {name}.relay_outbox TO reader@127.0.0.1", database=name)
    else:
        with engine.begin() as connection:
            connection.execute(text("DROP ROLE IF EXISTS reader"))
            connection.execute(text("CREATE ROLE reader LOGIN"))
            connection.execute(text(f"GRANT {rights} ON relay_outbox TO reader"))
    return engine.url.set(username="reader", password="pw:@/").render_as_string(hide_password=False)


@pytest.mark.parametrize("application_url", ["postgresql", "mariadb"], indirect=True)
@pytest.mark.parametrize("rights", ["INSERT", "SELECT", "SELECT, DELETE"])
def test_rights(tmp_path: Path, shop: Engine, rights: str, request: pytest.FixtureRequest):
    """SELECT and DELETE are enough; with less the doctor is told what is missing, no event is lost or repeated."""
    mariadb = request.getfixturevalue("mariadb") if shop.dialect.name == "mysql" else None
    url = restricted(shop, mariadb, rights)
    ids = fill(shop, 1200)
    enough = rights == "SELECT, DELETE"
    outbox = Outbox("shop", Database(url, pool_size=1, foreign=True))
    try:
        with relay_of(tmp_path / "relay", None, url) as relay:
            if enough:
                assert outbox.lag().rows == 1200
            else:
                with pytest.raises(StoreUnavailable, match="denied"):
                    outbox.lag()
            finish(collect(relay))
            stored = events(relay)
    finally:
        outbox.close()
        if mariadb is not None:
            mariadb.execute("DROP USER reader@127.0.0.1")
        else:
            with shop.begin() as connection:
                connection.execute(text("DROP OWNED BY reader"))
                connection.execute(text("DROP ROLE reader"))
    assert len(stored) == {"INSERT": 0, "SELECT": 1000, "SELECT, DELETE": 1200}[rights]
    assert set(stored) <= set(ids)
    assert left(shop) == (0 if enough else 1200)


def test_a_relay_does_not_live_in_mariadb(tmp_path: Path):
    """The relay's own database is PostgreSQL or SQLite; another is refused in one line."""
    command = [sys.executable, "-m", "relay", "migrate"]
    env = {**os.environ, "RELAY_DATABASE_URL": "mysql+pymysql://h/d", "RELAY_DATA_DIR": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=env, check=False)
    assert done.returncode == 2
    assert "mysql" in done.stderr
    assert done.stderr.count("\n") == 1
