"""People: routes tell whom an event names, at the place that each of them has."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import select

from relay import wiring
from relay.config import Settings
from relay.domain.delivery import State
from relay.domain.event import Event, encode, new_id
from relay.errors import InvalidConfiguration, NotFound, UsageError
from relay.pipeline.people import show_person
from relay.pipeline.preview import explain
from relay.store.tables import targets
from tests.support.engine import Engine, engine
from tests.support.sink import Sink

__all__ = ["engine"]

ANNA, BEN = "anna@shop.example", "ben@shop.example"
OWNERS = """
[[targets]]
name = "room"
kind = "http"
url = "{url}"

[[routes]]
name = "owners"
to = ["room", "user:{{{{ data.after.owner }}}}"]
"""


def tell(engine: Engine, *owners: Any) -> list[Event]:
    """Store and route an event for each owner."""
    now = datetime.now(UTC)
    events = [
        Event(new_id(), "shop", "orders.updated", now, now, encode({"after": {"owner": owner}}), subject="orders/1")
        for owner in owners
    ]
    engine.relay.events.add(events)
    engine.relay.fan_out.run()
    return events


def give(engine: Engine, name: str, url: str, **options: Any) -> None:
    """Give a person a place of kind `http`."""
    place = {"kind": "http", "url": url} | options
    engine.relay.people.put(name, place, datetime.now(UTC), resolve=False)
    engine.relay.following.refresh()


def told(engine: Engine) -> list[tuple[str, str]]:
    """Each delivery's target and state, in their order."""
    return [(one.target, str(one.state)) for one in engine.deliveries()]


def test_each_event_finds_its_person(engine: Engine, sink: Sink) -> None:
    """A route tells the person that the event names, in any case, beside its other targets."""
    engine.configure(OWNERS.format(url=sink.url("/room")))
    give(engine, ANNA, sink.url("/anna"))
    give(engine, "Ben@Shop.example", sink.url("/ben"))
    tell(engine, ANNA, f" {BEN.upper()} ")
    engine.drain()
    paths = sorted(hit.path for hit in sink.requests())
    assert paths == ["/anna", "/ben", "/room", "/room"]
    assert {state for _, state in told(engine)} == {State.DELIVERED}
    assert not [hit for hit in sink.requests() if "anna" in str(hit.headers)], "an address is no part of any id"


@pytest.mark.parametrize(
    ("owner", "why"),
    [
        ("carl@shop.example", "there is no person carl@shop.example"),
        ("", "names nobody"),
        (None, "names nobody"),
        ("x" * 60, "names nobody"),
        ("a b\0\n../c", "names nobody"),
    ],
)
def test_nobody_costs_the_others_nothing(engine: Engine, sink: Sink, owner: Any, why: str) -> None:
    """Where an event names nobody, or somebody unknown, the route's other targets hear of it, and explain says why."""
    engine.configure(OWNERS.format(url=sink.url("/room")))
    (event,) = tell(engine, owner)
    assert told(engine) == [("room", "pending")]
    (explanation,), previews = explain(engine.relay.following.latest, event)
    assert explanation.matched
    assert explanation.targets == ("room",)
    assert why in (explanation.reason or "")
    assert [one.target for one in previews] == ["room"]


def test_applying_keeps_people(engine: Engine, sink: Sink) -> None:
    """Applying another configuration neither removes people nor cancels what waits for them."""
    engine.configure(OWNERS.format(url=sink.url("/room")))
    give(engine, ANNA, sink.url("/anna"), concurrency=1)
    tell(engine, ANNA)
    engine.configure("")
    engine.relay.deliveries.cancel_orphans(datetime.now(UTC))
    engine.drain()
    assert told(engine) == [("room", "cancelled"), (f"user:{ANNA}", "delivered")]
    assert [person.options.name for person in engine.relay.people.all()] == [f"user:{ANNA}"]
    assert engine.relay.targets.all() == []


def test_removing_a_person_cancels_what_waits(engine: Engine, sink: Sink) -> None:
    """What waits for somebody who is removed is cancelled, and nothing more is made for them."""
    engine.configure(OWNERS.format(url=sink.url("/room")))
    give(engine, ANNA, sink.url("/anna"))
    tell(engine, ANNA)
    engine.relay.people.remove(ANNA, datetime.now(UTC))
    tell(engine, ANNA)
    assert told(engine) == [("room", "pending"), (f"user:{ANNA}", "cancelled"), ("room", "pending")]
    with pytest.raises(NotFound):
        engine.relay.people.remove(ANNA, datetime.now(UTC))


