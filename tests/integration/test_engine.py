"""The delivery engine's promises about sick, slow, ordered and bounded targets, with real requests."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import update

from relay import wiring
from relay.domain.delivery import State
from relay.domain.health import IN_A_ROW
from relay.pipeline import deliver
from relay.store.tables import health
from tests.support.engine import Engine, engine
from tests.support.processes import eventually
from tests.support.sink import Received, Sink
from tests.support.sink_server import Answer

__all__ = ["engine"]


def target(name: str, url: str, **options: Any) -> str:
    """A target of relay.toml with a route of its own for every event."""
    lines = [f"{key} = {value}" for key, value in options.items()]
    return "\n".join(
        [
            *("[[targets]]", f'name = "{name}"', 'kind = "http"', f'url = "{url}"', *lines, ""),
            *("[[routes]]", f'name = "to-{name}"', 'sources = ["shop"]', f'to = ["{name}"]', ""),
        ]
    )


def numbers(requests: list[Received]) -> list[tuple[str, int]]:
    """The subject and number of each request, as they came."""
    return [(request.json()["subject"], request.json()["data"]["number"]) for request in requests]


def test_a_sick_target_is_left_alone_until_a_probe_comes_through(engine: Engine, sink: Sink) -> None:
    """After ten failures in a row nothing more is sent; one probe finds it well, and all that waited follows."""
    url = sink.on("/sick", Answer(500))
    engine.configure(target("sick", url, retry='["1s", "1s", "1s", "1s"]', concurrency=5))
    engine.record(*(f"orders/{number}" for number in range(40)))
    engine.drain()
    tried = len(sink.requests("/sick"))
    assert IN_A_ROW <= tried <= IN_A_ROW + 5
    assert not engine.relay.deliver.due(datetime.now(UTC) + timedelta(seconds=2))

    probe_now(engine)
    engine.drain()
    assert len(sink.requests("/sick")) == tried + 1, "a probe is one request"

    sink.on("/sick", Answer(200))
    probe_now(engine)
    engine.drain_until_settled()
    assert {delivery.state for delivery in engine.deliveries()} == {State.DELIVERED}


def probe_now(engine: Engine) -> None:
    """Let the wait of every open circuit be over, and everything be due."""
    past = datetime.now(UTC) - timedelta(seconds=1)
    with engine.relay.database.writing() as connection:
        connection.execute(update(health).values(open_until=past))
    engine.relay.breakers.refresh()
    eventually(lambda: engine.relay.deliver.due(datetime.now(UTC)))


def test_the_fallback_is_told_once(engine: Engine, sink: Sink) -> None:
    """Twenty deliveries die; the fallback hears of it in one message, which says what happened."""
    url = sink.on("/gone", Answer(404, body="no such hook"))
    engine.configure(target("gone", url, fallback='"ops"') + target("ops", sink.on("/ops")).split("[[routes]]")[0])
    engine.record(*(f"orders/{number}" for number in range(20)))
    engine.drain()
    engine.relay.fan_out.run()
    engine.drain()
    assert len(engine.deliveries(state="dead")) == 20
    (told,) = sink.requests("/ops")
    assert told.json()["type"] == "relay.delivery.dead"
    assert told.json()["data"]["target"] == "gone"
    assert "404" in told.json()["data"]["error"]


def test_gone_pauses_the_target_and_keeps_its_deliveries(engine: Engine, sink: Sink) -> None:
    """410 pauses: what waits is kept, nothing is sent, and all of it arrives after a resume."""
    url = sink.on("/hook", Answer(410))
    engine.configure(target("hook", url, concurrency=1))
    engine.record("orders/1", "orders/2", "orders/3")
    engine.drain()
    assert len(sink.requests("/hook")) == 1
    assert {delivery.state for delivery in engine.deliveries()} == {State.PENDING}
    assert engine.relay.targets.get("hook").paused is not None

    sink.on("/hook", Answer(200))
    engine.relay.targets.resume("hook", datetime.now(UTC))
    engine.relay.following.refresh()
    engine.drain_until_settled()
    assert {delivery.state for delivery in engine.deliveries()} == {State.DELIVERED}


def test_order_within_a_subject_survives_failures(engine: Engine, sink: Sink) -> None:
    """With order = "subject" nothing is overtaken, although the first tries of many fail; subjects go side by side."""
    answers = [Answer(500), Answer(200), Answer(503), Answer(200), Answer(200)]
    url = sink.on("/ordered", *(answers * 6), Answer(200))
    engine.configure(
        target("ordered", url, order='"subject"', retry='["50ms", "50ms", "50ms", "50ms", "50ms", "50ms"]')
    )
    subjects = [f"orders/{number % 4}" for number in range(32)]
    engine.record(*subjects)
    others = [engine.another(), engine.another()]
    for other in others:
        other.drain_in_background()
    engine.drain_until_settled()
    assert {delivery.state for delivery in engine.deliveries()} == {State.DELIVERED}
    arrived: dict[str, list[int]] = defaultdict(list)
    for subject, number in numbers(sink.requests("/ordered")):
        if not arrived[subject] or arrived[subject][-1] != number:
            arrived[subject].append(number)
    expected = {f"orders/{rest}": list(range(rest, 32, 4)) for rest in range(4)}
    assert dict(arrived) == expected


@pytest.mark.parametrize(("after_dead", "later"), [("skip", State.DELIVERED), ("block", State.PENDING)])
def test_a_dead_delivery_skips_or_blocks(engine: Engine, sink: Sink, after_dead: str, later: State) -> None:
    """What follows a dead delivery of its subject is sent, or waits, as configured; other subjects go on."""
    url = sink.on("/ordered", Answer(400), Answer(200))
    engine.configure(target("ordered", url, order='"subject"', after_dead=f'"{after_dead}"', concurrency=1))
    engine.record("orders/1", "orders/1", "orders/2")
    for _ in range(3):
        engine.drain()
    states = [(delivery.subject, delivery.state) for delivery in engine.deliveries()]
    assert states == [("orders/1", State.DEAD), ("orders/1", later), ("orders/2", State.DELIVERED)]


def test_concurrency_holds_for_all_workers_together(engine: Engine, sink: Sink) -> None:
    """Three workers never have more than the target's concurrency under way."""
    url = sink.on("/narrow", Answer(delay=0.15))
    engine.configure(target("narrow", url, concurrency=3))
    engine.record(*(f"orders/{number}" for number in range(24)))
    workers = [engine.another().drain_in_background() for _ in range(2)]
    engine.drain_until_settled()
    for worker in workers:
        worker.join(20)
    arrivals = sorted(request.at for request in sink.requests("/narrow"))
    assert len(arrivals) == 24
    busiest = max(sum(start <= other < start + 0.14 for other in arrivals) for start in arrivals)
    assert busiest <= 3


