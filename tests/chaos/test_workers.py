"""Workers die, stand still and come back: nothing is lost, and only what was under way is sent again."""

import psutil
import pytest
import redis

from relay.queue.app import QUEUE
from tests.chaos.conftest import Ruin, configuration, on_postgresql, on_sqlite
from tests.chaos.crowd import PATIENCE
from tests.support.processes import eventually
from tests.support.sink_server import Answer

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

EVENTS = 5_000
REQUESTS = 2 * EVENTS


def test_a_worker_is_killed(ruin: Ruin) -> None:
    """Three times under load: what it had under way is sent again, under the same id, and nothing else."""
    crowd = ruin.crowd(Answer(delay=0.05))
    held: list[set[str]] = []
    with crowd.meanwhile(crowd.publish, range(EVENTS)):
        for _ in ruin.moments(REQUESTS, 3):
            held.append(ruin.kill_worker())
            ruin.relay.start_worker()
    outcome = ruin.settle(crowd)
    print(f"in flight {[len(one) for one in held]}")
    assert all(held)
    assert outcome.repeated <= set().union(*held)
    assert outcome.sent.total() <= REQUESTS + sum(map(len, held))


@on_sqlite
def test_a_process_of_a_worker_is_killed(ruin: Ruin) -> None:
    """Three times under load: the worker replaces it, and goes on by itself."""
    ruin.kill_worker()
    worker = ruin.relay.start_worker(workers=1)
    crowd = ruin.crowd(Answer(delay=0.05))
    held: list[set[str]] = []
    with crowd.meanwhile(crowd.publish, range(EVENTS)):
        for _ in ruin.moments(REQUESTS, 3):
            main = psutil.Process(worker.pid)
            # Stopped, so that no other process claims anything before it is seen what this one held.
            main.suspend()
            (process,) = main.children()
            process.kill()
            eventually(lambda process=process: process.status() == psutil.STATUS_ZOMBIE, what="its death")
            held.append(ruin.held())
            ruin.let_leases_end()
            main.resume()
    outcome = ruin.settle(crowd)
    print(f"in flight {[len(one) for one in held]}")
    assert outcome.repeated <= set().union(*held)
    assert outcome.sent.total() <= REQUESTS + sum(map(len, held))
    assert worker.running
    ruin.relay.kill("worker")


def swallowed(client: redis.Redis) -> bool:
    """Say whether no message is anywhere in Redis."""
    return client.llen(QUEUE) == client.hlen("unacked") == 0


# On SQLite whoever is frozen while it writes keeps all others from writing, and there is nobody to end its transaction.
@on_postgresql
def test_what_a_frozen_worker_was_told_dies_with_it(ruin: Ruin) -> None:
    """Frozen, told of 1,250 events, and killed, four times: the nudge is lost with the worker, the events are not."""
    crowd = ruin.crowd()
    lost = 0
    with redis.Redis.from_url(ruin.valkey.url) as client:
        client.flushall()
        for turn in range(4):
            ruin.relay.freeze("beat")
            eventually(lambda: swallowed(client) and client.info("clients")["blocked_clients"], what="an idle worker")
            # It takes the next message from Redis although it stands still: for a second, then Redis gives up on it.
            ruin.relay.freeze("worker")
            crowd.publish(range(turn * EVENTS // 4, (turn + 1) * EVENTS // 4))
            lost += swallowed(client)
            assert not ruin.held()
            ruin.relay.kill("worker")
            ruin.relay.thaw("beat")
            ruin.relay.start_worker()
            part = (turn + 1) * REQUESTS // 4
            eventually(lambda part=part: ruin.sink.count() == part, PATIENCE, what=f"{part} requests")
    assert not ruin.settle(crowd).repeated
    print(f"nudges that were lost with the worker {lost} of 4")
    assert lost


@on_postgresql
def test_leases_end_while_requests_are_under_way(ruin: Ruin) -> None:
    """Two workers stand still with requests under way, longer than their leases: a third sends those again.

    When they go on, what they still held is not sent, and what they have to record disturbs nothing.
    """
    ruin.kill_worker()
    ruin.relay.apply(configuration(ruin.sink, bounded=False)).succeeds()
    names = [f"worker-{number}" for number in range(3)]
    for name in names:
        ruin.relay.start_worker(name, workers=1)
    crowd = ruin.crowd(Answer(delay=0.05))
    held: list[set[str]] = []
    try:
        with crowd.meanwhile(crowd.publish, range(EVENTS)):
            for turn in ruin.moments(REQUESTS, 2):
                ruin.relay.freeze(names[turn])
                # Of the others' too: nobody can tell from outside whose they are.
                held.append(ruin.held())
        eventually(lambda: not ruin.open(), PATIENCE, what="what they held")
        before = ruin.sink.count()
    finally:
        ruin.relay.thaw(*names[1:])
    ruin.relay.stop(*names)
    outcome = ruin.settle(crowd)
    ruin.relay.apply(configuration(ruin.sink)).succeeds()
    print(f"in flight {[len(one) for one in held]}, sent after the thaw {len(outcome.requests) - before}")
    assert outcome.repeated <= set().union(*held)
    assert outcome.sent.total() <= REQUESTS + sum(map(len, held))


@on_postgresql
def test_everything_stops_and_starts(ruin: Ruin) -> None:
    """Told to stop with work pending, twice, every process ends what it began: nothing is lost, nothing sent twice."""
    crowd = ruin.crowd(Answer(delay=0.05))
    crowd.publish(range(EVENTS))
    for _ in ruin.moments(REQUESTS, 2):
        ruin.relay.stop()
        assert not ruin.held(), "what was not sent is given back"
        ruin.valkey.kill()
        ruin.repair()
    assert not ruin.settle(crowd).repeated


def test_everything_is_killed(ruin: Ruin) -> None:
    """All of it is killed at once with work pending, twice, as by a power cut; after the start all of it arrives."""
    crowd = ruin.crowd(Answer(delay=0.05))
    crowd.publish(range(EVENTS))
    held: list[set[str]] = []
    for _ in ruin.moments(REQUESTS, 2):
        ruin.relay.kill()
        ruin.valkey.kill()
        if ruin.postgres is not None:
            ruin.postgres.kill()
            ruin.postgres.start()
        held.append(ruin.held())
        ruin.let_leases_end()
        ruin.repair()
    outcome = ruin.settle(crowd)
    print(f"in flight {[len(one) for one in held]}")
    assert outcome.repeated <= set().union(*held)
    assert outcome.sent.total() <= REQUESTS + sum(map(len, held))
