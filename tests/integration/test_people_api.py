"""People over API and command line, before a relay that runs."""

from collections.abc import Iterator

import pytest

from tests.support.processes import eventually
from tests.support.relay import RunningRelay
from tests.support.sink import Sink
from tests.support.valkey import Valkey

ANNA = "anna@shop.example"
CONFIGURATION = """
[[routes]]
name = "owners"
to = ["user:{{ data.owner }}"]
"""


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory, sink_process: Sink) -> Iterator[RunningRelay]:
    """A running relay with its own broker."""
    broker = Valkey().start()
    relay = RunningRelay(tmp_path_factory.mktemp("people"), broker=broker.url)
    try:
        relay.start_all()
        relay.apply(CONFIGURATION).succeeds()
        yield relay
    finally:
        relay.close()
        broker.stop()


def test_a_person_is_told_where_they_are(relay: RunningRelay, sink: Sink) -> None:
    """Workers follow who has which place: given by API, changed by command, taken away by API."""
    path = f"{relay.base}/api/v1/people/{ANNA}"
    given = relay.http.put(path, json={"kind": "http", "url": sink.url("/hidden-first")})
    assert given.status_code == 200, given.text
    assert given.json()["name"] == ANNA
    relay.cli("emit", "orders.paid", "--data", f'{{"owner": "{ANNA}"}}').succeeds()
    eventually(lambda: sink.requests("/hidden-first"))
    url = {"PLACE": sink.url("/hidden-second")}
    options = [f"--option={one}" for one in ("url=env:PLACE", "concurrency=2", 'headers={"x-team": "hidden-team"}')]
    relay.cli("people-set", ANNA.upper(), "--kind", "http", *options, env=url).succeeds()
    relay.cli("emit", "orders.paid", "--data", f'{{"owner": "{ANNA}"}}').succeeds()
    eventually(lambda: sink.requests("/hidden-second"))
    shown = relay.http.get(path).text + relay.cli("people", "--json").succeeds().out + relay.cli("people").out
    assert ANNA in shown
    assert "hidden" not in shown
    assert [one["target"] for one in relay.get("/deliveries", state="delivered")["items"]] == [f"user:{ANNA}"] * 2
    assert relay.http.delete(path).status_code == 204
    assert relay.http.delete(path).status_code == relay.http.get(path).status_code == 404
    assert relay.get("/people")["items"] == []


def test_a_bad_place_is_a_problem(relay: RunningRelay) -> None:
    """What is wrong with a place is a 400 that names the key, and exit status 2 of the command."""
    for body in ({"kind": "http"}, {"kind": "http", "url": "env:SECRET"}, [], {"kind": 7}):
        answer = relay.http.put(f"{relay.base}/api/v1/people/{ANNA}", json=body)
        assert answer.status_code == 400, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
    assert "url: is missing" in relay.cli("people-set", "anna", "--kind", "http").fails(2)
    for option in ("url", "=x", "headers={"):
        assert "--option" in relay.cli("people-set", "anna", "--kind", "http", f"--option={option}").fails(2)
    assert "nobody" in relay.cli("people-remove", "nobody").fails(1)
    assert relay.get("/people")["items"] == []
    nameless = {"authorization": "Bearer wrong"}
    assert relay.http.get(f"{relay.base}/api/v1/people", headers=nameless).status_code == 401
