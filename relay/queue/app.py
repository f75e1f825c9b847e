"""The Celery application: settings that were tried against crashes, and nothing of the work itself."""

from celery import Celery
from kombu import Queue

QUEUE = "relay"
SWEEP_EVERY = 1.0

_REDIS_TRANSPORT = {
    "visibility_timeout": 300,
    "unacked_restore_interval": 10,
    "unacked_restore_throttle": 1,
    # The default of 10 is fewer than a large worker's children: they would fail to acknowledge.
    "max_connections": 256,
    "socket_connect_timeout": 3,
    # Without it, publishing to a frozen broker hangs for ever.
    "socket_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 10,
}

_AMQP_TRANSPORT = {
    # A nudge counts as sent once the broker says that it has it.
    "confirm_publish": True,
    # Without these two, publishing to a frozen broker hangs for ever. It takes three times as long: the broken
    # connection is closed as politely as a sound one. That is still less than a lease.
    "read_timeout": 3,
    "write_timeout": 3,
    # Whoever publishes hears at once that the broker is away, instead of connecting for seconds under its feet.
    "max_retries": 0,
}
_QUORUM = {"x-queue-type": "quorum"}


def build(broker: str) -> Celery:
    """Return the application for a broker. Tasks carry no payload: the database holds the truth, they only nudge."""
    app = Celery("relay", broker=broker, set_as_current=False)
    amqp = broker.startswith("amqp")
    app.conf.update(
        broker_transport_options=_AMQP_TRANSPORT if amqp else _REDIS_TRANSPORT,
        broker_connection_timeout=3,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        task_default_queue=QUEUE,
        task_queues=[Queue(QUEUE, routing_key=QUEUE, queue_arguments=_QUORUM if amqp else None)],
        task_create_missing_queues=False,
        task_serializer="json",
        accept_content=["json"],
        task_acks_late=True,
        task_acks_on_failure=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        task_publish_retry=False,
        # For beat beside RabbitMQ alone: it keeps one channel, and makes a new one only when it tries again.
        task_publish_retry_policy={"max_retries": 1, "interval_start": 0},
        worker_consumer="relay.queue.consumer:Consumer",
        worker_prefetch_multiplier=1,
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        enable_utc=True,
        timezone="UTC",
        beat_schedule={
            # A sweep that waited longer than its interval is stale: the next one does its work.
            "sweep": {"task": "relay.sweep", "schedule": SWEEP_EVERY, "options": {"expires": 2.0, "retry": amqp}},
        },
        beat_max_loop_interval=SWEEP_EVERY,
        # Its one entry needs no memory: a file would be one more thing to lose.
        beat_scheduler="celery.beat:Scheduler",
    )
    return app
