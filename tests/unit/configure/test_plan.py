"""The plan: what would change, and no secret in it."""

from typing import Any

from relay.domain.configuration import Configuration
from relay.domain.database import Database
from relay.domain.inbound import SourceOptions
from relay.domain.route import Route
from relay.domain.target import TargetOptions
from relay.pipeline.configure import plan
from relay.plugins import discover


def target(name: str, kind: str = "http", **fields: Any) -> TargetOptions:
    """Return a target, to an address of its own."""
    url = f"https://chat.googleapis.com/v1/spaces/{name}/messages?key=K&token=T"
    return discover().targets[kind].Options.model_validate({"name": name, "kind": kind, "url": url, **fields})


def source(name: str, verify: str = "bearer", **fields: Any) -> SourceOptions:
    """Return a source whose secret is `s`."""
    return (
        discover().providers[verify].Options.model_validate({"name": name, "verify": verify, "secret": "s", **fields})
    )


def routes(*names: str) -> Configuration:
    """Return routes of these names, in this order."""
    return Configuration(routes=tuple(Route(name=name, to=("a",)) for name in names))


def lines(current: Configuration, wanted: Configuration) -> list[str]:
    """Return the plan as people see it."""
    return [str(change) for change in plan(current, wanted).changes]


def test_nothing_to_do() -> None:
    """The same configuration, read twice, is no change."""
    one, other = (Configuration(sources=(source("a"),), targets=(target("b"),)) for _ in range(2))
    assert not plan(one, other)
    assert str(plan(one, other)) == "no changes"


def test_adding_and_removing() -> None:
    """What is new and what goes is named with its kind."""
    full = Configuration(
        sources=(source("gh"),),
        databases=(Database.model_validate({"name": "shop", "url": "sqlite://"}),),
        targets=(target("billing"),),
        routes=(Route(name="all", to=("billing", "ops")),),
    )
    expected = ["source gh: bearer", "database shop", "target billing: http", "route all: to billing, ops"]
    assert lines(Configuration(), full) == [f"+ {line}" for line in expected]
    assert lines(full, Configuration()) == [f"- {line}" for line in expected]
    assert plan(Configuration(), full)


def test_changed_keys_are_told() -> None:
    """A change shows each key with its old and its new value, as they are written."""
    old = Configuration(targets=(target("a", timeout="15s", retry=["5s"]),))
    new = Configuration(targets=(target("a", timeout="30s", rate="5/s", retry=["5s", "1m"]),))
    assert lines(old, new) == [
        '~ target a: timeout: 15s -> 30s, retry.delays: ["5s"] -> ["5s", "1m"], rate: (none) -> 5/s'
    ]


def test_secrets_are_compared_but_not_shown() -> None:
    """A rotated secret is a change, and its plan holds neither the old nor the new one."""
    old = Configuration(
        sources=(source("a", secret="first"),), targets=(target("b", headers={"x-a": "first", "x-b": "same"}),)
    )
    new = Configuration(
        sources=(source("a", secret=["second", "first"]),),
        targets=(target("b", headers={"x-a": "second", "x-b": "same"}),),
    )
    assert lines(old, new) == ["~ source a: secret: (changed)", "~ target b: headers.x-a: (changed)"]
    assert "headers.x-b: (changed)" in str(plan(old, Configuration(targets=(target("b", headers={"x-a": "first"}),))))
    moved = Configuration(targets=(target("b", url="https://b.example/?key=secret"),))
    assert "secret" not in str(plan(Configuration(targets=(target("b"),)), moved))


def test_another_kind_is_a_change() -> None:
    """A target that becomes another kind keeps its name, so it is changed and not replaced."""
    old, new = Configuration(targets=(target("a"),)), Configuration(targets=(target("a", "google_chat"),))
    (line,) = lines(old, new)
    assert line.startswith("~ target a: kind: http -> google_chat")


def test_order_of_routes_counts() -> None:
    """A route that changes its place among the others is a change; one pushed along by a new route is none."""
    assert lines(routes("a", "b", "c"), routes("c", "a", "b")) == ["~ route c: place: 3 -> 1"]
    assert lines(routes("a", "b"), routes("new", "a", "b")) == ["+ route new: to a"]
    assert lines(routes("a", "b", "c"), routes("b", "c")) == ["- route a: to a"]


def test_long_and_many_lined_values_are_cut() -> None:
    """A change of a long template stays one line."""
    old = Configuration(routes=(Route(name="a", to=("a",), text="one\ntwo"),))
    new = Configuration(routes=(Route(name="a", to=("a",), text="x" * 1000),))
    (line,) = lines(old, new)
    assert line == '~ route a: text: "one\\ntwo" -> ' + "x" * 59 + "…"
