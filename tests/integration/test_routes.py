"""Routes as operators steer them: muted for a time, quiet at night."""

from datetime import UTC, datetime, timedelta

import pytest

from relay.domain.delivery import State
from relay.errors import NotFound
from relay.pipeline.routes import show_route
from tests.support.engine import Engine, engine
from tests.support.sink import Sink

__all__ = ["engine"]

CONFIGURATION = """
[[targets]]
name = "sink"
kind = "http"
url = "{sink}"
[[routes]]
name = "orders"
to = ["sink"]
{more}
"""


def test_a_muted_route_sends_nothing_and_says_so(engine: Engine, sink: Sink) -> None:
    """What a muted route takes is cancelled, with the reason; unmuted, it speaks; what was muted can be replayed."""
    engine.configure(CONFIGURATION.format(sink=sink.url("/"), more=""))
    routes = engine.relay.routes
    told = show_route(routes.mute("orders", 3600, datetime.now(UTC)))
    assert str(told["muted_until"]).endswith("Z"), "a time looks the same wherever it is shown"
    engine.record("orders/1")
    engine.drain()
    (muted,) = engine.deliveries()
    assert (muted.state, sink.count()) == (State.CANCELLED, 0)
    assert (muted.last_error or "").startswith("route orders is muted until ")
    assert routes.unmute("orders", datetime.now(UTC)).muted_until is None
    engine.record("orders/2")
    engine.drain()
    assert sink.count() == 1
    engine.relay.replay.by_filter({"state": State.CANCELLED}, None, datetime.now(UTC))
    engine.drain()
    assert {one.state for one in engine.deliveries()} == {State.DELIVERED}


def test_a_mute_ends_and_survives_an_apply(engine: Engine, sink: Sink) -> None:
    """Applying the file again leaves a mute as it is; when its time is over the route speaks by itself."""
    text = CONFIGURATION.format(sink=sink.url("/"), more="")
    engine.configure(text)
    now = datetime.now(UTC)
    engine.relay.routes.mute("orders", 60, now)
    engine.configure(text + "# the same\n")
    assert engine.relay.routes.get("orders", now).muted_until is not None
    assert engine.relay.routes.get("orders", now + timedelta(seconds=61)).muted_until is None
    engine.relay.routes.mute("orders", 0.0, now)
    engine.record("orders/1")
    engine.drain()
    assert sink.count() == 1


def test_only_a_route_can_be_muted(engine: Engine, sink: Sink) -> None:
    """A name that is no route's is said to be none."""
    engine.configure(CONFIGURATION.format(sink=sink.url("/"), more=""))
    with pytest.raises(NotFound):
        engine.relay.routes.mute("sink", 60, datetime.now(UTC))


def test_quiet_hours_hold_back_and_lose_nothing(engine: Engine, sink: Sink) -> None:
    """What comes in quiet hours waits until they end; what comes outside leaves at once."""
    here = datetime.now(UTC)
    start, end = (f"{here + timedelta(hours=hours):%H:%M}" for hours in (-1, 2))
    quiet = f'quiet = {{{{ start = "{start}", end = "{end}", timezone = "UTC" }}}}'.format()
    engine.configure(CONFIGURATION.format(sink=sink.url("/"), more=quiet))
    engine.record("orders/1")
    engine.drain()
    (waiting,) = engine.deliveries()
    assert (waiting.state, sink.count()) == (State.PENDING, 0)
    assert waiting.next_attempt_at.strftime("%H:%M") == end
    other = f'quiet = {{{{ start = "{end}", end = "{start}", timezone = "UTC" }}}}'.format()
    engine.configure(CONFIGURATION.format(sink=sink.url("/"), more=other))
    engine.record("orders/2")
    engine.drain()
    assert sink.count() == 1
