"""Digests and repeats: what a route gathers into one message, and what it tells but once in a while."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from relay.domain.delivery import State
from relay.store.tables import deliveries
from tests.support.engine import Engine, engine
from tests.support.sink import Sink
from tests.support.sink_server import Answer
from tests.support.storm import SPACE, change, counts, messages, room, states, tell, words

__all__ = ["engine"]


def end_windows(engine: Engine) -> None:
    """Let every window that is open end now."""
    waiting = deliveries.c.state == State.PENDING
    with engine.relay.database.writing() as connection:
        connection.execute(update(deliveries).where(waiting).values(next_attempt_at=datetime.now(UTC)))


def age(engine: Engine, by: timedelta) -> None:
    """Let everything that was told have been told so long ago."""
    with engine.relay.database.writing() as connection:
        told = deliveries.c.finished_at.is_not(None)
        connection.execute(update(deliveries).where(told).values(finished_at=datetime.now(UTC) - by))


def alert(engine: Engine, *fingerprints: str) -> None:
    """Record an alert for each fingerprint, about something else each."""
    now = datetime.now(UTC).isoformat()
    data = [{"fingerprint": one, "at": f"{now} {turn}"} for turn, one in enumerate(fingerprints)]
    tell(engine, *({"type": "alert.firing", "subject": None, "data": one} for one in data))


# Digests


def test_a_window_is_one_message(engine: Engine, sink: Sink) -> None:
    """What comes until the window ends is told then, all at once, whichever worker has it; nothing before."""
    engine.configure(room(sink, 'digest = { window = "1h" }'))
    change(engine, 3)
    first = engine.deliveries()
    assert len({one.next_attempt_at for one in first}) == 1
    wait = first[0].next_attempt_at - first[0].created_at
    assert wait == timedelta(hours=1)
    change(engine, 4, "orders.deleted")
    engine.drain()
    assert counts(sink) == []
    assert {one.next_attempt_at for one in engine.deliveries()} == {first[0].next_attempt_at}, "the first began it"
    end_windows(engine)
    engine.another().drain()
    assert counts(sink) == [7]
    change(engine, 2)
    end_windows(engine)
    engine.drain()
    assert counts(sink) == [7, 2]


def test_a_full_digest_is_told_at_once(engine: Engine, sink: Sink) -> None:
    """As soon as `max` are there they leave, and the next begins a window of its own."""
    engine.configure(room(sink, 'digest = { window = "1h", max = 10 }'))
    change(engine, 9)
    engine.drain()
    assert counts(sink) == []
    change(engine, 1)
    engine.drain()
    assert counts(sink) == [10]
    change(engine, 3)
    engine.drain()
    assert counts(sink) == [10]
    assert states(engine)[State.PENDING] == 3


def test_a_digest_of_one_is_its_own_message(engine: Engine, sink: Sink) -> None:
    """A window in which nothing else came tells the event as if there were no digest."""
    engine.configure(room(sink, 'digest = { window = "1h" }\ntext = "*Paid*: {{ data.after.id }}"'))
    change(engine, 1)
    end_windows(engine)
    engine.drain()
    (message,) = messages(sink)
    assert message["text"] == "*Paid*: 0"


def test_keys_are_told_apart(engine: Engine, sink: Sink) -> None:
    """Events of one key are one message; a key that fails is a key like any other, and costs no news."""
    engine.configure(room(sink, 'digest = { window = "1h", key = "{{ 1 // (data.after.id | int % 3) }}" }'))
    change(engine, 9)
    end_windows(engine)
    engine.drain()
    assert sorted(counts(sink)) == [3, 3, 3]
    told = [{number for number in range(9) if f"Order {number} updated" in words(one)} for one in messages(sink)]
    assert sorted(map(min, told)) == [0, 1, 2]
    assert all(len({number % 3 for number in numbers}) == 1 for numbers in told)


def test_routes_do_not_mix(engine: Engine, sink: Sink) -> None:
    """Each route's digest is a message of its own; what no digest holds passes by meanwhile."""
    others = "".join(
        f'[[routes]]\nname = "{name}"\ntypes = ["{name}.*"]\nto = ["room"]\n{digest}\n'
        for name, digest in (("stock", 'digest = { window = "1h" }'), ("news", ""))
    )
    orders = room(sink, 'types = ["orders.*"]\ndigest = { window = "1h" }')
    engine.configure(orders + others)
    for kind, count in (("orders.updated", 4), ("stock.updated", 3), ("news.created", 2)):
        change(engine, count, kind)
    engine.drain()
    assert counts(sink) == [1, 1]
    end_windows(engine)
    engine.drain()
    assert sorted(counts(sink)) == [1, 1, 3, 4]


def test_endpoints_of_the_route_hear_each_event(engine: Engine, sink: Sink) -> None:
    """A digest is for people: another target of the same route receives every event, at once."""
    hook = f'[[targets]]\nname = "hook"\nkind = "http"\nurl = "{sink.on("/hook")}"\n'
    route = 'digest = { window = "1h" }'
    engine.configure(room(sink, route).replace('to = ["room"]', 'to = ["room", "hook"]') + hook)
    change(engine, 8)
    engine.drain()
    assert len(sink.requests("/hook")) == 8
    assert counts(sink) == []


def test_a_digest_that_fails_comes_again_whole(engine: Engine, sink: Sink) -> None:
    """Its message is tried again as it was, and what is gathered meanwhile is the next one's."""
    sink.on(SPACE, Answer(503), Answer(200))
    engine.configure(room(sink, 'digest = { window = "1h" }', retry='["1s"]'))
    change(engine, 4)
    end_windows(engine)
    engine.drain()
    change(engine, 3)
    end_windows(engine)
    engine.drain_until_settled()
    assert sorted(counts(sink)) == [3, 4, 4]


