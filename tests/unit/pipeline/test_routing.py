"""Routing: who hears of an event, through which route, and why the others do not."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from relay.domain.event import Event
from relay.domain.route import Route
from relay.pipeline import routing
from relay.pipeline.rendering import compile_route
from relay.pipeline.routing import Explanation, Router

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def router(*routes: dict[str, Any]) -> Router:
    """A router over these routes."""
    return Router([compile_route(Route.model_validate({"to": ["room"]} | fields)) for fields in routes])


def event(kind: str = "orders.updated", source: str = "shop", **data: Any) -> Event:
    """An event of this type and source."""
    return Event("e1", source, kind, AT, AT, json.dumps(data).encode())


def told(by: Router, of: Event) -> list[tuple[str, str]]:
    """The targets that hear of the event, each with the name of its route."""
    return [(target, route.route.name) for target, route in by.match(of)]


def test_the_first_route_words_a_target() -> None:
    """A target hears of an event once, in the words of the first route that matches."""
    routes = router(
        {"name": "none", "types": ["users.*"]},
        {"name": "first", "types": ["orders.*"], "to": ["room", "billing"]},
        {"name": "second", "to": ["billing", "audit"]},
    )
    assert told(routes, event()) == [("room", "first"), ("billing", "first"), ("audit", "second")]
    assert told(routes, event("users.created")) == [("room", "none"), ("billing", "second"), ("audit", "second")]


def test_a_target_named_twice_hears_once() -> None:
    """One delivery an event and target, whatever a route says."""
    assert told(router({"name": "r", "to": ["room", "room"]}), event()) == [("room", "r")]


def test_conditions_are_asked_for_every_event() -> None:
    """What is remembered of a type and source is its routes, not their answer."""
    routes = router({"name": "paid", "types": ["orders.*"], "sources": ["sh*"], "when": "data.status == 'paid'"})
    assert told(routes, event(status="paid")) == [("room", "paid")]
    assert told(routes, event(status="new")) == []
    assert told(routes, event(source="crm", status="paid")) == []


def test_globs_mind_case() -> None:
    """Types are matched as shells match names: `*` spans dots, and case counts."""
    routes = router({"name": "r", "types": ["orders.*"]})
    assert told(routes, event("orders.line.updated")) == [("room", "r")]
    assert told(routes, event("Orders.updated")) == []


def test_memory_is_bounded() -> None:
    """A stream of ever new types does not grow the router without end, nor change its answers."""
    routes = router({"name": "r", "types": ["orders.*"]})
    for number in range(routing.MEMORY + 10):
        assert told(routes, event(f"orders.{number}")) == [("room", "r")]
    assert len(routes._by_kind) <= routing.MEMORY


def test_routes_are_found_by_name() -> None:
    """A delivery names its route; one that is gone is `None`."""
    routes = router({"name": "r"})
    found = routes.named("r")
    assert found is not None
    assert found.route.name == "r"
    assert routes.named("gone") is None


def test_every_route_is_explained() -> None:
    """Each route says whether it matched, why not, and which targets hear of the event through it."""
    routes = router(
        {"name": "users", "types": ["users.*"]},
        {"name": "crm", "sources": ["crm"]},
        {"name": "paid", "when": "data.status == 'paid'"},
        {"name": "broken", "when": "data.nope == 1"},
        {"name": "all", "to": ["room", "billing"]},
        {"name": "late", "to": ["billing"]},
    )
    assert routes.explain(event(status="new")) == [
        Explanation("users", False, "type orders.updated is none of users.*", ()),
        Explanation("crm", False, "source shop is none of crm", ()),
        Explanation("paid", False, "when: it is false", ()),
        Explanation("broken", False, 'when: Key not found in map : "nope"', ()),
        Explanation("all", True, None, ("room", "billing")),
        Explanation("late", True, "an earlier route tells its targets", ()),
    ]


def test_explaining_agrees_with_matching() -> None:
    """What explain says is what happens."""
    routes = router(
        {"name": "a", "to": ["x", "y"]}, {"name": "b", "when": "false", "to": ["z"]}, {"name": "c", "to": ["z"]}
    )
    explained = [(target, one.route) for one in routes.explain(event()) for target in one.targets]
    assert explained == told(routes, event())


def test_a_route_may_stop_the_event() -> None:
    """Below a route that stops what it takes, nothing hears of it; what it does not take goes on."""
    routes = router(
        {"name": "paid", "when": "data.status == 'paid'", "stop": True},
        {"name": "all", "to": ["room", "audit"]},
    )
    assert told(routes, event(status="paid")) == [("room", "paid")]
    assert told(routes, event(status="new")) == [("room", "all"), ("audit", "all")]
    reason = "route paid stops the event before it"
    assert routes.explain(event(status="paid"))[1] == Explanation("all", False, reason, ())


def test_a_route_stops_although_its_targets_know() -> None:
    """That its targets heard already does not keep a route from stopping the event."""
    routes = router({"name": "first"}, {"name": "second", "stop": True}, {"name": "third", "to": ["audit"]})
    assert told(routes, event()) == [("room", "first")]


def test_a_sample_is_a_share_and_stays_the_same() -> None:
    """About as many events as the share says; the same ones whenever they are asked for, others for another route."""
    half, other = (router({"name": name, "sample": 0.25}) for name in ("half", "other"))
    events = [replace(event(), id=f"e{number}") for number in range(2_000)]
    taken = [one.id for one in events if half.match(one)]
    assert 400 < len(taken) < 600
    assert taken == [one.id for one in events if half.match(one)]
    assert taken != [one.id for one in events if other.match(one)]
    left_out = next(one for one in events if not half.match(one))
    assert half.explain(left_out)[0].reason == "it is none of the 0.25 of events that are sampled"


@given(
    types=st.lists(st.text(alphabet="ab.*?[]", min_size=1, max_size=6), min_size=1, max_size=4),
    kind=st.text(alphabet="ab.", max_size=6),
)
def test_looking_at_few_routes_finds_the_same(types: list[str], kind: str) -> None:
    """Whatever the globs, the routes found by how a type begins are those that take it."""
    routes = router(*({"name": f"r{place}", "types": [glob], "to": [f"t{place}"]} for place, glob in enumerate(types)))
    wanted = [(f"t{place}", f"r{place}") for place, glob in enumerate(types) if fnmatchcase(kind, glob)]
    assert told(routes, event(kind)) == wanted
