"""`/in/{source}`: the one endpoint for other services."""

import asyncio
from dataclasses import replace
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
from relay.web.protocol import HEAD_AT_MOST

if TYPE_CHECKING:
    from relay.web.app import Parts

HEADERS_AT_MOST = 100


async def receive(request: Request) -> Response:
    """Answer 202 and the event's id once it is on disk; 200 and the first id for a repeat.

    Where one request brings several events, `ids` names them all, and `id` the first.
    """
    parts: Parts = request.app.state.parts
    source = await _source(parts, request.path_params["source"])
    asked = _inbound(request)
    sent = replace(asked, body=await read_body(request, source.options.max_body))
    sent = await request.app.state.library.supply(source.provider, sent)
    got = read(source, sent, datetime.now(UTC))
    if isinstance(got, Answer):
        if got.visit is not None:
            await request.app.state.library.visit(got.visit)
        return _answered(got)
    if len(got) == 1:
        known = await request.app.state.gatherer.add(got[0])
        return JSONResponse({"id": known}, 202 if known == got[0].id else 200)
    ids = await asyncio.gather(*(request.app.state.gatherer.add(event) for event in got))
    fresh = any(known == event.id for known, event in zip(ids, got, strict=True))
    return JSONResponse({"id": next(iter(ids), None), "ids": ids}, 202 if fresh else 200)


async def greet(request: Request) -> Response:
    """Answer a sender that asks, before it sends anything, whether it may; 405 where the provider knows no such way."""
    source = await _source(request.app.state.parts, request.path_params["source"])
    answer = source.provider.greet(_inbound(request))
    if answer is None:
        raise Problem(405, "send events with POST", {"allow": "POST"})
    return _answered(answer)


async def _source(parts: "Parts", name: str) -> LiveSource:
    """Return a source; one that is not known is looked for once more, as it may just have been added."""
    live = parts.following.latest
    if name not in live.sources:
        live = await to_thread.run_sync(parts.following.current)
    if name not in live.sources:
        raise Problem(404, "there is no such source")
    return live.sources[name]


def _inbound(request: Request) -> Inbound:
    """Return what is known of a request before its body. Raises `Problem` for too many headers."""
    headers: dict[str, str] = {}
    length = 0
    for raw_name, raw_value in request.scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
        length += len(name) + len(value)
    if len(request.scope["headers"]) > HEADERS_AT_MOST or length > HEAD_AT_MOST:
        raise Problem(431, f"there are more than {HEADERS_AT_MOST} headers, or {HEAD_AT_MOST} bytes of them")
    return Inbound(request.method, _url(request), headers, b"")


def _url(request: Request) -> str:
    """Return the address the sender used: as the operator names it, whatever proxy is before it, or as requested."""
    public: str | None = request.app.state.parts.public_url
    if public is None:
        return str(request.url)
    scope = request.scope
    path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
    query = scope["query_string"].decode("latin-1")
    return f"{public}{path}?{query}" if query else public + path


def _answered(answer: Answer) -> Response:
    return Response(answer.body, answer.status, dict(answer.headers), answer.content_type)