def test_targets_that_hang_do_not_hold_up_the_others(engine: Engine, sink: Sink) -> None:
    """Twelve targets that never answer hold more than a window's worth; the healthy one gets all of its own."""
    hanging = sink.on("/hang", Answer(manner="hang"))
    sick = "".join(target(f"hang-{number}", hanging, timeout='"20s"', retry="[]") for number in range(12))
    engine.configure(sick + target("well", sink.on("/well")))
    engine.record(*(f"orders/{number}" for number in range(60)))
    worker = engine.drain_in_background()
    eventually(lambda: len(sink.requests("/well")) == 60, timeout=15)
    assert not engine.deliveries(state="dead"), "all of it arrived before the first of the others timed out"
    sink.kill()
    worker.join(30)
    assert not worker.is_alive()


def test_a_worker_that_stops_records_what_is_under_way(engine: Engine, sink: Sink) -> None:
    """At shutdown nothing new is begun; requests that were sent are recorded, what was only held is given back."""
    url = sink.on("/slow", Answer(delay=0.8))
    engine.configure(target("slow", url, concurrency=4))
    engine.record(*(f"orders/{number}" for number in range(12)))
    worker = engine.drain_in_background()
    eventually(lambda: len(sink.requests("/slow")) == 4)
    wiring._stopping._raise()
    try:
        worker.join(20)
        assert not worker.is_alive()
    finally:
        wiring._stopping._lower()
    states = sorted(delivery.state for delivery in engine.deliveries())
    assert states == [State.DELIVERED] * 4 + [State.PENDING] * 8
    assert len(sink.requests("/slow")) == 4


