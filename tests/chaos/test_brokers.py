"""The broker forgets, dies, stands still: events are taken in, and once it is back all of them arrive."""

import time

import pytest

from tests.chaos.conftest import Ruin, on_postgresql
from tests.support.processes import eventually
from tests.support.sink_server import Answer

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

EVENTS = 5_000
REQUESTS = 2 * EVENTS


@on_postgresql
def test_redis_forgets(ruin: Ruin) -> None:
    """FLUSHALL, again and again while webhooks come in, loses nothing and repeats nothing."""
    crowd = ruin.crowd()
    flushes = 0
    with crowd.meanwhile(crowd.send, range(EVENTS)):
        while ruin.sink.count() < REQUESTS * 9 // 10:
            ruin.valkey.flush()
            flushes += 1
            time.sleep(0.1)
    outcome = ruin.settle(crowd)
    print(f"flushed {flushes} times")
    assert flushes > 3
    assert not outcome.repeated
    assert crowd.statuses == {202: EVENTS}


@pytest.mark.parametrize("persistent", [False, True])
@on_postgresql
def test_redis_is_killed(ruin: Ruin, persistent: bool) -> None:
    """Three times under load, whether or not it forgets: nothing is refused, lost or repeated."""
    ruin.valkey.kill()
    ruin.valkey.persistent = persistent
    ruin.valkey.start()
    crowd = ruin.crowd(Answer(delay=0.02))
    try:
        with crowd.meanwhile(crowd.publish, range(EVENTS), pause=0.1):
            for _ in ruin.moments(REQUESTS, 3):
                ruin.valkey.kill()
                time.sleep(0.5)
                ruin.valkey.start()
        outcome = ruin.settle(crowd)
    finally:
        ruin.valkey.kill()
        ruin.valkey.persistent = False
    assert not outcome.repeated
    assert crowd.statuses == {202: EVENTS // 100}


@on_postgresql
def test_the_broker_is_away(ruin: Ruin) -> None:
    """Without a broker, frozen or dead, webhooks are taken in; once it is back, with nothing in it, they are delivered.

    Its workers are all busy when it goes, and done before it is back: they hear of what comes after all the same.
    """
    crowd = ruin.crowd(Answer(delay=0.05))
    crowd.publish(range(EVENTS * 8 // 10))
    eventually(lambda: ruin.sink.count() > EVENTS // 10, what="busy workers")
    ruin.valkey.freeze()
    crowd.send(range(EVENTS * 8 // 10, EVENTS * 9 // 10))
    ruin.valkey.kill()
    eventually(lambda: not ruin.held(), 60, what="idle workers")
    crowd.send(range(EVENTS * 9 // 10, EVENTS))
    assert crowd.statuses.keys() == {202}
    assert crowd.broken == 0
    ruin.valkey.start()
    assert not ruin.settle(crowd).repeated
