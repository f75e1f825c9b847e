"""`POST /api/v1/events`: CloudEvents in all three modes."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from relay.domain.event import Event
from relay.pipeline.accept import envelope_of, read_cloudevent
from relay.web.body import read_body
from relay.web.problems import Problem

BODY_AT_MOST = 1 << 20
BATCH_AT_MOST = 1000


async def publish(request: Request) -> Response:
    """Answer 202 and the events' ids, in their order, once all of them are on disk."""
    body = await read_body(request, BODY_AT_MOST)
    now = datetime.now(UTC)
    events = [read_cloudevent(envelope, now) for envelope in _envelopes(request, body)]
    ids = await asyncio.gather(*(_keep(request, event) for event in events))
    return JSONResponse({"ids": ids}, 202)


async def _keep(request: Request, event: Event) -> str:
    known: str = await request.app.state.gatherer.add(event)
    return known


def _envelopes(request: Request, body: bytes) -> list[Any]:
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    match media:
        case "application/cloudevents+json":
            return [_json(body)]
        case "application/cloudevents-batch+json":
            batch = _json(body)
            if not isinstance(batch, list) or len(batch) > BATCH_AT_MOST:
                raise Problem(400, f"a batch is a JSON array of at most {BATCH_AT_MOST} CloudEvents")
            return batch
        case _ if "ce-specversion" in request.headers:
            return [envelope_of(request.headers, body)]
        case _:
            raise Problem(
                415, "send a CloudEvent: application/cloudevents+json, a batch of them, or any content with ce- headers"
            )


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Problem(400, f"not JSON: {error}") from None
