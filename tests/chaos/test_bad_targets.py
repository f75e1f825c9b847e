"""Targets that misbehave: each attempt ends, says how, and keeps nobody else waiting."""

from typing import Any

import pytest

from tests.chaos.conftest import CONFIGURATION, Ruin
from tests.support.sink_server import Answer

pytestmark = pytest.mark.chaos

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


@pytest.mark.parametrize("standing", ["postgresql"], indirect=True)
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
    configuration = CONFIGURATION.format(hook=ruin.sink.url("/hook"))
    targets = "".join(TARGET.format(name=name, url=url) for name, url in urls.items())
    ruin.relay.apply(configuration + targets + ROUTE.format(targets=["hook", *urls])).succeeds()
    event_id = ruin.relay.post("crowd", b"{}", {"x-event-type": "bad.luck"}).json()["id"]
    ruin.relay.settled(event_id, "hook")
    for name, outcome in expected.items():
        delivery = ruin.relay.settled(event_id, name, "dead")
        (attempt,) = ruin.relay.get(f"/deliveries/{delivery['id']}/attempts")["items"]
        assert (name, attempt["outcome"]) == (name, outcome)
        assert delivery["last_error"] == attempt["error"] != ""
        assert "127.0.0.1" not in attempt["error"]
    assert [one.path for one in ruin.sink.requests()].count("/hook") == 1, "a redirect is not followed"
    ruin.relay.apply(configuration).succeeds()
