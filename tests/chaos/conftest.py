"""A relay to be broken, on each kind of database, and a crowd of senders that do what senders do: try again."""

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from tests.support.postgres import Postgres
from tests.support.processes import eventually
from tests.support.relay import RunningRelay
from tests.support.sink import Sink
from tests.support.valkey import Valkey

SENDERS = 6
PATIENCE = 60

CONFIGURATION = """
[[sources]]
name = "crowd"
verify = "none"

[[targets]]
name = "hook"
kind = "http"
url = "{hook}"
timeout = "10s"
concurrency = 64
retry = {{ first = "100ms", factor = 1.5, max = "1s", attempts = 200 }}

[[routes]]
name = "all"
sources = ["crowd"]
types = ["crowd.*"]
to = ["hook"]
"""


@dataclass
class Crowd:
    """What the senders were told: the id of every event that was acknowledged, by its number, and every status."""

    relay: RunningRelay
    ids: dict[int, str] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)
    refusals: list[requests.Response] = field(default_factory=list)
    broken: int = 0
    _of_thread: threading.local = field(default_factory=threading.local)

    def send(self, numbers: Sequence[int]) -> None:
        """Send these events, each until it is acknowledged."""
        with ThreadPoolExecutor(SENDERS) as pool:
            list(pool.map(self._send, numbers))

    def _send(self, number: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if (answer := self._try(number)) is None:
                self.broken += 1
            else:
                self.statuses[answer.status_code] += 1
                if answer.status_code in (200, 202):
                    self.ids[number] = answer.json()["id"]
                    return
                self.refusals.append(answer)
            time.sleep(0.05)
        raise AssertionError(f"event {number} was never taken")

    def _try(self, number: int) -> requests.Response | None:
        session = getattr(self._of_thread, "session", None)
        if session is None:
            session = self._of_thread.session = requests.Session()
        try:
            answer: requests.Response = session.post(
                f"{self.relay.base}/in/crowd",
                json={"n": number},
                headers={"idempotency-key": str(number), "x-event-type": "crowd.spoke"},
                timeout=20,
            )
        except requests.RequestException:
            return None
        return answer


@dataclass(frozen=True)
class Ruin:
    """A relay, what it stands on, and the sink it delivers to."""

    relay: RunningRelay
    valkey: Valkey
    postgres: Postgres | None
    sink: Sink

    def crowd(self) -> Crowd:
        """Return senders whose events nobody has seen yet."""
        for table in ("events", "deliveries", "attempts"):
            self.relay.rows(f"DELETE FROM {table}")
        return Crowd(self.relay)

    def received(self) -> Counter[str]:
        """Return how often each event reached the sink, by its id."""
        return Counter(one.headers["webhook-id"].removesuffix("_hook") for one in self.sink.requests("/hook"))

    def sending(self) -> set[str]:
        """Return the events that a worker holds: claimed, and not recorded yet."""
        return {str(row[0]) for row in self.relay.rows("SELECT event_id FROM deliveries WHERE state = 'sending'")}

    def let_leases_end(self) -> None:
        """Let the time of a lease pass at once, for claims whose holder is dead."""
        past = datetime(2020, 1, 1, tzinfo=UTC)
        sqlite = self.relay.database.startswith("sqlite")
        told: Any = past.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if sqlite else past
        self.relay.rows("UPDATE deliveries SET lease_until = :past WHERE state = 'sending'", past=told)

    def settle(self, crowd: Crowd, timeout: float = PATIENCE) -> Counter[str]:
        """Wait until nothing is on its way; return how often each event was sent, having seen that none is lost."""

        def over() -> bool:
            states = dict(self.relay.rows("SELECT state, count(*) FROM deliveries GROUP BY state"))
            assert states == {"delivered": len(crowd.ids)}, states
            return True

        eventually(over, timeout, every=0.2, what="the last delivery")
        received = self.received()
        stored = {str(row[0]) for row in self.relay.rows("SELECT id FROM events")}
        lost = set(crowd.ids.values()) - received.keys()
        repeated = {event_id for event_id, count in received.items() if count > 1}
        print(
            f"acknowledged {len(crowd.ids)}, stored {len(stored)}, received {len(received)}, lost {len(lost)}, "
            f"repeated {len(repeated)}, answers {dict(crowd.statuses)}, broken connections {crowd.broken}"
        )
        assert not lost
        assert set(crowd.ids.values()) == stored == received.keys()
        return received

    def repair(self) -> None:
        """Start again whatever does not run."""
        self.valkey.start()
        if self.postgres is not None:
            self.postgres.start()
        running = {name for name, child in self.relay.children.items() if child.running}
        if "worker" not in running:
            self.relay.start_worker()
        if "beat" not in running:
            self.relay.start_beat()
        if "web" not in running:
            self.relay.start_web()


@pytest.fixture(scope="package")
def broken_valkey() -> Iterator[Valkey]:
    """A Valkey that forgets everything when it is killed."""
    server = Valkey().start()
    yield server
    server.stop()


@pytest.fixture(scope="package", params=["sqlite", "postgresql"])
def standing(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    sink_process: Sink,
    broken_valkey: Valkey,
) -> Iterator[Ruin]:
    """The relay, for all tests on this kind of database."""
    postgres: Postgres | None = None
    if request.param == "postgresql":
        postgres = request.getfixturevalue("postgres")
        assert postgres is not None
        postgres.start()
    directory = tmp_path_factory.mktemp(request.param)
    relay = RunningRelay(
        directory, database=postgres.create_database() if postgres else None, broker=broken_valkey.start().url
    )
    hook = sink_process.start().url("/hook")
    (directory / "relay.toml").write_text(CONFIGURATION.format(hook=hook))
    try:
        relay.start_all()
        yield Ruin(relay, broken_valkey, postgres, sink_process)
    finally:
        relay.close()
        if postgres is not None:
            postgres.start()


@pytest.fixture
def ruin(standing: Ruin) -> Ruin:
    """The relay, whole again, and a sink that received nothing."""
    standing.sink.start().reset()
    standing.repair()
    return standing
