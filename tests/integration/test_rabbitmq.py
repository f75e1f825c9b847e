"""RabbitMQ as the broker: nudges travel through it, and nothing is lost whatever becomes of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from amqp.exceptions import NotFound, PreconditionFailed
from kombu import Connection

from relay.queue.app import QUEUE
from tests.support.processes import eventually
from tests.support.rabbitmq import RabbitMQ, rabbitmq
from tests.support.relay import RunningRelay
from tests.support.sink import Sink
from tests.support.valkey import Valkey

__all__ = ["rabbitmq"]

RECOVERY_SECONDS = 90
CONFIGURATION = """
[[sources]]
name = "shop"
verify = "none"

[[targets]]
name = "billing"
kind = "http"
url = "{sink}/billing"
retry = {{ first = "200ms", factor = 1, max = "200ms", attempts = 50 }}

[[routes]]
name = "all"
to = ["billing"]
"""


@pytest.fixture(scope="module")
def relay(rabbitmq: RabbitMQ, tmp_path_factory: pytest.TempPathFactory, sink_process: Sink) -> Iterator[RunningRelay]:
    """A running relay with RabbitMQ as its broker and a Valkey beside it."""
    valkey = Valkey().start()
    relay = RunningRelay(tmp_path_factory.mktemp("rabbitmq"), broker=rabbitmq.url)
    relay.env["RELAY_REDIS_URL"] = valkey.url
    try:
        relay.cli("migrate").succeeds()
        relay.apply(CONFIGURATION.format(sink=sink_process.url(""))).succeeds()
        yield relay.start_all()
    finally:
        relay.close()
        valkey.stop()


def send(relay: RunningRelay, count: int) -> set[str]:
    """Send webhooks; return the ids of their events."""
    answers = [relay.post("shop", b'{"type": "orders.paid"}') for _ in range(count)]
    assert {answer.status_code for answer in answers} == {202}
    return {answer.json()["id"] for answer in answers}


def arrived(sink: Sink, expected: set[str]) -> bool:
    """Say whether all of these events were delivered."""
    return expected <= {request.json()["id"] for request in sink.requests("/billing")}


def test_nudges_travel_through_a_quorum_queue(relay: RunningRelay, rabbitmq: RabbitMQ, sink: Sink) -> None:
    """What comes in is delivered; the queue is a quorum queue, and the only one that the relay makes."""
    sent = send(relay, 20)
    eventually(lambda: arrived(sink, sent), what="20 deliveries")
    assert len(sink.requests("/billing")) == 20
    with Connection(rabbitmq.url) as connection:
        with connection.channel() as channel, pytest.raises(PreconditionFailed, match="x-queue-type"):
            channel.queue_declare(QUEUE, durable=True, auto_delete=False)
        with connection.channel() as channel, pytest.raises(NotFound):
            channel.queue_declare("celery_delayed_0", passive=True)


def test_a_frozen_broker_holds_nobody_up(relay: RunningRelay, rabbitmq: RabbitMQ, sink: Sink) -> None:
    """While the broker answers nothing, webhooks are accepted and commands end; after it everything is delivered."""
    rabbitmq.freeze()
    try:
        sent = send(relay, 10)
        sent.add(relay.cli("emit", "orders.emitted").succeeds().out.strip())
    finally:
        rabbitmq.thaw()
    eventually(lambda: arrived(sink, sent), RECOVERY_SECONDS, what="11 deliveries")
    assert relay.cli("doctor").status == 0


@pytest.mark.parametrize("command", ["worker", "web", "beat", "up"])
def test_redis_is_asked_for(tmp_path: Path, command: str) -> None:
    """Beside RabbitMQ a Redis must be named: no role starts without, and says so in one line."""
    relay = RunningRelay(tmp_path, broker="amqp://127.0.0.1//")
    relay.env["RELAY_REDIS_URL"] = ""
    assert "RELAY_REDIS_URL" in relay.cli(command).fails(2)
