"""A burst of changes to one space, through the real processes: told within a minute, in few messages, none lost.

The space is the sandbox, which refuses whatever comes faster than Google Chat takes it.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.postgres import Postgres
from tests.support.processes import eventually
from tests.support.relay import RunningRelay
from tests.support.valkey import Valkey

pytestmark = pytest.mark.chaos

BURST = 3000
WITHIN = 60
"""Seconds after which all of it is told."""
MESSAGES = 40

CONFIGURATION = """
[[targets]]
name = "room"
kind = "google_chat"
url = "{base}/sandbox/v1/spaces/{space}/messages?key=any&token=any"

[[routes]]
name = "changes"
types = ["orders.*"]
to = ["room"]
"""
_COUNTED = re.compile(r"([\d,]+) changes from ")


@pytest.fixture(params=["sqlite", "postgresql"])
def relay(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[RunningRelay]:
    """A running relay with a sandbox and two worker processes, on each database."""
    server: Postgres | None = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    url = server.start().create_database() if server else None
    broker = Valkey().start()
    relay = RunningRelay(tmp_path, database=url, broker=broker.url)
    relay.env["RELAY_SANDBOX"] = "true"
    try:
        relay.start_all()
        relay.apply(CONFIGURATION.format(base=relay.base, space="storm")).succeeds()
        yield relay
    finally:
        relay.close()
        broker.stop()
        if server and url:
            server.drop_database(url)


def burst(relay: RunningRelay, count: int, first: int = 0) -> None:
    """Publish changes of so many rows, numbered from the first on, as fast as they are taken."""
    now = datetime.now(UTC).isoformat()
    for start in range(first, first + count, 1000):
        batch = [
            {
                "specversion": "1.0",
                "id": str(number),
                "source": "shop",
                "type": "orders.updated",
                "time": now,
                "subject": f"orders/{number}",
                "data": {"before": {"status": "new"}, "after": {"status": "paid"}, "changed": ["status"], "meta": {}},
            }
            for number in range(start, min(start + 1000, first + count))
        ]
        headers = {"content-type": "application/cloudevents-batch+json"}
        answer = relay.http.post(f"{relay.base}/api/v1/events", data=json.dumps(batch), headers=headers, timeout=30)
        assert answer.status_code == 202, answer.text


def told(relay: RunningRelay) -> list[int]:
    """How many changes each message in the space tells, by its own words."""
    shown = relay.http.get(f"{relay.base}/sandbox/api/messages", params={"space": "storm"}, timeout=10).json()
    titles = [message["cardsV2"][0]["card"]["header"]["title"] for message in shown["messages"]]
    counted = [_COUNTED.match(title) for title in titles]
    return [int(found[1].replace(",", "")) if found else 1 for found in counted]


def settle(relay: RunningRelay, count: int) -> Counter[str]:
    """Wait until all of a burst is told; return how many deliveries came to which end."""

    def over() -> Counter[str]:
        rows = relay.rows("SELECT state, count(*) FROM deliveries WHERE finished_at IS NOT NULL GROUP BY state")
        ended = Counter({str(state): number for state, number in rows})
        assert ended.total() == count, ended
        return ended

    return eventually(over, WITHIN, every=0.2, what="the last message")


def outcomes(relay: RunningRelay) -> Counter[str]:
    """How many attempts came to what."""
    return Counter(
        {str(name): number for name, number in relay.rows("SELECT outcome, count(*) FROM attempts GROUP BY outcome")}
    )


def test_a_burst_is_told_in_time(relay: RunningRelay) -> None:
    """Three thousand changes to one space at a request a second: told in time, none lost, none refused for haste."""
    burst(relay, BURST)
    ended = settle(relay, BURST)
    counted = told(relay)
    print(f"messages {len(counted)}: {counted}, attempts {dict(outcomes(relay))}")
    assert ended.keys() == {"delivered", "folded"}
    assert sum(counted) == BURST
    assert len(counted) == ended["delivered"] <= MESSAGES
    assert outcomes(relay) == {"delivered": len(counted)}


def test_a_worker_dies_in_a_burst(relay: RunningRelay) -> None:
    """Killed in the middle, again and again: each change is told, and no message but those under way comes twice."""
    kills, size, held = 3, 400, 0
    for number in range(kills):
        burst(relay, size, number * size)
        eventually(lambda: relay.rows("SELECT id FROM deliveries WHERE state = 'sending'"), what="a claim")
        relay.kill("worker")
        held += len(relay.rows("SELECT id FROM deliveries WHERE state = 'sending'"))
        let_leases_end(relay)
        relay.start_worker()
    ended = settle(relay, kills * size)
    riders = relay.rows("SELECT count(*) FROM deliveries WHERE folded_into IS NOT NULL GROUP BY folded_into")
    counted = told(relay)
    print(f"messages {len(counted)}: {counted}, under way when killed {held}")
    assert ended.keys() <= {"delivered", "folded"}
    wanted = Counter(1 + row[0] for row in riders)
    wanted[1] += ended["delivered"] - len(riders)
    assert not wanted - Counter(counted), "a message that was recorded is in the space"
    assert len(counted) <= ended["delivered"] + held
    assert sum(counted) <= kills * size + held, "what is sent once more is what was under way alone"


@pytest.mark.parametrize("relay", ["postgresql"], indirect=True)
def test_the_database_dies_in_a_burst(relay: RunningRelay, postgres: Postgres) -> None:
    """PostgreSQL is killed while messages fold: once it is back, each change is told in the message that has it."""
    burst(relay, 1500)
    eventually(lambda: told(relay), what="a message")
    postgres.kill()
    postgres.start()
    ended = settle(relay, 1500)
    counted = told(relay)
    print(f"messages {len(counted)}: {counted}")
    assert ended.keys() == {"delivered", "folded"}
    # A result that could not be stored is kept until it can be; the very same message is shown once.
    assert sum(counted) == 1500


def let_leases_end(relay: RunningRelay) -> None:
    """Let the time of a lease pass at once, for claims whose holder is dead."""
    lapsed = datetime(2020, 1, 1, tzinfo=UTC)
    past: Any = lapsed.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if relay.database.startswith("sqlite") else lapsed
    relay.rows("UPDATE deliveries SET lease_until = :past WHERE state = 'sending'", past=past)