def test_a_space_gets_no_more_than_its_rate_from_all_workers(engine: Engine, sink: Sink) -> None:
    """Two workers and two webhooks of one space share its quota: messages leave one slot apart."""
    spaces = "".join(
        target(name, sink.url(f"/v1/spaces/AAA/messages?key={name}-key&token=secret"), rate='"5/s"').replace(
            '"http"', '"google_chat"'
        )
        for name in ("one", "two")
    )
    engine.configure(spaces)
    engine.record(*(f"orders/{number}" for number in range(4)))
    engine.another().drain_in_background()
    engine.drain_until_settled()
    arrivals = sorted(request.at for request in sink.requests())
    assert len(arrivals) == 8
    gaps = [later - earlier for earlier, later in pairwise(arrivals)]
    # One that left late, on a busy machine, comes close to its follower; slots given twice would halve the whole.
    assert sum(gaps) >= 0.75 * 7 / 5


def test_retry_after_is_a_floor(engine: Engine, sink: Sink) -> None:
    """A receiver that names a time is not asked again before it."""
    url = sink.on("/busy", Answer(429, headers={"Retry-After": "3600"}), Answer(200))
    engine.configure(target("busy", url, retry='["1s"]'))
    engine.record("orders/1")
    engine.drain()
    (delivery,) = engine.deliveries()
    assert delivery.state is State.PENDING
    assert delivery.next_attempt_at > datetime.now(UTC) + timedelta(minutes=59)
    (attempt,) = engine.relay.deliveries.attempts_of(delivery.id)
    assert (attempt.outcome, attempt.status) == ("throttled", 429)


def test_a_lost_lease_is_not_overwritten(engine: Engine, sink: Sink) -> None:
    """An attempt that outlived its lease is kept on record, and leaves the delivery to whoever claimed it since."""
    url = sink.on("/slow", Answer(delay=1.0), Answer(500))
    engine.configure(target("slow", url, retry='["1h"]'))
    engine.record("orders/1")
    sleeper = engine.drain_in_background()
    eventually(lambda: len(sink.requests("/slow")) == 1)
    assert engine.relay.deliveries.take_back(datetime.now(UTC) + timedelta(minutes=1)) == 1
    engine.another().drain()
    sleeper.join(20)
    (delivery,) = engine.deliveries()
    assert delivery.state is State.PENDING, "the second worker's verdict stands: it failed, and is due in an hour"
    outcomes = sorted(attempt.outcome for attempt in engine.relay.deliveries.attempts_of(delivery.id))
    assert outcomes == ["delivered", "failed"]


