"""One contract for every database: events, outboxes and the configuration."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import insert, select
from sqlalchemy.event import listen

from relay import plugins
from relay.domain.configuration import Configuration
from relay.domain.database import Database as DatabaseSpec
from relay.domain.delivery import Lane, State
from relay.domain.event import Event, new_id
from relay.domain.route import Route
from relay.errors import InvalidConfiguration
from relay.secrets import Sealer
from relay.store import tables
from relay.store.configuration import ConfigurationStore
from tests.support.stores import NOW, Stores, event, migrated, stores, verdict

__all__ = ["migrated", "stores"]

URL = "https://chat.example/v1/spaces/A/messages?key=the-key&token=the-token"


# Events


def test_events_come_back_as_they_were(stores: Stores) -> None:
    """Every field survives, whatever it holds: NUL and any byte in bodies, a mebibyte, any script, the far past."""
    odd = [
        event(body=bytes(range(256)), content_type="application/octet-stream"),
        event(body=b"\x00" * (1 << 20)),
        event(body=b"", type="t" * 256, source="s" * 256, subject="ü🚲" * 256, dedupe="d" * 256),
        event(subject="'; DROP TABLE events; --", type='{"a": [1, null]}', source='\\ % _ " $1 :x ?'),
        event(occurred_at=NOW.replace(year=1), received_at=NOW.replace(year=9999, microsecond=999_999)),
    ]
    assert stores.events.add(odd) == [one.id for one in odd]
    for one in odd:
        assert stores.events.get(one.id) == one
    assert [one.id for one in stores.events.find({}, None, 10)] == [one.id for one in odd[::-1]]
    assert stores.events.get(new_id()) is None
    assert stores.events.add([]) == []


def test_repeats_are_one_event(stores: Stores) -> None:
    """The same source and dedupe id is one event: in one batch, in the next one, and not across sources."""
    first, again = event(dedupe="a"), event(dedupe="a", type="other")
    elsewhere, unnamed, too = event(dedupe="a", source="elsewhere"), event(), event()
    ids = stores.events.add([first, again, elsewhere, unnamed, too])
    assert ids == [first.id, first.id, elsewhere.id, unnamed.id, too.id]
    assert stores.events.add([event(dedupe="a"), unnamed]) == [first.id, unnamed.id]
    assert len(stores.events.find({}, None, 10)) == 4


def test_new_events_are_not_looked_up(stores: Stores) -> None:
    """Only a batch with a repeat in it asks what is known: nothing else would say why accepting takes twice as long."""
    stores.events.add([event(dedupe="a")])
    asked: list[str] = []
    listen(stores.database.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    stores.events.add([event(dedupe="b"), event()])
    assert [statement for statement in asked if statement.startswith("SELECT")] == []
    stores.events.add([event(dedupe="c"), event(dedupe="a")])
    assert [statement for statement in asked if statement.startswith("SELECT")]


def test_repeats_that_meet(stores: Stores) -> None:
    """Whoever stores the same events at the same time, in whatever order, hears the same ids; none of them fails."""
    names = [f"n{number}" for number in range(400)]

    def add(turn: int) -> dict[str, str]:
        batch = [event(dedupe=name) for name in (names if turn % 2 else names[::-1])]
        return {one.dedupe or "": known for one, known in zip(batch, stores.events.add(batch), strict=True)}

    with ThreadPoolExecutor(6) as pool:
        heard = list(pool.map(add, range(12)))
    assert all(one == heard[0] for one in heard)
    assert len(stores.events.find({}, None, 1000)) == 400


def test_every_event_is_routed_once(stores: Stores) -> None:
    """Routers that meet share the work: each event is routed once, in order, and twice to a target is once."""
    stored = [event() for _ in range(300)]
    stores.events.add(stored)
    assert stores.events.waiting()
    seen: list[Event] = []

    def decide(batch: Any) -> list[Any]:
        seen.extend(batch)
        return []

    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(lambda _: stores.events.route(50, decide), range(8)))
    assert sum(routed.events for routed in counts) == 300
    assert [one.id for one in seen] == [one.id for one in stored]
    assert [one.seq for one in seen] == sorted(one.seq for one in seen)
    assert not stores.events.waiting()
    (again,) = stores.add(1, "billing", "billing")
    assert len(stores.deliveries.of_event(again.id)) == 1


def test_a_router_that_fails_changes_nothing(stores: Stores) -> None:
    """What could not be routed waits as before."""
    stores.events.add([event()])
    with pytest.raises(ZeroDivisionError):
        stores.events.route(10, lambda batch: 1 // 0)
    assert stores.events.waiting()


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, "abc"),
        ({"source": "shop"}, "ab"),
        ({"source": "s*p"}, "ab"),
        ({"type": "orders.*"}, "ab"),
        ({"type": "orders_*"}, ""),
        ({"type": "100%"}, "c"),
        ({"type": "10*%"}, "c"),
        ({"type": "1?0%"}, "c"),
        ({"subject": "orders/1"}, "a"),
        ({"since": NOW}, "bc"),
        ({"until": NOW}, "a"),
        ({"q": "ORDERS/"}, "ab"),
        ({"q": "%"}, "c"),
        ({"q": "\\"}, ""),
        ({"target": "billing"}, "abc"),
        ({"state": "delivered"}, ""),
        ({"route": "all", "type": "orders.paid"}, "b"),
    ],
)
def test_events_are_found(stores: Stores, filters: dict[str, Any], found: str) -> None:
    """Filters take what they say and nothing more, however it is spelt."""
    kept = {
        "a": event(subject="orders/1", received_at=NOW - timedelta(microseconds=1)),
        "b": event(type="orders.paid", subject="orders/2"),
        "c": event(source="stock", type="100%"),
    }
    stores.events.add(list(kept.values()))
    stores.route("billing")
    names = {one.id: name for name, one in kept.items()}
    assert "".join(sorted(names[one.id] for one in stores.events.find(filters, None, 10))) == found


def test_events_are_paged(stores: Stores) -> None:
    """From any event backwards, newest first."""
    stored = stores.add(5)
    newest = stores.events.find({}, None, 2)
    assert [one.id for one in newest] == [stored[4].id, stored[3].id]
    rest = stores.events.find({}, newest[-1].seq, 10)
    assert [one.id for one in rest] == [one.id for one in stored[2::-1]]


# Outboxes


def test_an_outbox_is_read_in_order(stores: Stores) -> None:
    """The oldest rows come first, as the events they are; what is forgotten is gone, what is not comes again."""
    rows = [
        {"id": new_id(), "source": "shop", "type": "t", "subject": None, "data": '"🚲"', "occurred_at": NOW}
        for _ in range(5)
    ]
    with stores.database.writing() as connection:
        connection.execute(insert(tables.outbox), rows)
    assert stores.outbox.waiting()
    assert (stores.outbox.lag().rows, stores.outbox.lag().oldest) == (5, NOW)
    seqs, events = stores.outbox.read(3)
    assert [one.id for one in events] == [row["id"] for row in rows[:3]]
    assert (events[0].data, events[0].occurred_at, events[0].dedupe) == ("🚲", NOW, None)
    stores.outbox.forget(seqs[:2])
    assert [one.id for one in stores.outbox.read(10)[1]] == [row["id"] for row in rows[2:]]
    stores.outbox.forget([])
    stores.outbox.forget(stores.outbox.read(10)[0])
    assert not stores.outbox.waiting()
    assert stores.outbox.lag().oldest is None


def test_no_number_is_given_twice(stores: Stores) -> None:
    """A reader that is late to forget what another has forgotten already takes no newer row with it."""

    def commit() -> None:
        row = {"id": new_id(), "source": "shop", "type": "t", "data": "1", "occurred_at": NOW}
        with stores.database.writing() as connection:
            connection.execute(insert(tables.outbox).values(row))

    commit()
    late, _ = stores.outbox.read(10)
    stores.outbox.forget(late)
    commit()
    stores.outbox.forget(late)
    assert stores.outbox.lag().rows == 1


# The configuration


def configured(*targets: str, retry: Any = ("1s",)) -> Configuration:
    """Return a configuration with these targets, and secrets wherever one may stand."""
    found = plugins.discover()
    source = found.providers["github"].Options(name="github", verify="github", secret="the-secret")  # type: ignore[arg-type]
    made = [
        found.targets["google_chat"].Options(name=name, kind="google_chat", url=URL, retry=retry)  # type: ignore[call-arg]
        for name in targets
    ]
    shop = DatabaseSpec(name="shop", url=SecretStr("postgresql://u:the-password@db/shop"))
    routes = [Route(name="all", to=targets, text="ü {{ data }}")] if targets else []
    return Configuration((source,), (shop,), tuple(made), tuple(routes))


def test_a_configuration_is_kept(stores: Stores) -> None:
    """What was put in comes out, in its order, and every change raises the version."""
    assert (stores.configuration.version(), stores.configuration.load().configuration) == (0, Configuration())
    for version, wanted in enumerate((configured("b", "a"), configured("a", "c", retry=[]), Configuration()), start=1):
        assert stores.configuration.replace(wanted, NOW) == version
        stored = stores.configuration.load()
        assert (stored.version, stored.configuration) == (version, wanted)
    assert stores.configuration.version() == 3


def test_no_secret_is_readable(stores: Stores) -> None:
    """No byte of a secret is in any table, and without the key nothing can be read."""
    stores.configuration.replace(configured("chat"), NOW)
    with stores.database.reading() as connection:
        kept = "\n".join(
            repr(row) for table in tables.metadata.tables.values() for row in connection.execute(select(table))
        )
    assert "chat" in kept
    assert not [word for word in ("the-secret", "the-key", "the-token", "the-password", "chat.example") if word in kept]
    stranger = ConfigurationStore(stores.database, lambda: Sealer([Sealer.new_key()]), plugins.discover())
    with pytest.raises(InvalidConfiguration, match="another key"):
        stranger.load()


def test_a_pause_outlives_a_change(stores: Stores) -> None:
    """A target that stays keeps its pause; pausing twice, or what is unknown, changes nothing."""
    stores.configuration.replace(configured("a", "b"), NOW)
    assert stores.configuration.pause("a", "it is gone", NOW)
    assert not stores.configuration.pause("a", "again", NOW)
    assert not stores.configuration.pause("nobody", "why", NOW)
    stores.configuration.replace(configured("c", "a"), NOW)
    assert stores.configuration.load().paused == {"a": "it is gone"}
    assert stores.configuration.pause("a", None, NOW)
    assert not stores.configuration.pause("a", None, NOW)
    assert stores.configuration.load().paused == {}
    assert stores.configuration.version() == 4


def test_what_waits_for_a_removed_target_is_cancelled(stores: Stores) -> None:
    """Its deliveries are cancelled, those on their way end as they end, and other targets' are not touched."""
    stores.configuration.replace(configured("a", "b"), NOW)
    first, second = stores.add(2, "a", "b")
    (claimed,) = stores.deliveries.claim([Lane("a", 1)], 1, NOW)
    stores.configuration.replace(configured("b"), NOW)
    states = {
        (one.event_id, one.target): one.state for of in (first, second) for one in stores.deliveries.of_event(of.id)
    }
    assert states[claimed.event.id, "a"] is State.SENDING
    assert sorted(states.values()) == ["cancelled", "pending", "pending", "sending"]
    assert stores.deliveries.record([verdict(claimed)]) == 1
    finished = stores.deliveries.get(claimed.id)
    assert finished is not None
    assert finished.state is State.DELIVERED


def test_two_who_apply_at_once(stores: Stores) -> None:
    """One after the other: the versions differ, and the last one's configuration is whole."""
    wanted = [configured(*(f"t{number}-{part}" for part in range(5))) for number in range(6)]
    with ThreadPoolExecutor(6) as pool:
        versions = list(pool.map(lambda one: stores.configuration.replace(one, NOW), wanted))
    assert sorted(versions) == [1, 2, 3, 4, 5, 6]
    assert stores.configuration.load().configuration == wanted[versions.index(6)]
