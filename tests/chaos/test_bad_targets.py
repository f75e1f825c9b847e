"""Targets that misbehave: each attempt ends, says how, and keeps nobody else waiting."""

import json
from typing import Any

import pytest

from tests.chaos.conftest import CONCURRENCY, TARGETS, Ruin, configuration, on_postgresql
from tests.chaos.crowd import ALONE, envelope
from tests.support.sink_server import Answer

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

MANNERS: dict[str, str] = {
    "garbage": "protocol",
    "close": "reset",
    "truncate": "reset",
    "reset": "reset",
    "stream": "too_large",
    "headers": "too_large",
    "drip": "timeout",
    "hang": "timeout",
}
TARGET = """
[[targets]]
name = "{name}"
kind = "http"
url = "{url}"
timeout = "2s"
retry = []
"""
ROUTE = """
[[routes]]
name = "bad"
types = ["bad.*"]
to = {targets}
"""


@on_postgresql
def test_bad_targets(ruin: Ruin) -> None:
    """Garbage, early ends, bodies and headers without end, silence, nobody there, a private address: one attempt each.

    A good target of the same event has it before the slowest of them is through.
    """
    urls = {name: ruin.sink.url(f"/{name}") for name in MANNERS}
    expected = MANNERS | {"nobody": "refused", "private": "blocked", "redirect": "rejected", "unknown": "dns"}
    for name in MANNERS:
        manner: Any = name
        ruin.sink.on(f"/{name}", Answer(manner=manner))
    ruin.sink.on("/redirect", Answer(status=302, headers={"location": ruin.sink.url("/hook")}))
    urls |= {
        "nobody": "http://127.0.0.1:1/",
        "private": "http://169.254.169.254/latest/",
        "redirect": ruin.sink.url("/redirect"),
        "unknown": "http://nowhere.invalid/",
    }
    before = configuration(ruin.sink)
    targets = "".join(TARGET.format(name=name, url=url) for name, url in urls.items())
    ruin.relay.apply(before + targets + ROUTE.format(targets=["hook", *urls])).succeeds()
    event_id = ruin.relay.post("crowd", json.dumps(envelope(0, "bad.luck")), ALONE).json()["id"]
    ruin.relay.settled(event_id, "hook")
    for name, outcome in expected.items():
        delivery = ruin.relay.settled(event_id, name, "dead")
        (attempt,) = ruin.relay.get(f"/deliveries/{delivery['id']}/attempts")["items"]
        assert (name, attempt["outcome"]) == (name, outcome)
        assert delivery["last_error"] == attempt["error"] != ""
        assert "127.0.0.1" not in attempt["error"]
    assert [one.path for one in ruin.sink.requests()].count("/hook") == 1, "a redirect is not followed"
    ruin.relay.apply(before).succeeds()


# Less than what opens a circuit: it is not this one's business.
MOODS: dict[int | str, float] = {500: 0.08, 429: 0.08, 503: 0.02, "reset": 0.05, "truncate": 0.05, "close": 0.02}
EVENTS = 5_000


@on_postgresql
def test_a_moody_sink(ruin: Ruin) -> None:
    """It answers 500 or 429, breaks off, or hangs, at random: each event is taken once, and none again after that."""
    ruin.relay.apply(configuration(ruin.sink, timeout="2s")).succeeds()
    crowd = ruin.crowd(Answer(shares=MOODS | {"hang": 0.002}))
    crowd.publish(range(EVENTS))
    outcome = ruin.settle(crowd)
    ruin.relay.apply(configuration(ruin.sink)).succeeds()
    print(f"requests {len(outcome.requests)}, taken {outcome.taken.total()}")
    assert outcome.taken.total() == 2 * EVENTS
    assert len(outcome.requests) > 2 * EVENTS * 1.2


@on_postgresql
def test_a_sink_that_goes_away(ruin: Ruin) -> None:
    """Twice under load every connection breaks, and new ones are refused: all of it arrives, and nothing more often.

    But what was on its way when they broke: nobody can know what became of it.
    """
    crowd = ruin.crowd(Answer(delay=0.02))
    crowd.publish(range(EVENTS))
    for _ in ruin.moments(2 * EVENTS, 2):
        ruin.sink.refuse(1.0)
    outcome = ruin.settle(crowd)
    assert outcome.sent.total() <= 2 * EVENTS + 2 * len(TARGETS) * CONCURRENCY