def test_a_fast_storm_outgrows_no_digest(engine: Engine, sink: Sink) -> None:
    """Two thousand events in a window of at most fifty are a few messages, not forty."""
    engine.configure(room(sink, 'digest = { window = "1h", max = 50 }'))
    change(engine, 2010)
    engine.drain()
    assert sum(counts(sink)) == 2000
    assert len(counts(sink)) <= 4
    assert states(engine)[State.PENDING] == 10


# Repeats


def test_the_same_is_told_once_in_a_window(engine: Engine, sink: Sink) -> None:
    """Of alerts with the same fingerprint one is told, and the others lead to it; after the window the next is told."""
    engine.configure(room(sink, 'dedupe = { window = "10m", key = "{{ data.fingerprint }}" }'))
    alert(engine, "a", "b", "a")
    alert(engine, "a")
    engine.drain()
    alert(engine, "a")
    engine.drain()
    assert counts(sink) == [1, 1]
    first, second, *repeats = engine.deliveries()
    assert (first.state, second.state) == (State.DELIVERED, State.DELIVERED)
    assert {(one.state, one.folded_into, one.last_error) for one in repeats} == {
        (State.FOLDED, first.id, "told once in 10m")
    }
    assert all(one.finished_at for one in repeats)
    age(engine, timedelta(minutes=11))
    alert(engine, "a", "a")
    engine.drain()
    assert counts(sink) == [1, 1, 1]


def test_what_waits_will_tell_it(engine: Engine, sink: Sink) -> None:
    """However long a message waits, nothing like it is added; were it cancelled or dead, the next would be told."""
    sink.on(SPACE, Answer(400), Answer(200))
    engine.configure(room(sink, 'dedupe = { window = "1s", key = "{{ data.fingerprint }}" }'))
    alert(engine, "a")
    with engine.relay.database.writing() as connection:
        long_ago = datetime.now(UTC) - timedelta(hours=1)
        connection.execute(update(deliveries).values(created_at=long_ago))
    alert(engine, "a")
    assert states(engine) == {State.PENDING: 1, State.FOLDED: 1}
    engine.drain()
    assert states(engine) == {State.DEAD: 1, State.FOLDED: 1}
    alert(engine, "a")
    engine.drain()
    assert states(engine) == {State.DEAD: 1, State.FOLDED: 1, State.DELIVERED: 1}


@pytest.mark.parametrize(
    ("route", "told"),
    [
        ('dedupe = { window = "10m" }\ntext = "Status of {{ event.subject }}"', 2),
        ('dedupe = { window = "10m" }', 3),
        ('dedupe = { window = "10m", key = "{{ data.nothing }}" }', 5),
        ('dedupe = { window = "10m", key = "{{ 1 // 0 }}" }', 5),
    ],
)
def test_what_the_same_is(engine: Engine, sink: Sink, route: str, told: int) -> None:
    """The route's text; without one, type and data; an event whose key is empty or fails is like no other."""
    engine.configure(room(sink, route))
    given = [("orders/1", 1), ("orders/1", 1), ("orders/1", 2), ("orders/2", 3), ("orders/2", 3)]
    tell(engine, *({"subject": subject, "data": {"n": number}} for subject, number in given))
    engine.drain()
    assert counts(sink) == [1] * told
    assert len(engine.deliveries()) == 5


def test_each_target_is_told(engine: Engine, sink: Sink) -> None:
    """A repeat is one where it was told before: another target of the route, or another route, tells its own."""
    hook = f'[[targets]]\nname = "hook"\nkind = "http"\nurl = "{sink.on("/hook")}"\n'
    route = 'dedupe = { window = "10m", key = "same" }'
    engine.configure(room(sink, route).replace('to = ["room"]', 'to = ["room", "hook"]') + hook)
    change(engine, 6)
    engine.drain()
    assert counts(sink) == [1]
    assert len(sink.requests("/hook")) == 1


def test_a_repeat_can_be_sent_by_hand(engine: Engine, sink: Sink) -> None:
    """A replay of what was not sent sends it; the message that told the same stays as it was."""
    engine.configure(room(sink, 'dedupe = { window = "10m", key = "same" }'))
    change(engine, 8)
    engine.drain()
    first, repeat, *_ = engine.deliveries()
    engine.relay.replay.by_id([repeat.id, first.id], None, datetime.now(UTC))
    engine.drain()
    assert counts(sink) == [1, 1, 1]
    assert len(engine.deliveries(folded_into=first.id)) == 6


def test_repeats_are_no_part_of_a_digest(engine: Engine, sink: Sink) -> None:
    """With both, a digest gathers what is told, each of it once."""
    both = 'digest = { window = "1h" }\ndedupe = { window = "10m", key = "{{ data.fingerprint }}" }'
    engine.configure(room(sink, both))
    alert(engine, "a", "b", "a", "c", "b")
    end_windows(engine)
    engine.drain()
    assert counts(sink) == [3]


def test_what_is_muted_was_not_told(engine: Engine, sink: Sink) -> None:
    """A muted event is cancelled, gathers with nothing, and keeps none like it from being told afterwards."""
    both = 'digest = { window = "1h" }\ndedupe = { window = "10m", key = "{{ data.fingerprint }}" }'
    engine.configure(room(sink, both))
    engine.relay.routes.mute("to-room", 3600, datetime.now(UTC))
    engine.relay.following.refresh()
    alert(engine, "a", "a", "b")
    assert states(engine) == {State.CANCELLED: 3}
    engine.relay.routes.unmute("to-room", datetime.now(UTC))
    engine.relay.following.refresh()
    alert(engine, "a", "b")
    end_windows(engine)
    engine.drain()
    assert counts(sink) == [2]
