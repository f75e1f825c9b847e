"""Targets as operators see them: paused and resumed by command and by API, and never a secret shown."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from relay.store.database import Database
from relay.store.health import HealthStore
from tests.support.processes import eventually
from tests.support.relay import RunningRelay
from tests.support.sink import Sink
from tests.support.valkey import Valkey

SECRETS = ("hidden-in-the-path", "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0", "team-secret", "key-of-the-room")

CONFIGURATION = f"""
[[targets]]
name = "billing"
kind = "http"
url = "{{sink}}/billing/{SECRETS[0]}"
secret = "whsec_{SECRETS[1]}"
headers = {{{{ x-team = "{SECRETS[2]}" }}}}
rate = "50/s"

[[targets]]
name = "ops-room"
kind = "google_chat"
url = "{{sink}}/v1/spaces/OPS/messages?key={SECRETS[3]}&token=t-{SECRETS[3]}"

[[routes]]
name = "orders"
types = ["orders.*"]
to = ["billing"]
"""


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory, sink_process: Sink) -> Iterator[RunningRelay]:
    """A running relay with its own broker."""
    broker = Valkey().start()
    relay = RunningRelay(tmp_path_factory.mktemp("targets"), broker=broker.url)
    try:
        relay.start_all()
        relay.apply(CONFIGURATION.format(sink=sink_process.url(""))).succeeds()
        yield relay
    finally:
        relay.close()
        broker.stop()


@pytest.fixture(autouse=True)
def _resumed(relay: RunningRelay, sink: Sink) -> Iterator[None]:
    """Leave no target paused, and begin with a sink that takes everything."""
    yield
    post(relay, "/targets/billing/resume")


def post(relay: RunningRelay, path: str, body: Any = None, status: int = 200) -> Any:
    """Post to the API; return what is answered."""
    answer = relay.http.post(f"{relay.base}/api/v1{path}", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_a_paused_target_keeps_its_deliveries(relay: RunningRelay, sink: Sink) -> None:
    """While a target is paused nothing is sent to it and what comes waits; resuming sends all of it."""
    paused = post(relay, "/targets/billing/pause", {"reason": "they move house"})
    assert (paused["state"], paused["paused"]) == ("paused", "they move house")
    ids = [relay.cli("emit", "orders.paid").succeeds().out.strip() for _ in range(3)]
    eventually(lambda: relay.get("/targets/billing")["waiting"] == 3)
    assert sink.requests() == []
    assert {relay.deliveries(event_id)["billing"]["state"] for event_id in ids} == {"pending"}

    resumed = post(relay, "/targets/billing/resume")
    assert (resumed["state"], resumed["paused"]) == ("on", None)
    for event_id in ids:
        relay.settled(event_id, "billing")
    assert relay.get("/targets/billing")["waiting"] == 0


def test_the_commands(relay: RunningRelay) -> None:
    """`relay pause`, `resume` and `targets` do the same, say what is so, and may be said twice."""
    assert "paused: too loud" in relay.cli("pause", "billing", "--reason", "too loud").succeeds().out
    assert relay.json("pause", "billing", "--reason", "another")["paused"] == "too loud"
    billing, room = relay.json("targets")["items"]
    assert (billing["name"], billing["kind"], billing["state"], billing["paused"]) == (
        "billing",
        "http",
        "paused",
        "too loud",
    )
    assert (room["name"], room["state"], room["paused"], room["circuit"]) == ("ops-room", "on", None, "closed")
    assert "too loud" in relay.cli("targets").succeeds().out
    assert "billing is on" in relay.cli("resume", "billing").succeeds().out
    assert relay.json("resume", "billing")["state"] == "on"
    assert relay.json("pause", "billing")["paused"] == "by hand"


def test_resuming_closes_the_circuit(relay: RunningRelay) -> None:
    """Resuming forgets what a target did before: it is tried again at once, and not paused at its next failure."""
    database = Database(relay.database)
    try:
        HealthStore(database).record({"billing": [False] * 10}, datetime.now(UTC))
        assert relay.get("/targets/billing")["circuit"] == "open"
        assert relay.json("resume", "billing")["circuit"] == "closed"
        assert HealthStore(database).load() == {}
    finally:
        database.dispose()


def test_no_secret_is_shown(relay: RunningRelay) -> None:
    """Options are shown, but neither URLs nor keys nor headers, nor any part of them."""
    shown = relay.http.get(f"{relay.base}/api/v1/targets").text + relay.cli("targets", "--json").succeeds().out
    shown += relay.http.get(f"{relay.base}/api/v1/targets/billing").text
    assert not [secret for secret in SECRETS if secret in shown]
    options = relay.get("/targets/billing")["options"]
    assert (options["rate"], options["timeout"], options["order"]) == ("50/s", "15s", "none")
    assert "name" not in options


@pytest.mark.parametrize("path", ["/targets/nobody", "/targets/nobody/pause", "/targets/nobody/resume"])
def test_an_unknown_target_is_not_found(relay: RunningRelay, path: str) -> None:
    """A target that the configuration does not name is a 404, and exit status 1 of a command."""
    method = "GET" if path.endswith("nobody") else "POST"
    answer = relay.http.request(method, f"{relay.base}/api/v1{path}")
    assert answer.status_code == 404
    assert "nobody" in answer.json()["detail"]
    word = path.rpartition("/")[2]
    if word != "nobody":
        assert "nobody" in relay.cli(word, "nobody").fails(1)


@pytest.mark.parametrize("body", [[], {"reason": 7}, {"why": "because"}, {"reason": "x" * 501}, {"reason": "\0"}])
def test_a_reason_that_cannot_be_read_is_refused(relay: RunningRelay, body: Any) -> None:
    """A body that is no reason is a 400, and nothing is paused."""
    post(relay, "/targets/billing/pause", body, 400)
    assert relay.get("/targets/billing")["state"] == "on"


def test_the_token_is_needed(relay: RunningRelay) -> None:
    """Without the API's token nothing of this is shown or done."""
    nameless = {"authorization": "Bearer wrong"}
    for method, path in (("GET", "/targets"), ("POST", "/targets/billing/pause"), ("POST", "/replays")):
        assert relay.http.request(method, f"{relay.base}/api/v1{path}", headers=nameless).status_code == 401
    assert relay.get("/targets/billing")["state"] == "on"
