"""A trace goes on through the relay: from a commit or a request to the event, and on to whoever is told."""

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert
from starlette.testclient import TestClient

from relay.domain.event import new_id
from relay.store.tables import outbox
from tests.support.engine import Engine, engine
from tests.support.sink import Sink

__all__ = ["engine"]

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CLOUDEVENT: dict[str, Any] = {"specversion": "1.0", "id": "1", "source": "s", "type": "cloud", "data": 1}
CONFIGURATION = """
[[sources]]
name = "plain"
verify = "none"

[[targets]]
name = "hook"
kind = "http"
url = "{url}"

[[routes]]
name = "all"
to = ["hook"]
"""


def test_from_requests(engine: Engine, sink: Sink) -> None:
    """The header of a request, or a CloudEvent's own attribute, is the header of what is sent; what is none is not."""
    engine.configure(CONFIGURATION.format(url=sink.url("/hook")))
    with TestClient(engine.relay.web()) as client:
        for number, sent in enumerate((PARENT, "nonsense", None)):
            headers = {} if sent is None else {"traceparent": sent}
            client.post("/in/plain", json={"type": f"plain{number}"}, headers=headers).raise_for_status()
    engine.relay.fan_out.run()
    engine.drain_until_settled()
    got = {request.json()["type"]: request.headers.get("traceparent") for request in sink.requests("/hook")}
    assert got == {"plain0": PARENT, "plain1": None, "plain2": None}


def test_from_commits(engine: Engine, sink: Sink) -> None:
    """What capture wrote into an event's meta is the header of what is sent; a column of that name is not."""
    engine.configure(CONFIGURATION.format(url=sink.url("/hook")))
    datas = {
        "traced": {"before": None, "after": {}, "changed": [], "meta": {"traceparent": PARENT}},
        "untraced": {"before": None, "after": {"raw": {"traceparent": PARENT}}, "changed": [], "meta": {}},
        "odd": ["traceparent"],
    }
    with engine.relay.database.writing() as connection:
        row = {"source": "shop", "occurred_at": datetime.now(UTC)}
        rows = [{**row, "id": new_id(), "type": kind, "data": json.dumps(data)} for kind, data in datas.items()]
        connection.execute(insert(outbox), rows)
    assert engine.relay.collect.run() == 3
    engine.relay.fan_out.run()
    engine.drain_until_settled()
    got = {request.json()["type"]: request.headers.get("traceparent") for request in sink.requests("/hook")}
    assert got == {"traced": PARENT, "untraced": None, "odd": None}
    (shown,) = engine.relay.events.find({"type": "traced"}, None, 10)
    assert shown.traceparent == PARENT


def test_from_cloudevents(engine: Engine) -> None:
    """A CloudEvent's own `traceparent` counts before that of the request which brings it."""
    other = PARENT.replace("b7ad", "0000")
    settings = engine.relay.settings.model_copy(update={"api_token": "relay_token"})
    engine.relay.settings = settings
    with TestClient(engine.relay.web(), headers={"authorization": "Bearer relay_token"}) as client:
        for number, own in enumerate(({}, {"traceparent": other})):
            body = json.dumps({**CLOUDEVENT, "id": str(number), "type": f"cloud{number}", **own})
            headers = {"traceparent": PARENT, "content-type": "application/cloudevents+json"}
            client.post("/api/v1/events", content=body, headers=headers).raise_for_status()
    found = {event.type: event.traceparent for event in engine.relay.events.find({}, None, 10)}
    assert found == {"cloud0": PARENT, "cloud1": other}
