"""The plain Celery way: one task for each POST, written as people write it. The baseline of whole-system benchmarks."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from celery import Celery

from benchmarks.stage import Stage
from tests.support.processes import Child

BROKER = "BENCHMARK_BROKER_URL"


def build(broker: str) -> Celery:
    """Return the application with its one task, `plain.post(url, payload)`."""
    made = Celery("plain", broker=broker, set_as_current=False)
    made.conf.update(task_ignore_result=True, broker_connection_retry_on_startup=True)

    @made.task(name="plain.post", shared=False, autoretry_for=(requests.RequestException,), retry_backoff=True)
    def post(url: str, payload: dict[str, Any]) -> None:
        requests.post(url, json=payload, timeout=15)

    return made


app = build(os.environ.get(BROKER, "redis://"))


@contextmanager
def publisher(broker: str) -> Iterator[Any]:
    """Yield the task, to be published to a broker."""
    with build(broker) as made:
        yield made.tasks["plain.post"]


def worker(stage: Stage) -> Child:
    """Start a worker of the plain way, as large as ours."""
    return stage.worker("benchmarks.plain", {BROKER: stage.valkey.url})
