"""Folding: what is too much to read is one message, and nothing of it is lost, whatever happens on the way."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import update

from relay.domain.delivery import State
from relay.domain.health import IN_A_ROW
from relay.store.tables import deliveries, health
from tests.support.engine import Engine, engine
from tests.support.processes import eventually
from tests.support.sink import Received, Sink
from tests.support.sink_server import Answer
from tests.support.storm import SPACE, change, counts, messages, room, states, tell, words

__all__ = ["engine"]


def request_id(request: Received) -> str:
    """The id by which Google Chat tells a repeat."""
    (found,) = parse_qs(urlsplit(request.target).query)["requestId"]
    return found


def hurry(engine: Engine) -> None:
    """Let everything that waits be due, and the wait of every open circuit be over."""
    past = datetime.now(UTC) - timedelta(seconds=1)
    with engine.relay.database.writing() as connection:
        connection.execute(update(deliveries).where(deliveries.c.state == State.PENDING).values(next_attempt_at=past))
        connection.execute(update(health).values(open_until=past))
    engine.relay.breakers.refresh()


def test_a_burst_is_one_message(engine: Engine, sink: Sink) -> None:
    """Three hundred changes that wait for a space are told at once: how many of which kind, the first of them, when."""
    engine.configure(room(sink))
    created = change(engine, 40, "orders.created")
    change(engine, 260)
    engine.drain()
    (message,) = messages(sink)
    told = words(message)
    assert "300 changes from shop" in told
    assert "260" in told
    assert "Order 0 created" in told
    assert "Order 0 updated: status new → paid" in told
    assert "… and 290 more" in told
    assert "thread" not in message
    leader, *riders = engine.deliveries()
    assert (leader.state, leader.attempts, leader.event_id) == (State.DELIVERED, 1, created[0].id)
    assert {one.state for one in riders} == {State.FOLDED}
    assert {(one.folded_into, one.attempts, one.finished_at) for one in riders} == {(leader.id, 0, leader.finished_at)}
    (request,) = sink.requests(SPACE)
    assert request.headers["webhook-id"] == f"{created[0].id}_room"
    assert engine.relay.deliveries.folded_count(leader.id) == 299
    assert len(engine.deliveries(folded_into=leader.id, state="folded")) == 299


def test_a_handful_is_told_one_by_one(engine: Engine, sink: Sink) -> None:
    """Five are messages of their own, each in its row's thread; six are one."""
    engine.configure(room(sink))
    change(engine, 5)
    engine.drain()
    assert counts(sink) == [1] * 5
    assert len({message["thread"]["threadKey"] for message in messages(sink)}) == 5
    change(engine, 6)
    engine.drain()
    assert counts(sink) == [1] * 5 + [6]


@pytest.mark.parametrize("options", [{"fold": "false"}, {"order": '"subject"'}])
def test_it_can_be_turned_off(engine: Engine, sink: Sink, options: dict[str, Any]) -> None:
    """With fold = false, or in the order of their subjects, all are messages of their own."""
    engine.configure(room(sink, **options))
    change(engine, 12)
    engine.drain_until_settled()
    assert counts(sink) == [1] * 12
    assert states(engine) == {State.DELIVERED: 12}


def test_order_by_subject_is_kept_in_a_burst(engine: Engine, sink: Sink) -> None:
    """A space that takes the events of a subject in their order gets them so, however many wait and fail."""
    answers = [Answer(500), Answer(200), Answer(200), Answer(503)]
    sink.on(SPACE, *(answers * 2), Answer(200))
    engine.configure(room(sink, order='"subject"', retry='["50ms", "50ms", "50ms", "50ms"]'))
    tell(engine, *({"subject": f"orders/{turn % 3}", "type": f"orders.step{turn // 3}"} for turn in range(12)))
    other = engine.another()
    other.drain_in_background()
    engine.drain_until_settled()
    delivered = {one.id for one in engine.deliveries(state="delivered")}
    assert len(delivered) == 12
    for subject in ("orders/0", "orders/1", "orders/2"):
        ends = [one.finished_at for one in engine.deliveries(subject=subject)]
        assert ends == sorted(ends, key=lambda end: end or datetime.max.replace(tzinfo=UTC))


def test_what_a_paused_space_missed_is_one_message(engine: Engine, sink: Sink) -> None:
    """Nothing is sent or folded while a space is paused; once it is resumed, one message tells what waited."""
    engine.configure(room(sink))
    engine.relay.targets.pause("room", None, datetime.now(UTC))
    engine.relay.following.refresh()
    change(engine, 50)
    engine.drain()
    assert states(engine) == {State.PENDING: 50}
    engine.relay.targets.resume("room", datetime.now(UTC))
    engine.relay.following.refresh()
    engine.drain()
    assert counts(sink) == [50]


