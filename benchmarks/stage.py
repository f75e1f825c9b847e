"""What benchmarks play on: real servers, real workers, and a sink that counts."""

import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from relay.config import Settings
from relay.domain.event import Event, encode, new_id
from relay.secrets import Sealer
from relay.store.migrate import migrate
from relay.wiring import Relay
from tests.support.postgres import Postgres
from tests.support.processes import HOST, Child
from tests.support.sink import Sink
from tests.support.valkey import Valkey

ROOT = Path(__file__).parents[1]
PROCESSES = 2
LOOK_EVERY = 0.03
GIVE_UP = 120.0
"""Seconds without one more request after which a benchmark fails."""

_LEAN = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=WARNING")


@dataclass(frozen=True, slots=True)
class Stage:
    """The servers of one benchmark, and a directory for what its processes write."""

    postgres: Postgres
    valkey: Valkey
    sink: Sink
    directory: Path

    @contextmanager
    def relay(self, toml: str, *, sqlite: bool = False) -> Iterator[Relay]:
        """Yield a relay on a fresh database, with this configuration in force."""
        folder = Path(tempfile.mkdtemp(dir=self.directory))
        settings = Settings(
            data_dir=folder,
            database_url=f"sqlite:///{folder / 'relay.sqlite3'}" if sqlite else self.postgres.create_database(),
            broker_url=self.valkey.url,
            secret_keys=(Sealer.new_key(),),
            egress_allow=(HOST,),
        )
        relay = Relay(settings)
        self.valkey.flush()
        migrate(relay.database)
        relay.configurator.apply_text(toml, "benchmark.toml")
        try:
            yield relay
        finally:
            relay.database.dispose()
            if not sqlite:
                self.postgres.drop_database(settings.database)

    def python(self, *arguments: str, env: Mapping[str, str]) -> Child:
        """Start this Python with these arguments; its output goes to a file."""
        return Child([sys.executable, *arguments], self.directory / "output", env=env, cwd=ROOT)

    def worker(self, app: str, env: Mapping[str, str]) -> Child:
        """Start a Celery worker of two processes."""
        pool = ("--pool=prefork", f"--concurrency={PROCESSES}")
        return self.python("-m", "celery", "-A", app, "--quiet", "worker", *pool, *_LEAN, env=env)

    def rate(self, count: int) -> float:
        """Return the requests a second: `count` of them, since the sink was last seen with none.

        Raises `TimeoutError` when no more come.
        """
        before, seen, deadline = time.monotonic(), 0, time.monotonic() + GIVE_UP
        while True:
            counted, now = self.sink.count(), time.monotonic()
            if counted >= count:
                return count / (now - before)
            if counted == 0:
                before = now
            if counted > seen:
                seen, deadline = counted, now + GIVE_UP
            if now > deadline:
                raise TimeoutError(f"{counted} of {count} requests:\n{(self.directory / 'output').read_text()[-2000:]}")
            time.sleep(LOOK_EVERY)


@contextmanager
def stage(*, record: bool = False) -> Iterator[Stage]:
    """Yield running servers; `record` lets the sink keep each request with the time it came."""
    with ExitStack() as stack:
        directory = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-", ignore_cleanup_errors=True))
        )
        servers = Postgres(), Valkey(), Sink(record=record)
        for server in servers:
            stack.callback(server.stop)
            server.start()
        yield Stage(*servers, directory)


def environment(relay: Relay) -> dict[str, str]:
    """Return the variables under which another process is this relay."""
    settings = relay.settings
    return {
        "RELAY_DATA_DIR": str(settings.data_dir),
        "RELAY_DATABASE_URL": settings.database,
        "RELAY_BROKER_URL": settings.broker,
        "RELAY_SECRET_KEYS": ",".join(settings.secret_keys),
        "RELAY_EGRESS_ALLOW": ",".join(settings.egress_allow),
        "RELAY_LOG": "json",
    }


def targets(sink: Sink, count: int) -> str:
    """Return a configuration of so many HTTP targets, each with a route for events of its own type."""
    return "\n".join(
        f'[[targets]]\nname = "t{number}"\nkind = "http"\nurl = "{sink.url(f"/t{number}")}"\n'
        f'[[routes]]\nname = "r{number}"\ntypes = ["t{number}.updated"]\nto = ["t{number}"]\n'
        for number in range(count)
    )


def data(number: int) -> dict[str, object]:
    """Return what an event tells: a row of a dozen columns before and after."""
    row = {"id": number, "status": "new", **{f"column_{place}": "some words" for place in range(8)}}
    return {"before": row, "after": {**row, "status": "paid"}, "changed": ["status"], "meta": {"actor": "ana"}}


def fill(relay: Relay, count: int, types: int) -> None:
    """Store events of `types` types in turns and route them: one delivery each."""
    for start in range(0, count, 1000):
        now = datetime.now(UTC)
        numbers = range(start, min(start + 1000, count))
        relay.events.add([_event(number, f"t{number % types}.updated", now) for number in numbers])
        while relay.fan_out.run()[0]:
            pass


def _event(number: int, kind: str, now: datetime) -> Event:
    return Event(new_id(), "shop", kind, now, now, encode(data(number)), subject=f"orders/{number}")
