"""Whatever is killed, whenever: nothing that was acknowledged is lost, and only what was under way is repeated."""

import threading
from collections import Counter

import psutil
import pytest

from tests.chaos.conftest import Ruin
from tests.support.processes import eventually
from tests.support.sink_server import Answer

pytestmark = pytest.mark.chaos

on_sqlite = pytest.mark.parametrize("standing", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("standing", ["postgresql"], indirect=True)


def repeats(received: Counter[str]) -> set[str]:
    """Return what was received more than once."""
    return {event_id for event_id, count in received.items() if count > 1}


def test_a_worker_dies(ruin: Ruin) -> None:
    """A worker is killed with requests under way: those alone are sent again, under the same id."""
    ruin.sink.on("/hook", Answer(delay=0.3))
    crowd = ruin.crowd()
    crowd.send(range(400))
    eventually(lambda: ruin.sink.count() > 150, what="half of the requests")
    ruin.relay.kill("worker")
    held = ruin.sending()
    ruin.relay.start_worker()
    ruin.let_leases_end()
    received = ruin.settle(crowd)
    print(f"in flight {len(held)}, repeated {len(repeats(received))}")
    assert held
    assert repeats(received) <= held
    assert max(received.values()) == 2


@on_sqlite
def test_a_child_of_a_worker_dies(ruin: Ruin) -> None:
    """One process of a worker is killed: the worker replaces it, and goes on by itself."""
    ruin.relay.kill("worker")
    ruin.let_leases_end()
    worker = ruin.relay.start_worker(workers=1)
    ruin.sink.on("/hook", Answer(delay=0.2))
    crowd = ruin.crowd()
    crowd.send(range(200))
    eventually(lambda: ruin.sink.count() > 60, what="the first requests")
    (child,) = psutil.Process(worker.pid).children()
    child.kill()
    child.wait(10)
    held = ruin.sending()
    ruin.let_leases_end()
    received = ruin.settle(crowd)
    print(f"in flight {len(held)}, repeated {len(repeats(received))}")
    assert repeats(received) <= held
    assert worker.running
    ruin.relay.kill("worker")


@on_postgresql
def test_redis_forgets(ruin: Ruin) -> None:
    """FLUSHALL, again and again under load, loses nothing and repeats nothing."""
    crowd = ruin.crowd()
    sending = threading.Thread(target=crowd.send, args=(range(1000),))
    sending.start()
    flushes = 0
    while sending.is_alive():
        ruin.valkey.flush()
        flushes += 1
        sending.join(0.1)
    received = ruin.settle(crowd)
    print(f"flushed {flushes} times")
    assert not repeats(received)
    assert crowd.statuses == {202: 1000}


@on_postgresql
def test_the_broker_is_away(ruin: Ruin) -> None:
    """Without a broker, frozen or dead, events are taken in; once it is back, with nothing in it, they are delivered.

    Its workers are all busy when it goes, and done before it is back: they hear of what comes after all the same.
    """
    ruin.sink.on("/hook", Answer(delay=0.1))
    crowd = ruin.crowd()
    crowd.send(range(300))
    eventually(lambda: ruin.sink.count() > 100, what="busy workers")
    ruin.valkey.freeze()
    crowd.send(range(300, 400))
    ruin.valkey.kill()
    eventually(lambda: not ruin.sending(), what="idle workers")
    crowd.send(range(400, 500))
    assert crowd.statuses == {202: 500}
    assert crowd.broken == 0
    ruin.valkey.start()
    assert not repeats(ruin.settle(crowd))


@on_postgresql
def test_everything_stops_and_starts(ruin: Ruin) -> None:
    """Told to stop with work pending, every process ends what it began: nothing is lost, nothing sent twice."""
    ruin.sink.on("/hook", Answer(delay=0.3))
    crowd = ruin.crowd()
    crowd.send(range(500))
    eventually(lambda: ruin.sink.count() > 100, what="the first requests")
    ruin.relay.stop()
    assert not ruin.sending(), "what was not sent is given back"
    ruin.valkey.kill()
    ruin.repair()
    assert not repeats(ruin.settle(crowd))


def test_everything_is_killed(ruin: Ruin) -> None:
    """All of it is killed at once with work pending, as by a power cut; after the start all of it arrives."""
    ruin.sink.on("/hook", Answer(delay=0.3))
    crowd = ruin.crowd()
    crowd.send(range(500))
    eventually(lambda: ruin.sink.count() > 100, what="the first requests")
    ruin.relay.kill()
    ruin.valkey.kill()
    if ruin.postgres is not None:
        ruin.postgres.kill()
        ruin.postgres.start()
    held = ruin.sending()
    ruin.let_leases_end()
    ruin.repair()
    received = ruin.settle(crowd)
    print(f"in flight {len(held)}, repeated {len(repeats(received))}")
    assert repeats(received) <= held


@on_sqlite
def test_the_web_process_dies(ruin: Ruin) -> None:
    """The web process is killed under load, twice: what it acknowledged is stored, what senders repeat is one event."""
    crowd = ruin.crowd()
    sending = threading.Thread(target=crowd.send, args=(range(1000),))
    sending.start()
    for reached in (200, 600):
        eventually(lambda reached=reached: len(crowd.ids) > reached, what="some load")
        ruin.relay.kill("web")
        acknowledged = set(crowd.ids.values())
        assert acknowledged <= {str(row[0]) for row in ruin.relay.rows("SELECT id FROM events")}
        ruin.relay.start_web()
    sending.join()
    assert crowd.broken
    assert not repeats(ruin.settle(crowd))


@on_postgresql
def test_the_database_is_away(ruin: Ruin) -> None:
    """PostgreSQL is killed under load: senders are told to come back, and what was acknowledged is there."""
    assert ruin.postgres is not None
    crowd = ruin.crowd()
    sending = threading.Thread(target=crowd.send, args=(range(1000),))
    sending.start()
    eventually(lambda: len(crowd.ids) > 300, what="some load")
    ruin.postgres.kill()
    eventually(lambda: crowd.statuses[503] > 20, what="refusals")
    assert not ruin.relay.ready()
    assert "database" in ruin.relay.cli("events").fails(1)
    ruin.postgres.start()
    acknowledged = set(crowd.ids.values())
    assert acknowledged <= {str(row[0]) for row in ruin.relay.rows("SELECT id FROM events")}
    sending.join()
    for refusal in crowd.refusals:
        assert refusal.status_code == 503
        assert int(refusal.headers["retry-after"]) > 0
        assert refusal.headers["content-type"] == "application/problem+json"
    assert crowd.broken == 0
    assert not repeats(ruin.settle(crowd))