def test_a_throttled_message_stays_the_same(engine: Engine, sink: Sink) -> None:
    """429 in the middle of a burst: the very message comes again, no sooner than asked; what came since is another."""
    sink.on(SPACE, Answer(429, headers={"Retry-After": "3600"}), Answer(200))
    engine.configure(room(sink))
    change(engine, 30)
    engine.drain()
    leader = next(one for one in engine.deliveries() if one.state is State.PENDING)
    assert leader.next_attempt_at > datetime.now(UTC) + timedelta(minutes=59)
    assert states(engine) == {State.PENDING: 1, State.FOLDED: 29}
    assert {one.finished_at for one in engine.deliveries(state="folded")} == {None}, "it is not told yet"
    change(engine, 20, "orders.deleted")
    engine.drain()
    hurry(engine)
    engine.drain()
    assert counts(sink) == [30, 20, 30]
    first, _, again = sink.requests(SPACE)
    assert (first.body, request_id(first)) == (again.body, request_id(again))
    assert {one.attempts for one in engine.deliveries(state="folded")} == {0}
    assert all(one.finished_at for one in engine.deliveries())


def test_an_open_circuit_probes_with_the_fold(engine: Engine, sink: Sink) -> None:
    """A space that is down is tried with messages, not with thousands; well again, it is told everything once."""
    sink.on(SPACE, Answer(500))
    engine.configure(room(sink, retry='["1s", "1s", "1s", "1s", "1s", "1s", "1s", "1s", "1s", "1s", "1s", "1s"]'))
    for _ in range(IN_A_ROW):
        change(engine, 20)
        hurry(engine)
        engine.drain()
    tried = len(sink.requests(SPACE))
    change(engine, 100)
    engine.drain()
    assert len(sink.requests(SPACE)) == tried, "the circuit is open"
    sink.on(SPACE, Answer(200))
    before = len(counts(sink))

    def told() -> bool:
        hurry(engine)
        engine.drain()
        return not engine.deliveries(state="pending")

    eventually(told)
    assert sum(counts(sink)[before:]) == 20 * IN_A_ROW + 100
    assert all(one.finished_at for one in engine.deliveries())


def test_the_dead_are_told_once_and_can_be_replayed(engine: Engine, sink: Sink) -> None:
    """A message that is refused dies with all it tells: the fallback hears of it once, and a replay tells all of it."""
    sink.on(SPACE, Answer(400, body="no"), Answer(200))
    fallback = f'[[targets]]\nname = "ops"\nkind = "http"\nurl = "{sink.on("/ops")}"\n'
    engine.configure(room(sink, fallback='"ops"') + fallback)
    change(engine, 40)
    engine.drain()
    engine.relay.fan_out.run()
    engine.drain()
    dead = engine.deliveries(state="dead")
    assert len(dead) == 40
    assert {one.last_error for one in dead} == {dead[0].last_error}
    assert sorted(one.attempts for one in dead) == [0] * 39 + [1]
    (told,) = sink.requests("/ops")
    assert told.json()["data"]["folded"] == 39
    started = engine.relay.replay.by_filter({"state": "dead"}, None, datetime.now(UTC))
    assert started.count == 40
    engine.drain()
    assert counts(sink) == [40, 40]
    assert engine.relay.replay.get(started.id).states == {"delivered": 1, "folded": 39}


def test_a_crash_repeats_the_message_alone(engine: Engine, sink: Sink) -> None:
    """Whoever dies between sending and recording repeats that message as it was; nothing is lost or told elsewhere."""
    sink.on(SPACE, Answer(delay=1.0), Answer(200))
    engine.configure(room(sink))
    change(engine, 25)
    worker = engine.drain_in_background()
    eventually(lambda: len(sink.requests(SPACE)) == 1)
    change(engine, 10)
    assert engine.relay.deliveries.take_back(datetime.now(UTC) + timedelta(minutes=1)) == 1
    engine.another().drain()
    worker.join(20)
    assert sorted(counts(sink)) == [10, 25, 25]
    whole = [request for request, count in zip(sink.requests(SPACE), counts(sink), strict=True) if count == 25]
    assert len({(request.body, request_id(request), request.headers["webhook-id"]) for request in whole}) == 1
    assert states(engine) == {State.DELIVERED: 2, State.FOLDED: 33}


def test_workers_share_a_burst(engine: Engine, sink: Sink) -> None:
    """Three workers tell each of two thousand changes once, in a few messages."""
    engine.configure(room(sink))
    others = [engine.another(), engine.another()]
    for other in others:
        other.relay.following.refresh()
    change(engine, 2000)
    threads = [one.drain_in_background() for one in (engine, *others)]
    for thread in threads:
        thread.join(60)
    engine.drain_until_settled()
    assert sum(counts(sink)) == 2000
    assert len(counts(sink)) <= 10
    assert states(engine).keys() == {State.DELIVERED, State.FOLDED}
    for other in others:
        other.close()


