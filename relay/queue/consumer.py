"""Celery's consumer, without what the relay has no use for."""

from typing import Any

from celery.worker import consumer

_WHOLE = consumer.Consumer.Blueprint
_UNUSED = ":DelayedDelivery"


class Consumer(consumer.Consumer):
    """Leaves out native delayed delivery: on RabbitMQ it would put 28 queues beside ours, for countdowns we never use."""

    Blueprint: Any = type(
        "Blueprint", (_WHOLE,), {"default_steps": [step for step in _WHOLE.default_steps if not step.endswith(_UNUSED)]}
    )
