"""The plain Celery way: one task for each POST, written as people write it. The baseline of whole-system benchmarks."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from celery import Celery
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.stage import Stage
from relay.web.serve import serve
from tests.support.processes import HOST, Child

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


def door(sink: str) -> Starlette:
    """Return an application that publishes a task for each event of a batch, as people write it."""

    def publish(events: list[dict[str, Any]]) -> None:
        for event in events:
            app.tasks["plain.post"].delay(sink + event["type"].partition(".")[0], event["data"])

    async def take(request: Request) -> Response:
        await run_in_threadpool(publish, await request.json())
        return Response(status_code=202)

    return Starlette(routes=[Route("/", take, methods=["POST"])])


if __name__ == "__main__":
    serve(door(sys.argv[2]), HOST, int(sys.argv[1]))
