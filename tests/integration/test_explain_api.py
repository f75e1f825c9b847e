"""See before you send, over API and command line: explain, backtest, and a test message."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.relay import RunningRelay
from tests.support.sink import Sink
from tests.support.sink_server import Answer
from tests.support.valkey import Valkey

CONFIGURATION = """
[[targets]]
name = "billing"
kind = "http"
url = "{sink}/billing/hidden-in-the-path"
headers = {{ x-team = "hidden-team" }}

[[routes]]
name = "orders"
types = ["orders.*"]
to = ["billing", "user:{{{{ data.owner }}}}"]
"""
EVENT = {"type": "orders.paid", "source": "shop", "data": {"owner": "anna"}}


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory, sink_process: Sink) -> Iterator[RunningRelay]:
    """A relay with its web process, and no worker: nothing is sent but what these requests send."""
    broker = Valkey().start()
    relay = RunningRelay(tmp_path_factory.mktemp("explain"), broker=broker.url)
    try:
        relay.cli("migrate").succeeds()
        relay.start_web()
        relay.apply(CONFIGURATION.format(sink=sink_process.url(""))).succeeds()
        yield relay
    finally:
        relay.close()
        broker.stop()


def post(relay: RunningRelay, path: str, body: Any = None, status: int = 200) -> Any:
    """Post to the API; return what is answered."""
    answer = relay.http.post(f"{relay.base}/api/v1{path}", json=body)
    assert answer.status_code == status, answer.text
    assert (status == 200) is (answer.headers["content-type"] == "application/json")
    return answer.json()


def test_the_api_explains_as_the_command_does(relay: RunningRelay, sink: Sink) -> None:
    """An event, stored or given, is explained alike by both: its routes, and its messages without secrets."""
    stored = relay.cli("emit", "orders.paid", "--data", '{"owner": "anna"}').succeeds().out.strip()
    explained = post(relay, "/explain", {"event": stored})
    (route,), (message,) = explained["routes"], explained["messages"]
    assert route == {"route": "orders", "matched": True, "reason": "there is no person anna", "targets": ["billing"]}
    assert (message["target"], message["method"]) == ("billing", "POST")
    assert "hidden" not in json.dumps(explained)
    assert relay.json("explain", stored)["routes"] == explained["routes"]
    given = post(relay, "/explain", {"event": EVENT})
    assert given["routes"] == explained["routes"]
    cloud = {"specversion": "1.0", "id": "1", "source": "shop", "type": "orders.paid", "data": {"owner": "anna"}}
    assert post(relay, "/explain", {"event": cloud})["routes"] == explained["routes"]
    assert sink.count() == 0


def test_the_api_tries_a_route_as_the_command_does(relay: RunningRelay, sink: Sink) -> None:
    """A backtest over the API, and that of the same route in a file, say the same."""
    relay.cli("emit", "bills.paid", "--data", '{"total": 7}').succeeds()
    found = post(relay, "/explain", {"route": {"types": ["bills.*"], "to": ["billing"]}, "since": "1h", "limit": 5})
    assert (found["matched"], found["targets"], found["cut_short"]) == (1, {"billing": 1}, None)
    assert len(found["messages"]) == 1
    assert "hidden" not in json.dumps(found)
    (relay.directory / "route.toml").write_text('[[routes]]\nname = "r"\ntypes = ["bills.*"]\nto = ["billing"]\n')
    again = relay.json("backtest", "@route.toml", "--since", "1h")
    assert (again["matched"], again["targets"]) == (1, {"billing": 1})
    (relay.directory / "route.toml").write_text('types = ["bills.*"]\nto = ["billing"]\n')
    assert "1 -> billing" in relay.cli("backtest", "@route.toml").succeeds().out
    assert "there is no route nobody" in relay.cli("backtest", "nobody").fails(1)
    (relay.directory / "route.toml").write_text('to = ["biling"]\n')
    assert "to[0]" in relay.cli("backtest", "@route.toml").fails(2)
    assert sink.count() == 0


def test_a_test_message_is_sent_now(relay: RunningRelay, sink: Sink) -> None:
    """A target gets one message at once, and the attempt is returned, whatever came of it."""
    attempt = post(relay, "/targets/billing/test", {"text": "hello"})
    assert (attempt["outcome"], attempt["status"]) == ("delivered", 200)
    assert sink.count() == 1
    sink.on("/billing/hidden-in-the-path", Answer(400))
    refused = post(relay, "/targets/billing/test")
    assert (refused["outcome"], refused["status"]) == ("rejected", 400)
    assert "hidden" not in json.dumps([attempt, refused])
    post(relay, "/targets/nobody/test", status=404)
    post(relay, "/targets/billing/test", {"text": 7}, 400)


@pytest.mark.parametrize(
    ("body", "status", "why"),
    [
        ([], 400, "send"),
        ({}, 400, "send"),
        ({"event": EVENT, "route": {}}, 400, "send"),
        ({"event": EVENT, "since": "7d"}, 400, "since"),
        ({"event": "nobody"}, 404, "event"),
        ({"event": {"source": "shop"}}, 400, "event"),
        ({"event": 7}, 400, "event"),
        ({"route": {"to": ["nobody"]}}, 400, "route.to[0]"),
        ({"route": {"to": ["billing"], "when": "1 +"}}, 400, "route.when"),
        ({"route": "nobody"}, 404, "nobody"),
        ({"route": "orders", "since": "tomorrow"}, 400, "since"),
        ({"route": "orders", "since": 7}, 400, "since"),
        ({"route": "orders", "limit": 201}, 400, "limit"),
        ({"route": "orders", "limit": True}, 400, "limit"),
    ],
)
def test_what_cannot_be_explained_is_a_problem(relay: RunningRelay, body: Any, status: int, why: str) -> None:
    """A request that is wrong is a problem that names what is."""
    assert why in post(relay, "/explain", body, status)["detail"]


def test_the_token_is_needed(relay: RunningRelay, sink: Sink) -> None:
    """Without the API's token nothing is explained or sent."""
    for path in ("/explain", "/targets/billing/test"):
        answer = relay.http.post(f"{relay.base}/api/v1{path}", json={}, headers={"authorization": "Bearer wrong"})
        assert answer.status_code == 401
    assert sink.count() == 0
