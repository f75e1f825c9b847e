"""`POST /api/v1/events`: CloudEvents in all three modes."""

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from relay.domain.envelope import envelopes
from relay.domain.event import JSON
from relay.domain.packing import unpack
from relay.domain.trace import HEADER
from relay.pipeline.accept import ENCODING, read_cloudevent
from relay.web.body import read_body
from relay.web.problems import Problem

BODY_AT_MOST = 1 << 20


async def publish(request: Request) -> Response:
    """Answer 202 and the events' ids, in their order, once all of them are on disk."""
    sent = await read_body(request, BODY_AT_MOST)
    body = unpack(request.headers.get(ENCODING, ""), sent, BODY_AT_MOST)
    found = envelopes(request.headers.get("content-type", JSON), request.headers, body)
    if found is None:
        raise Problem(
            415, "send a CloudEvent: application/cloudevents+json, a batch of them, or any content with ce- headers"
        )
    now = datetime.now(UTC)
    events = [read_cloudevent(envelope, now, request.headers.get(HEADER)) for envelope in found]
    return JSONResponse({"ids": await request.app.state.gatherer.add_all(events)}, 202)
