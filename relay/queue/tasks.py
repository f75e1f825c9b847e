"""The Celery tasks: each says when, the line says what."""

from collections.abc import Callable
from typing import Protocol

from celery import Celery

from relay import log
from relay.errors import StoreUnavailable

_log = log.get(__name__)


class Line(Protocol):
    """What a worker can be asked to do."""

    def collect(self) -> None:
        """Take in what outboxes hold."""

    def fan_out(self) -> None:
        """Route what waits."""

    def deliver(self) -> None:
        """Deliver what is due."""

    def sweep(self) -> None:
        """Nudge whatever is late."""


def register(app: Celery, line: Callable[[], Line]) -> None:
    """Give `app` the relay's tasks; `line` returns the line of the process that runs one."""

    @app.task(name="relay.collect")
    def collect() -> None:
        """Take in what outboxes hold, route and deliver it."""
        _run(line().collect)

    @app.task(name="relay.fan_out")
    def fan_out() -> None:
        """Route the events that wait, and deliver them."""
        _run(line().fan_out)

    @app.task(name="relay.deliver")
    def deliver() -> None:
        """Deliver what is due."""
        _run(line().deliver)

    @app.task(name="relay.sweep")
    def sweep() -> None:
        """Nudge whatever is due, orphaned or late."""
        _run(line().sweep)


def _run(step: Callable[[], None]) -> None:
    """Run a step. A database that is away is no failure of the task: the sweep asks again until it is back."""
    try:
        step()
    except StoreUnavailable as error:
        _log.warning("task.waits", error=error.message)