def test_one_thread_is_kept(engine: Engine, sink: Sink) -> None:
    """A fold is in a thread if all that it tells are: of one row, or where the route puts them together."""
    engine.configure(room(sink))
    tell(engine, *({"subject": "orders/7"} for _ in range(60)))
    engine.drain()
    engine.configure(room(sink, 'thread = "{{ data.after.id | int % 2 }}"'))
    tell(engine, *({"subject": f"orders/{number}"} for number in range(0, 120, 2)))
    engine.drain()
    tell(engine, *({"subject": f"orders/{number}"} for number in [*range(0, 120, 2), 7]))
    engine.drain()
    of_a_row, together, mixed = messages(sink)
    assert of_a_row["thread"]["threadKey"] == "shop/orders/7"
    assert together["thread"]["threadKey"] == "0"
    assert "thread" not in mixed
    assert counts(sink) == [60, 60, 61]


def test_every_type_is_heard_of(engine: Engine, sink: Sink) -> None:
    """An alert and its end, among hundreds of changes, are lines of their own in the message."""
    engine.configure(room(sink))
    change(engine, 150)
    alert = {"subject": "disk full on db-1", "data": {"state": "firing"}}
    tell(engine, alert | {"type": "alert.firing"})
    change(engine, 150)
    tell(engine, alert | {"type": "alert.resolved"})
    engine.drain()
    (message,) = messages(sink)
    told = words(message)
    assert "302 events from shop" in told
    assert "alert.firing: disk full on db-1" in told
    assert "alert.resolved: disk full on db-1" in told


def test_the_words_of_the_route_are_used(engine: Engine, sink: Sink) -> None:
    """Each line is what the route would have said, as plain text: nobody is mentioned, nothing linked or formatted."""
    template = 'text = "Order *{{ data.after.id }}* of {{ data.after.customer }} is _paid_: <https://shop|see>"'
    engine.configure(room(sink, template))
    change(engine, 8, customer="<users/all> <https://evil.example|x>")
    engine.drain()
    (message,) = messages(sink)
    assert "text" not in message
    told = words(message)
    assert "Order 3 of" in told
    assert "is paid: see" in told
    assert "<users/all>" not in told
    assert "<https://" not in told


def test_a_target_that_goes_takes_its_riders(engine: Engine, sink: Sink) -> None:
    """Deliveries that a waiting message was to tell are cancelled with it."""
    sink.on(SPACE, Answer(500))
    engine.configure(room(sink))
    change(engine, 9)
    engine.drain()
    assert states(engine) == {State.PENDING: 1, State.FOLDED: 8}
    engine.configure(room(sink, name="elsewhere"))
    assert states(engine) == {State.CANCELLED: 9}
    assert {one.last_error for one in engine.deliveries()} == {"its target was removed"}


def test_a_message_is_replayed_whole(engine: Engine, sink: Sink) -> None:
    """A leader's replay repeats its message, all of it; a rider's sends that event by itself."""
    engine.configure(room(sink))
    change(engine, 30)
    engine.drain()
    leader, rider, *_ = engine.deliveries()
    engine.relay.replay.by_id([leader.id], None, datetime.now(UTC))
    engine.drain()
    first, again = sink.requests(SPACE)
    assert first.body == again.body
    assert request_id(first) != request_id(again), "it is meant to be seen again"
    engine.relay.replay.by_id([rider.id], None, datetime.now(UTC))
    engine.drain()
    assert counts(sink) == [30, 30, 1]
    alone = engine.relay.deliveries.get(rider.id)
    assert alone is not None
    assert (alone.state, alone.folded_into, alone.attempts) == (State.DELIVERED, None, 1)
    engine.relay.replay.by_id([leader.id], None, datetime.now(UTC))
    engine.drain()
    assert counts(sink) == [30, 30, 1, 29], "what was sent by itself is no part of it any more"


def test_a_large_replay_folds_again(engine: Engine, sink: Sink) -> None:
    """A thousand deliveries and the messages that told others, replayed to one space: each is told once more."""
    engine.configure(room(sink, fold="false", rate='"1000/s"', concurrency=50))
    change(engine, 300)
    engine.drain()
    engine.configure(room(sink))
    change(engine, 400)
    change(engine, 300, "orders.deleted")
    engine.drain()
    sink.reset()
    started = engine.relay.replay.by_filter({"state": "delivered"}, None, datetime.now(UTC))
    assert started.count == 301
    engine.drain()
    assert sum(counts(sink)) == 1000
    assert len(counts(sink)) <= 3
    sink.reset()
    started = engine.relay.replay.by_filter({"target": "room"}, 500.0, datetime.now(UTC))
    assert started.count == 1000
    engine.drain_until_settled()
    assert sum(counts(sink)) == 1000
    assert engine.relay.replay.get(started.id).state == "done"
