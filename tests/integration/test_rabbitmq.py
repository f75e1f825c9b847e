"""RabbitMQ as the broker: nudges travel through it, and nothing is lost whatever becomes of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from amqp.exceptions import NotFound, PreconditionFailed
from kombu import Connection

from relay.domain.event import new_id
from relay.queue.app import QUEUE
from tests.support.processes import eventually
from tests.support.rabbitmq import RabbitMQ, rabbitmq
from tests.support.relay import RunningRelay
from tests.support.sink import Sink
from tests.support.sink_server import Answer
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
        relay.start_all()
        eventually(lambda: rabbitmq.remembers(QUEUE), what="a queue on disk")
        yield relay
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


def swept_up(relay: RunningRelay, sink: Sink) -> None:
    """Commit a row to the outbox without a word to anybody, and wait for its delivery."""
    row = {"id": new_id(), "now": "2026-01-01T00:00:00.000000Z"}
    columns = "(id, source, type, data, occurred_at) values (:id, 'own', 'own.row', '{}', :now)"
    relay.rows(f"insert into relay_outbox {columns} returning seq", **row)
    eventually(lambda: arrived(sink, {row["id"]}), RECOVERY_SECONDS, what="what the sweep finds")


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


def test_a_broker_that_is_killed_loses_nothing(relay: RunningRelay, rabbitmq: RabbitMQ, sink: Sink) -> None:
    """With work pending and more coming in, the broker dies and comes back: every event is delivered, each once."""
    sink.on("/billing", *[Answer(status=503)] * 8, Answer())
    sent = send(relay, 30)
    rabbitmq.kill()
    sent |= send(relay, 30)
    rabbitmq.start()
    sent |= send(relay, 10)
    eventually(lambda: arrived(sink, sent), RECOVERY_SECONDS, what="70 deliveries")
    for event_id in sent:
        relay.settled(event_id, "billing")
    assert len(sink.requests("/billing")) == 70 + 8


def test_the_sweep_goes_on_after_the_broker_was_away(relay: RunningRelay, rabbitmq: RabbitMQ, sink: Sink) -> None:
    """What nobody is nudged for is swept up, by the same beat before the broker died and after it came back."""
    swept_up(relay, sink)
    rabbitmq.kill()
    rabbitmq.start()
    swept_up(relay, sink)


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