def test_what_waits_goes_to_the_new_place(engine: Engine, sink: Sink) -> None:
    """A person whose place changes is told there, and is not paused any more."""
    engine.configure(OWNERS.format(url=sink.url("/room")))
    give(engine, ANNA, sink.url("/old"))
    engine.relay.targets.pause(f"user:{ANNA}", "gone", datetime.now(UTC))
    engine.relay.following.refresh()
    tell(engine, ANNA)
    engine.drain()
    assert [hit.path for hit in sink.requests()] == ["/room"]
    give(engine, ANNA, sink.url("/new"))
    engine.drain()
    assert sorted(hit.path for hit in sink.requests()) == ["/new", "/room"]


def test_places_are_sealed(engine: Engine, sink: Sink) -> None:
    """A place is stored sealed and shown masked."""
    give(engine, ANNA, sink.url("/hidden-in-the-path"), secret="whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0")
    with engine.relay.database.reading() as connection:
        stored = str(connection.execute(select(targets)).all())
    shown = json.dumps([show_person(person) for person in engine.relay.people.all()])
    assert "hidden-in-the-path" not in stored + shown
    assert "c2VjcmV0" not in stored + shown
    assert json.loads(shown)[0]["name"] == ANNA


def test_people_follow_the_keys(engine: Engine, sink: Sink) -> None:
    """Applying seals people with the newest key; one whose key is lost holds up nobody and is not removed."""
    engine.configure(OWNERS.format(url=sink.url("/room")))
    give(engine, ANNA, sink.url("/anna"))
    before, newest = engine.relay.settings.secret_keys[0], Fernet.generate_key().decode()

    def under(*keys: str) -> wiring.Relay:
        kept = engine.relay.settings.model_dump(exclude={"secret_keys"}, exclude_unset=True)
        return wiring.Relay(Settings(**kept, secret_keys=keys))

    lost = under(newest)
    lost.configurator.apply_text("", "relay.toml")
    assert lost.configuration.load().people == ()
    rotated = under(newest, before)
    rotated.configurator.apply_text("", "relay.toml")
    assert [person.name for person in under(newest).configuration.load().people] == [f"user:{ANNA}"]
    for relay in (lost, rotated):
        relay.database.dispose()


@pytest.mark.parametrize(
    ("name", "place", "why"),
    [
        ("", {"kind": "http", "url": "https://x.example"}, "a person's name has"),
        ("a/b", {"kind": "http", "url": "https://x.example"}, "a person's name has"),
        ("a", {}, "kind: is missing"),
        ("a", {"kind": "pigeon"}, "no such kind"),
        ("a", {"kind": "http"}, "url: is missing"),
        ("a", {"kind": "http", "url": "nowhere"}, "url: "),
        ("a", {"kind": "http", "url": "https://x.example", "wings": 2}, "wings: unknown key"),
        ("a", {"kind": "http", "url": "https://x.example", "name": "b"}, "name: "),
        ("a", {"kind": "http", "url": "env:PATH"}, "command line alone"),
    ],
)
def test_a_bad_place_is_refused(engine: Engine, name: str, place: dict[str, Any], why: str) -> None:
    """A name or place that is wrong is refused in one line that names the key, and nothing is stored."""
    with pytest.raises(UsageError) as refused:
        engine.relay.people.put(name, place, datetime.now(UTC), resolve=False)
    assert why in str(refused.value)
    assert "\n" not in str(refused.value)
    assert engine.relay.people.all() == []


def test_the_template_is_checked(engine: Engine) -> None:
    """A template after `user:` that does not compile is told by `check`, with its line and key."""
    with pytest.raises(InvalidConfiguration) as refused:
        engine.configure('[[routes]]\nname = "r"\nto = ["user:{{ data.owner", "user:{{ nobody }}", "a b"]\n')
    told = str(refused.value)
    assert "relay.toml:3: routes[0].to[0]: " in told
    assert "to[1]: unknown name nobody" in told
    assert "to[2]: " in told
