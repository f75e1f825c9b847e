"""The database and the web process die: what was acknowledged is stored, what senders repeat is one event."""

import pytest

from tests.chaos.conftest import Ruin, on_postgresql, on_sqlite
from tests.chaos.crowd import PATIENCE
from tests.support.processes import eventually
from tests.support.sink_server import Answer

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

EVENTS = 5_000


def stored(ruin: Ruin) -> set[str]:
    """Return the ids of all events."""
    return {str(row[0]) for row in ruin.relay.rows("SELECT id FROM events")}


@on_sqlite
def test_web_is_killed(ruin: Ruin) -> None:
    """Three times while webhooks come in: what it acknowledged is stored."""
    crowd = ruin.crowd()
    with crowd.meanwhile(crowd.send, range(EVENTS)):
        for part in (1, 2, 3):
            eventually(lambda part=part: len(crowd.ids) > part * EVENTS // 4, PATIENCE, what="some load")
            ruin.relay.kill("web")
            assert set(crowd.ids.values()) <= stored(ruin)
            ruin.relay.start_web()
    assert crowd.broken
    assert not ruin.settle(crowd).repeated


@on_postgresql
def test_postgresql_is_killed(ruin: Ruin) -> None:
    """Three times under load: senders are told to come back, what was acknowledged is there, nothing is sent twice."""
    assert ruin.postgres is not None
    crowd = ruin.crowd(Answer(delay=0.02))
    with crowd.meanwhile(crowd.send, range(EVENTS)):
        for part in (1, 2, 3):
            eventually(lambda part=part: len(crowd.ids) > part * EVENTS // 4, PATIENCE, what="some load")
            refused = crowd.statuses[503]
            ruin.postgres.kill()
            eventually(lambda refused=refused: crowd.statuses[503] > refused + 20, what="refusals")
            assert not ruin.relay.ready()
            assert "database" in ruin.relay.cli("events").fails(1)
            ruin.postgres.start()
            assert set(crowd.ids.values()) <= stored(ruin)
    for refusal in crowd.refusals:
        assert refusal.status_code == 503
        assert int(refusal.headers["retry-after"]) > 0
        assert refusal.headers["content-type"] == "application/problem+json"
    assert crowd.broken == 0
    assert not ruin.settle(crowd).repeated
