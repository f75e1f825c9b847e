"""RabbitMQ dies under the relay and comes back."""

from collections.abc import Iterator

import pytest

from relay.queue.app import QUEUE
from tests.chaos.conftest import Ruin, configuration
from tests.support.processes import eventually
from tests.support.rabbitmq import RabbitMQ, rabbitmq
from tests.support.relay import RunningRelay
from tests.support.sink import Sink
from tests.support.sink_server import Answer
from tests.support.valkey import Valkey

__all__ = ["rabbitmq"]

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

EVENTS = 5_000


@pytest.fixture
def on_rabbitmq(
    rabbitmq: RabbitMQ, broken_valkey: Valkey, sink: Sink, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ruin]:
    """A relay with RabbitMQ as its broker and a Valkey beside it."""
    relay = RunningRelay(tmp_path_factory.mktemp("rabbitmq"), broker=rabbitmq.url)
    relay.env["RELAY_REDIS_URL"] = broken_valkey.start().url
    (relay.directory / "relay.toml").write_text(configuration(sink))
    try:
        relay.start_all()
        eventually(lambda: rabbitmq.remembers(QUEUE), what="a queue on disk")
        yield Ruin(relay, broken_valkey, None, sink)
    finally:
        relay.close()


def test_rabbitmq_is_killed(on_rabbitmq: Ruin, rabbitmq: RabbitMQ) -> None:
    """Twice under load: nothing is refused, lost or repeated, and deliveries go on by themselves."""
    crowd = on_rabbitmq.crowd(Answer(delay=0.02))
    for turn, _ in enumerate(("first", "second")):
        half = range(turn * EVENTS // 2, (turn + 1) * EVENTS // 2)
        with crowd.meanwhile(crowd.publish, half, pause=0.1):
            eventually(lambda turn=turn: on_rabbitmq.sink.count() > turn * EVENTS + 500, 60, what="some requests")
            rabbitmq.kill()
            rabbitmq.start()
        eventually(lambda turn=turn: on_rabbitmq.sink.count() >= (turn + 1) * EVENTS, 60, what="the rest")
    assert not on_rabbitmq.settle(crowd).repeated
    assert crowd.statuses == {202: EVENTS // 100}
