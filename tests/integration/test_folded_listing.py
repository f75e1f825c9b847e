"""What one message told, as the API and the command line show it: through the real processes."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.support.processes import eventually
from tests.support.relay import RunningRelay
from tests.support.sink import Sink
from tests.support.valkey import Valkey

COUNT = 12
CONFIGURATION = """
[[targets]]
name = "room"
kind = "google_chat"
url = "{sink}/v1/spaces/AAA/messages?key=k&token=t"
rate = "50/s"

[[routes]]
name = "orders"
types = ["orders.*"]
to = ["room"]
"""


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory, sink_process: Sink) -> Iterator[RunningRelay]:
    """A running relay whose space was paused while twelve events came: one message told them all."""
    broker = Valkey().start()
    relay = RunningRelay(tmp_path_factory.mktemp("folded"), broker=broker.url)
    try:
        relay.start_all()
        relay.apply(CONFIGURATION.format(sink=sink_process.start().url(""))).succeeds()
        relay.cli("pause", "room").succeeds()
        events = [
            {"specversion": "1.0", "id": str(number), "source": "shop", "type": "orders.paid", "subject": str(number)}
            for number in range(COUNT)
        ]
        headers = {"content-type": "application/cloudevents-batch+json"}
        assert relay.http.post(f"{relay.base}/api/v1/events", json=events, headers=headers).status_code == 202
        eventually(lambda: relay.json("targets")["items"][0]["waiting"] == COUNT, what="what waits")
        relay.cli("resume", "room").succeeds()
        eventually(lambda: relay.get("/deliveries", state="delivered")["items"], what="the message")
        yield relay
    finally:
        relay.close()
        broker.stop()


@pytest.fixture
def leader(relay: RunningRelay) -> Any:
    """The delivery that told the others."""
    (found,) = relay.get("/deliveries", state="delivered")["items"]
    return found


def test_the_api_shows_what_a_message_told(relay: RunningRelay, leader: Any) -> None:
    """Each folded delivery names its leader, the leader counts them, and a filter finds them, page by page."""
    folded = relay.get("/deliveries", state="folded")["items"]
    assert len(folded) == COUNT - 1
    assert {(one["folded_into"], one["attempts"], one["finished_at"]) for one in folded} == {
        (leader["id"], 0, leader["finished_at"])
    }
    assert leader["folded_into"] is None
    assert relay.get(f"/deliveries/{leader['id']}") == leader | {"folded_count": COUNT - 1}
    walked = list(relay.every("/deliveries", folded_into=leader["id"], limit=5))
    assert walked == folded
    assert relay.get("/deliveries", folded_into=str(uuid4()))["items"] == []
    of_an_event = relay.get(f"/events/{folded[0]['event_id']}")["deliveries"]
    assert [one["folded_into"] for one in of_an_event] == [leader["id"]]


def test_commands_show_what_a_message_told(relay: RunningRelay, leader: Any) -> None:
    """`show` counts and lists them, `deliveries --folded-into` finds them, and a single delivery has no such list."""
    shown = relay.json("show", leader["id"])
    assert shown["folded_count"] == len(shown["folded"]) == COUNT - 1
    assert len(relay.json("deliveries", "--folded-into", leader["id"], "--state", "folded")["items"]) == COUNT - 1
    rider = shown["folded"][0]
    printed = relay.cli("show", leader["id"]).succeeds().out
    assert rider["id"] in printed
    assert leader["id"] in relay.cli("show", rider["id"]).succeeds().out


@pytest.mark.parametrize("given", ["nothing", "", "1234", "' OR 1=1"])
def test_what_is_no_id_is_refused(relay: RunningRelay, given: str) -> None:
    """A filter that names no delivery is told so, wherever it is given; events have none such."""
    answer = relay.http.get(f"{relay.base}/api/v1/deliveries", params={"folded_into": given})
    assert (answer.status_code, answer.json()["detail"]) == (400, "folded_into: the id of a delivery")
    assert relay.http.get(f"{relay.base}/api/v1/events", params={"folded_into": str(uuid4())}).status_code == 400
    asked = {"filter": {"folded_into": given}}
    assert relay.http.post(f"{relay.base}/api/v1/replays", json=asked).status_code == 400
    assert "folded_into" in relay.cli("deliveries", "--folded-into", given).fails(2)


def test_a_message_is_taken_apart(relay: RunningRelay, leader: Any, sink_process: Sink) -> None:
    """A replay of all that one message told sends it again without the leader, and counts it."""
    started = relay.json("replay", "--folded-into", leader["id"])
    assert started["count"] == COUNT - 1
    done = eventually(
        lambda: shown if (shown := relay.json("replays", started["id"]))["state"] == "done" else None, what="its end"
    )
    assert done["delivered"] + done["folded"] == COUNT - 1
    assert relay.get(f"/deliveries/{leader['id']}")["folded_count"] == 0
    assert done["filter"] == {"folded_into": leader["id"]}