def test_what_outlived_its_lease_is_not_sent(engine: Engine, sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that stood still, or could not renew, drops what it only held: whoever has it by now sends it."""
    monkeypatch.setattr(deliver, "SURE", 0.2)
    engine.configure(target("paced", sink.on("/paced"), rate='"2/s"'))
    engine.record("orders/1", "orders/2")
    engine.drain()
    assert len(sink.requests("/paced")) == 1, "the second had to wait for its slot for longer than its lease is sure"
    assert [one.state for one in engine.deliveries()] == [State.DELIVERED, State.SENDING]

    monkeypatch.undo()
    engine.relay.deliveries.take_back(datetime.now(UTC) + timedelta(minutes=1))
    engine.another().drain()
    assert [one.subject for one in engine.deliveries(state="delivered")] == ["orders/1", "orders/2"]
    assert len(sink.requests("/paced")) == 2


def test_a_delivery_whose_target_goes_while_it_is_under_way_is_cancelled(engine: Engine, sink: Sink) -> None:
    """It fails and would be due again, but there is nobody to send it to: the sweep cancels it, and nothing is late."""
    engine.configure(target("leaving", sink.on("/leaving", Answer(500, delay=0.5)), retry='["1s"]'))
    engine.record("orders/1")
    worker = engine.drain_in_background()
    eventually(lambda: len(sink.requests("/leaving")) == 1)
    engine.configure(target("staying", sink.url("/staying")))
    worker.join(20)
    engine.sweep()
    (delivery,) = engine.deliveries()
    assert (delivery.state, delivery.last_error) == (State.CANCELLED, "its target was removed")
    assert engine.relay.deliveries.oldest_due(datetime.now(UTC) + timedelta(hours=1)) is None


@pytest.mark.parametrize(("status", "state"), [(200, State.DELIVERED), (400, State.DEAD)])
def test_a_long_page_is_judged_by_its_status(engine: Engine, sink: Sink, status: int, state: State) -> None:
    """A receiver that answers with a large page took the message, or refused it: nothing is sent again for its size."""
    engine.configure(target("wordy", sink.on("/wordy", Answer(status, size=2_000_000)), retry='["1s"]'))
    engine.record("orders/1")
    engine.drain()
    (delivery,) = engine.deliveries()
    assert (delivery.state, delivery.last_status) == (state, status)
    assert len(sink.requests("/wordy")) == 1


def test_every_kind_carries_the_webhook_id(engine: Engine, sink: Sink) -> None:
    """A chat message names itself as a signed request does: by event and target, and when it was sent."""
    space = target("room", sink.url("/v1/spaces/AAA/messages?key=a-key&token=a-token")).replace(
        '"http"', '"google_chat"'
    )
    engine.configure(space)
    (event,) = engine.record("orders/1")
    engine.drain()
    (request,) = sink.requests()
    assert request.headers["webhook-id"] == f"{event.id}_room"
    assert request.headers["webhook-timestamp"].isdecimal()


@pytest.mark.parametrize("options", [{}, {"order": '"subject"'}, {"concurrency": 4}, {"rate": '"100/s"'}])
def test_what_is_routed_is_sent(engine: Engine, sink: Sink, options: dict[str, Any]) -> None:
    """One call routes and delivers, whether its deliveries begin at once or have to be claimed."""
    engine.configure(target("billing", sink.on("/billing"), **options))
    engine.store("orders/1", "orders/2")
    engine.relay.line.fan_out()
    assert numbers(sink.requests("/billing")) == [("orders/1", 0), ("orders/2", 1)]
    assert {one.state for one in engine.deliveries()} == {State.DELIVERED}


def test_what_is_routed_overtakes_nothing(engine: Engine, sink: Sink) -> None:
    """An event of a subject whose first one failed waits for it; one that a paused target is to get waits too."""
    url = sink.on("/ordered", Answer(500))
    engine.configure(target("ordered", url, order='"subject"', retry='["1h"]') + target("paused", sink.on("/paused")))
    engine.relay.targets.pause("paused", None, datetime.now(UTC))
    engine.store("orders/1")
    engine.relay.line.fan_out()
    engine.store("orders/1")
    engine.relay.line.fan_out()
    assert len(sink.requests("/ordered")) == 1
    assert not sink.requests("/paused")
    assert [one.state for one in engine.deliveries(target="ordered")] == [State.PENDING] * 2
    assert [one.state for one in engine.deliveries(target="paused")] == [State.PENDING] * 2


def test_what_is_routed_waits_behind_what_is_due(engine: Engine, sink: Sink) -> None:
    """Deliveries that wait already go first, or at least along."""
    engine.configure(target("billing", sink.on("/billing")))
    engine.record("orders/1")
    engine.store("orders/2")
    engine.relay.line.fan_out()
    assert [subject for subject, _ in numbers(sink.requests("/billing"))] == ["orders/1", "orders/2"]


def test_one_sweep_is_enough_for_all(engine: Engine, sink: Sink) -> None:
    """Of all processes one sweeps in a second; the next second is anybody's."""
    engine.configure(target("billing", sink.on("/billing")))
    redis = engine.relay.redis
    assert redis is not None
    engine.another().relay.line.sweep()
    redis.delete("relay:wake:fan_out")
    engine.store("orders/1")
    engine.relay.line.sweep()
    assert not redis.exists("relay:wake:fan_out"), "another one just swept"
    engine.sweep()
    assert redis.exists("relay:wake:fan_out")
