"""Replays through the real processes: sent again under the same id, at a pace, visibly, until cancelled."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.postgres import Postgres
from tests.support.processes import eventually
from tests.support.relay import RunningRelay
from tests.support.sink import Sink
from tests.support.sink_server import Answer
from tests.support.valkey import Valkey

CONFIGURATION = """
[[targets]]
name = "billing"
kind = "http"
url = "{sink}/billing"
retry = ["10ms"]

[[targets]]
name = "audit"
kind = "http"
url = "{sink}/audit"

[[routes]]
name = "orders"
types = ["orders.*"]
to = ["billing"]
"""
AUDITED = """
[[routes]]
name = "audited"
types = ["orders.late"]
to = ["audit"]
"""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def relay(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sink_process: Sink
) -> Iterator[RunningRelay]:
    """A running relay with its own broker, on each database."""
    server: Postgres | None = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    url = server.start().create_database() if server else None
    broker = Valkey().start()
    relay = RunningRelay(tmp_path_factory.mktemp("replays"), database=url, broker=broker.url)
    try:
        relay.start_all()
        relay.apply(CONFIGURATION.format(sink=sink_process.url(""))).succeeds()
        yield relay
    finally:
        relay.close()
        broker.stop()
        if server and url:
            server.drop_database(url)


@pytest.fixture(autouse=True)
def _fresh_sink(sink: Sink) -> None:
    """A sink that takes everything, for each test."""


def emit(relay: RunningRelay, *types: str) -> list[str]:
    """Publish events; return their ids."""
    made = [
        {"specversion": "1.0", "id": f"{kind}-{number}", "source": "shop", "type": kind}
        for number, kind in enumerate(types)
    ]
    answer = relay.http.post(
        f"{relay.base}/api/v1/events", json=made, headers={"content-type": "application/cloudevents-batch+json"}
    )
    assert answer.status_code == 202, answer.text
    ids: list[str] = answer.json()["ids"]
    return ids


def replay(relay: RunningRelay, asked: Any, status: int = 202) -> Any:
    """Ask for a replay; return what is answered."""
    answer = relay.http.post(f"{relay.base}/api/v1/replays", json=asked)
    assert answer.status_code == status, answer.text
    return answer.json()


def ended(relay: RunningRelay, replay_id: str) -> Any:
    """Wait until nothing of a replay is open any more; return it."""

    def over() -> Any:
        shown = relay.get(f"/replays/{replay_id}")
        assert shown["state"] != "running", shown
        return shown

    return eventually(over, what="the end of the replay")


def test_dead_deliveries_are_sent_again(relay: RunningRelay, sink: Sink) -> None:
    """What died is delivered by a replay, under the event id and the webhook-id it had, and the replay says so."""
    sink.on("/billing", Answer(status=400))
    kinds = [f"orders.dead{number}" for number in range(3)]
    ids = emit(relay, *kinds)
    for event_id in ids:
        relay.settled(event_id, "billing", "dead")
    before = {request.headers["webhook-id"] for request in sink.requests("/billing")}
    sink.reset()

    started = replay(relay, {"filter": {"state": "dead", "type": "orders.dead*"}})
    assert started["count"] == 3
    shown = ended(relay, started["id"])
    assert (shown["state"], shown["count"], shown["delivered"], shown["rate"]) == ("done", 3, 3, None)
    again = sink.requests("/billing")
    assert {request.headers["webhook-id"] for request in again} == before
    assert {request.json()["id"] for request in again} == set(ids)
    assert relay.settled(ids[0], "billing")["attempts"] == 2


def test_an_event_reaches_targets_routed_since(relay: RunningRelay, sink: Sink) -> None:
    """Replaying an event sends its deliveries again, and to a target that a route has named since."""
    (event_id,) = emit(relay, "orders.late")
    relay.settled(event_id, "billing")
    relay.apply(CONFIGURATION.format(sink=sink.url("")) + AUDITED).succeeds()
    assert replay(relay, {"ids": [event_id]}) | {"id": ""} == {"id": "", "count": 1, "events": 1}
    relay.settled(event_id, "audit")
    eventually(lambda: len(sink.requests("/billing")) == 2)


def test_a_paced_replay_is_watched_and_cancelled(relay: RunningRelay, sink: Sink) -> None:
    """At one an hour the first is sent and the others wait, until cancelling; they are never sent."""
    ids = emit(relay, *(f"orders.slow{number}" for number in range(4)))
    for event_id in ids:
        relay.settled(event_id, "billing")
    sink.reset()

    done = relay.json("replay", "--type", "orders.slow*", "--rate", "1/h")
    assert done["count"] == 4
    eventually(lambda: relay.json("replays", done["id"])["delivered"] == 1)
    shown = relay.get(f"/replays/{done['id']}")
    assert (shown["state"], shown["pending"], shown["rate"]) == ("running", 3, "1/h")

    answer = relay.http.delete(f"{relay.base}/api/v1/replays/{done['id']}")
    assert answer.status_code == 200
    shown = answer.json()
    assert (shown["state"], shown["pending"], shown["cancelled"], shown["delivered"]) == ("cancelled", 0, 3, 1)
    assert len(sink.requests("/billing")) == 1
    last = relay.deliveries(ids[-1])["billing"]
    assert (last["state"], last["last_error"]) == ("cancelled", "its replay was cancelled")


def test_the_command_line_lists_and_cancels(relay: RunningRelay) -> None:
    """The commands tell the id and the count, list replays newest first, and cancel one."""
    (event_id,) = emit(relay, "orders.listed")
    relay.settled(event_id, "billing")
    told = relay.cli("replay", event_id, "--rate", "20/s").succeeds().out.strip()
    replay_id, _, words = told.partition("  ")
    assert words == "1 delivery is sent again, 1 event is routed again"
    ended(relay, replay_id)
    listed = relay.json("replays")["items"]
    assert listed[0]["id"] == replay_id
    assert (listed[0]["rate"], listed[0]["filter"]) == ("20/s", {"ids": [event_id]})
    assert replay_id in relay.cli("replays").succeeds().out
    assert "delivered" in relay.cli("replays", replay_id).succeeds().out
    # It is over: cancelling it changes nothing.
    assert relay.json("replays", replay_id, "--cancel")["state"] == "done"
    assert "name the replay" in relay.cli("replays", "--cancel").fails(2)
    assert "no replay" in relay.cli("replays", "nothing").fails(1)


def test_the_listing_has_pages(relay: RunningRelay) -> None:
    """Replays are listed newest first, page by page, each once."""
    made = [replay(relay, {"filter": {"type": f"none.{number}"}})["id"] for number in range(3)]
    walked = [shown["id"] for shown in relay.every("/replays", limit=2)]
    assert walked[:3] == made[::-1]
    assert len(walked) == len(set(walked))


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({}, "name what to replay"),
        ([], "name what to replay"),
        ({"ids": [], "filter": {}}, "name what to replay"),
        ({"ids": []}, "ids: a list"),
        ({"ids": ["42"]}, "ids: 42 is no id"),
        ({"ids": [7]}, "ids: 7 is no id"),
        ({"filter": {}}, "filter: an object"),
        ({"filter": {"state": 1}}, "filter: an object"),
        ({"filter": {"stat": "dead"}}, "unknown stat"),
        ({"filter": {"state": "asleep"}}, "state: one of"),
        ({"filter": {"since": "tomorrow"}}, "since: a time"),
        ({"filter": {"state": "dead"}, "rate": 20}, "rate: text"),
        ({"filter": {"state": "dead"}, "rate": "fast"}, "rate: a rate is"),
        ({"filter": {"state": "dead"}, "rate": "1/d"}, "rate: 1/h or more"),
        ({"filter": {"state": "dead"}, "speed": "20/s"}, "unknown key speed"),
    ],
)
def test_what_cannot_be_read_is_refused(relay: RunningRelay, asked: Any, told: str) -> None:
    """A request that is wrong is a 400 that names what is wrong, and starts nothing."""
    newest = next(relay.every("/replays"), None)
    problem = replay(relay, asked, 400)
    assert told in problem["detail"]
    assert next(relay.every("/replays"), None) == newest


def test_what_is_not_there_is_not_found(relay: RunningRelay) -> None:
    """Ids of nothing are a 404, whether events, deliveries or replays."""
    nothing = "018f0000-0000-7000-8000-000000000000"
    replay(relay, {"ids": [nothing]}, 404)
    for path in (nothing, "nothing"):
        assert relay.http.get(f"{relay.base}/api/v1/replays/{path}").status_code == 404
        assert relay.http.delete(f"{relay.base}/api/v1/replays/{path}").status_code == 404
    relay.cli("replay", nothing).fails(1)
    relay.cli("replay").fails(2)
    relay.cli("replay", "--state", "dead", "--rate", "0/s").fails(2)
