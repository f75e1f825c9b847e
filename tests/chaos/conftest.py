"""A relay to be broken, on each kind of database, and what must be true of it whatever is broken."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.crowd import PATIENCE, Crowd
from tests.support.postgres import Postgres
from tests.support.processes import eventually
from tests.support.relay import RunningRelay
from tests.support.sink import Received, Sink
from tests.support.sink_server import Answer
from tests.support.valkey import Valkey

TARGETS = ("hook", "line")
CONCURRENCY = 64
CONFIGURATION = """
[[sources]]
name = "crowd"
verify = "cloudevents"

[[targets]]
name = "hook"
kind = "http"
url = "{sink}/hook"
timeout = "{timeout}"
{concurrency}
retry = {{ first = "100ms", factor = 1.5, max = "1s", attempts = 200 }}

[[targets]]
name = "line"
kind = "http"
url = "{sink}/line"
timeout = "{timeout}"
{concurrency}
order = "subject"
retry = {{ first = "100ms", factor = 1.5, max = "1s", attempts = 200 }}

[[routes]]
name = "all"
sources = ["crowd"]
types = ["crowd.*"]
to = ["hook", "line"]
"""


def configuration(sink: Sink, timeout: str = "10s", *, bounded: bool = True) -> str:
    """Return a relay.toml: every event of the crowd goes to two targets, to one of them in the order of its subject.

    All workers together send at most `CONCURRENCY` requests to a target at a time; each as many, unless `bounded`.
    """
    concurrency = f"concurrency = {CONCURRENCY}" if bounded else ""
    return CONFIGURATION.format(sink=sink.url(""), timeout=timeout, concurrency=concurrency)


@dataclass(frozen=True)
class Outcome:
    """What a load came to: how often each delivery was sent, by its webhook-id, and every request in its order."""

    requests: list[Received]

    @property
    def sent(self) -> Counter[str]:
        """How often each delivery was sent."""
        return Counter(one.headers["webhook-id"] for one in self.requests)

    @property
    def taken(self) -> Counter[str]:
        """How often each delivery was answered with a 2xx."""
        return Counter(one.headers["webhook-id"] for one in self.requests if one.status == 200)

    @property
    def repeated(self) -> set[str]:
        """What was sent more than once."""
        return {one for one, count in self.sent.items() if count > 1}


@dataclass(frozen=True)
class Ruin:
    """A relay, what it stands on, and the sink it delivers to."""

    relay: RunningRelay
    valkey: Valkey
    postgres: Postgres | None
    sink: Sink

    def crowd(self, answer: Answer | None = None) -> Crowd:
        """Return senders whose events nobody has seen yet; the sink answers them all like this."""
        for table in ("events", "deliveries", "attempts", "health"):
            self.relay.rows(f"DELETE FROM {table}")
        if answer is not None:
            self.sink.on("*", answer)
        return Crowd(self.relay)

    def moments(self, requests: int, times: int) -> Iterator[int]:
        """Yield so many times while so many requests come in, after an equal part of them each time."""
        for turn in range(1, times + 1):
            part = requests * turn // (times + 1)
            eventually(lambda part=part: self.sink.count() >= part, PATIENCE, what=f"{part} requests")
            yield turn

    def held(self) -> set[str]:
        """Return the webhook-ids of what workers hold: claimed, and not recorded yet."""
        rows = self.relay.rows("SELECT event_id, target FROM deliveries WHERE state = 'sending'")
        return {f"{event_id}_{target}" for event_id, target in rows}

    def open(self) -> set[str]:
        """Return the ids of all deliveries that are not over, and of the events that are not routed."""
        deliveries = "SELECT id FROM deliveries WHERE state IN ('pending', 'sending')"
        rows = self.relay.rows(f"{deliveries} UNION ALL SELECT id FROM events WHERE NOT routed")
        return {str(row[0]) for row in rows}

    def let_leases_end(self) -> None:
        """Let the time of every lease pass at once. For claims whose holders are dead."""
        past = datetime(2020, 1, 1, tzinfo=UTC)
        sqlite = self.relay.database.startswith("sqlite")
        told: Any = past.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if sqlite else past
        self.relay.rows("UPDATE deliveries SET lease_until = :past WHERE state = 'sending'", past=told)

    def kill_worker(self) -> set[str]:
        """Kill the only worker; return what it held, which is anybody's from now on."""
        self.relay.kill("worker")
        held = self.held()
        self.let_leases_end()
        return held

    def settle(self, crowd: Crowd, timeout: float = PATIENCE) -> Outcome:
        """Wait until nothing is on its way; return what came of it, having seen that nothing is lost or overtaken."""
        expected = {"delivered": len(TARGETS) * crowd.sent}

        def over() -> bool:
            states = dict(self.relay.rows("SELECT state, count(*) FROM deliveries GROUP BY state"))
            assert states == expected, states
            return True

        eventually(over, timeout, every=0.2, what="the last delivery")
        outcome = Outcome(self.sink.requests())
        wanted = {f"{event_id}_{target}" for event_id in crowd.ids.values() for target in TARGETS}
        lost = wanted - outcome.taken.keys()
        overtaken = self._overtaken(outcome)
        print(
            f"acknowledged {len(crowd.ids)}, wanted {len(wanted)}, requests {len(outcome.requests)}, lost {len(lost)}, "
            f"repeated {len(outcome.repeated)}, overtaken {len(overtaken)}, answers {dict(crowd.statuses)}, "
            f"broken connections {crowd.broken}"
        )
        assert len(set(crowd.ids.values())) == crowd.sent, "what senders repeat is one event"
        assert not lost
        assert outcome.sent.keys() == wanted, "nothing is sent that nobody was told is taken"
        assert not overtaken
        return outcome

    def _overtaken(self, outcome: Outcome) -> set[str]:
        """Return the subjects of the ordered target in which an event came before an earlier one was through."""
        place = {str(row[0]): (row[1], row[2]) for row in self.relay.rows("SELECT id, subject, seq FROM events")}
        arrived: dict[str, list[int]] = defaultdict(list)
        for one in outcome.requests:
            event_id, _, target = one.headers["webhook-id"].rpartition("_")
            if target == "line":
                subject, seq = place[event_id]
                arrived[subject].append(seq)
        # A repeat right after the first is no overtaking; one after a later event is.
        lines = {subject: [seq for seq, _ in groupby(seqs)] for subject, seqs in arrived.items()}
        return {subject for subject, seqs in lines.items() if seqs != sorted(set(seqs))}

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
    directory: Path = tmp_path_factory.mktemp(request.param)
    relay = RunningRelay(
        directory, database=postgres.create_database() if postgres else None, broker=broken_valkey.start().url
    )
    (directory / "relay.toml").write_text(configuration(sink_process.start()))
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


on_sqlite = pytest.mark.parametrize("standing", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("standing", ["postgresql"], indirect=True)
