"""`POST /in/{source}`: the one endpoint for other services."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from relay.domain.inbound import Answer, Inbound
from relay.pipeline.accept import read
from relay.pipeline.live import LiveSource
from relay.web.body import read_body
from relay.web.problems import Problem

if TYPE_CHECKING:
    from relay.web.app import Parts


async def receive(request: Request) -> Response:
    """Answer 202 and the event's id once it is on disk; 200 and the first id for a repeat."""
    parts: Parts = request.app.state.parts
    source = await _source(parts, request.path_params["source"])
    body = await read_body(request, source.options.max_body)
    got = read(source, _inbound(request, body), datetime.now(UTC))
    if isinstance(got, Answer):
        return Response(got.body, got.status, media_type=got.content_type)
    known = await request.app.state.gatherer.add(got)
    return JSONResponse({"id": known}, 202 if known == got.id else 200)


async def _source(parts: "Parts", name: str) -> LiveSource:
    """Return a source; one that is not known is looked for once more, as it may just have been added."""
    live = parts.following.latest
    if name not in live.sources:
        live = await to_thread.run_sync(parts.following.current)
    if name not in live.sources:
        raise Problem(404, "there is no such source")
    return live.sources[name]


def _inbound(request: Request, body: bytes) -> Inbound:
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return Inbound(request.method, str(request.url), headers, body)
