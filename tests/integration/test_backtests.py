"""Backtests: what a route would have made of stored events, with nothing stored or sent."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from relay.domain.event import Event, encode, new_id
from relay.errors import NotFound, UsageError
from relay.pipeline import backtest as module
from relay.pipeline.backtest import Backtest, backtest, period, route_for, show_backtest
from tests.support.engine import Engine, engine
from tests.support.sink import Sink

__all__ = ["engine"]

ROOM = """
[[targets]]
name = "room"
kind = "google_chat"
url = "{url}/v1/spaces/A/messages?key=hidden-key&token=hidden-token"

[[routes]]
name = "quiet"
types = ["nothing.*"]
to = ["room"]
"""


def store(engine: Engine, *data: Any, ago: timedelta = timedelta()) -> Sequence[Event]:
    """Store an event for each value, received so long ago."""
    at = datetime.now(UTC) - ago
    events = [Event(new_id(), "shop", "orders.paid", at, at, encode(value)) for value in data]
    engine.relay.events.add(events)
    engine.relay.fan_out.run()
    return events


def play(engine: Engine, route: Any, since: str = "7d", limit: int = 20, until: str | None = None) -> Backtest:
    """The backtest of a route."""
    live = engine.relay.following.refresh()
    return backtest(live, engine.relay.events, route_for(live, route), period(since, until), limit)


def test_a_route_is_tried_on_what_was(engine: Engine, sink: Sink) -> None:
    """What matched is counted for each target, the newest is shown as it would be sent, and nothing is sent."""
    engine.configure(ROOM.format(url=sink.url("")))
    store(engine, *({"total": number} for number in range(10)))
    route = {"to": ["room", "user:{{ data.owner }}"], "when": "data.total >= 4", "text": "Paid {{ data.total }}"}
    found = play(engine, route, limit=2)
    assert (found.looked, found.matched, found.targets) == (10, 6, {"room": 6})
    assert sum(found.unheard.values()) == 6
    assert ["Paid 9" in found.messages[0][1].body, "Paid 8" in found.messages[1][1].body] == [True, True]
    assert len(found.messages) == 2
    assert found.cut_short is None
    assert "hidden" not in str(show_backtest(found))
    engine.drain()
    assert engine.deliveries() == []
    assert sink.count() == 0


def test_only_the_period_is_looked_at(engine: Engine, sink: Sink) -> None:
    """Events before `since`, or from `until` on, are not looked at."""
    engine.configure(ROOM.format(url=sink.url("")))
    store(engine, 1, ago=timedelta(days=9))
    store(engine, 2, 3, ago=timedelta(days=3))
    store(engine, 4)
    assert play(engine, {"to": ["room"]}).looked == 3
    assert play(engine, {"to": ["room"]}, until="1d").looked == 2
    assert play(engine, {"to": ["room"]}, since="30d").looked == 4
    assert play(engine, "quiet", since="30d").matched == 0


@pytest.mark.parametrize(("bound", "most", "why"), [("EVENTS_AT_MOST", 3, "3 events"), ("SECONDS_AT_MOST", -1, "s:")])
def test_it_is_bounded(
    engine: Engine, sink: Sink, monkeypatch: pytest.MonkeyPatch, bound: str, most: int, why: str
) -> None:
    """What is looked at is bounded in number and time, and the answer says that it was cut short."""
    engine.configure(ROOM.format(url=sink.url("")))
    store(engine, *range(5))
    monkeypatch.setattr(module, bound, most)
    monkeypatch.setattr(module, "PAGE", 2)
    found = play(engine, {"to": ["room"]})
    assert found.looked == max(most, 0)
    assert why in (found.cut_short or "")


@pytest.mark.parametrize(
    ("route", "why"),
    [
        ({}, "route.to: is missing"),
        ({"to": ["room"], "wen": "true"}, 'route.wen: unknown key (did you mean "when"?)'),
        ({"to": ["rom"]}, 'route.to[0]: there is no target rom (did you mean "room"?)'),
        ({"to": ["room"], "when": "data.total >"}, "route.when: "),
        ({"to": ["room"], "text": "{{ nobody }}"}, "route.text: unknown name nobody"),
        ({"to": ["user:{{"]}, "route.to[0]: "),
        (7, "route: "),
    ],
)
def test_a_bad_route_is_refused(engine: Engine, sink: Sink, route: Any, why: str) -> None:
    """A route that is wrong is refused in one line that names its key."""
    engine.configure(ROOM.format(url=sink.url("")))
    with pytest.raises(UsageError) as refused:
        play(engine, route)
    assert str(refused.value).startswith(why)
    assert "\n" not in str(refused.value)


def test_an_unknown_route_is_not_found(engine: Engine) -> None:
    """A name that no route in force has is not found."""
    with pytest.raises(NotFound):
        play(engine, "nobody")
