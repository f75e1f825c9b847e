"""Celery's consumer, without what the relay has no use for, and with what it cannot do without."""

from collections.abc import Callable
from typing import Any

from celery.worker import consumer
from kombu import Message
from kombu.transport import virtual

_WHOLE = consumer.Consumer.Blueprint
_UNUSED = ":DelayedDelivery"


class Consumer(consumer.Consumer):
    """Leaves out native delayed delivery: on RabbitMQ it would put 28 queues beside ours, for countdowns we never use.

    A message that could not be acknowledged gives its place back. Celery lets it keep the place: a worker whose every
    process was busy while Redis went away would never hear of anything again.
    """

    Blueprint: Any = type(
        "Blueprint", (_WHOLE,), {"default_steps": [step for step in _WHOLE.default_steps if not step.endswith(_UNUSED)]}
    )

    def call_soon_ack(self, p: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Acknowledge or reject a message soon; `p` is the method of the message that does it."""
        message = getattr(p, "__self__", None)

        def settle(*given: Any, **named: Any) -> None:
            try:
                p(*given, **named)
            finally:
                if isinstance(message, Message) and not message.acknowledged:
                    _forget(message)

        soon: Callable[..., Any] = super().call_soon_ack  # type: ignore[misc]  # the stubs know of no such method
        return soon(settle, *args, **kwargs)


def _forget(message: Message) -> None:
    """Count a message as done here, whatever the broker thinks: it comes again, or another nudge does."""
    channel: Any = message.channel
    # RabbitMQ's own channels end with their connection, and their counts with them.
    if isinstance(channel, virtual.Channel) and message.delivery_tag is not None:
        virtual.QoS.ack(channel.qos, message.delivery_tag)
