"""`/in/{source}`: the one endpoint for other services."""

import asyncio
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from relay.domain.event import JSON
from relay.domain.inbound import Answer, Inbound
from relay.errors import TooMany
from relay.pipeline.accept import read
from relay.pipeline.live import LiveSource
from relay.web.body import read_body
from relay.web.problems import Problem
from relay.web.protocol import HEAD_AT_MOST

if TYPE_CHECKING:
    from relay.web.app import Parts

HEADERS_AT_MOST = 100


class Receiver:
    """Serves requests that bring events. An ASGI application: what Starlette puts around a function costs time."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        response = await _receive(Request(scope, receive))
        await response(scope, receive, send)


async def greet(request: Request) -> Response:
    """Answer a sender that asks, before it sends anything, whether it may; 405 where the provider knows no such way."""
    source = await _source(request.app.state.parts, request.path_params["source"])
    headers = _headers(request)
    answer = source.provider.greet(Inbound(request.method, _url(request, headers), headers, b""))
    if answer is None:
        raise Problem(405, "send events with POST", {"allow": "POST"})
    return _answered(answer)


async def _receive(request: Request) -> Response:
    """Answer 202 and the event's id once it is on disk; 200 and the first id for a repeat.

    Where one request brings several events, `ids` names them all, and `id` the first.
    """
    state = request.app.state
    source = await _source(state.parts, request.path_params["source"])
    headers = _headers(request)
    body = await read_body(request, source.options.max_body)
    sent = Inbound(request.method, _url(request, headers), headers, body)
    sent = await state.library.supply(source.provider, sent)
    now = datetime.now(UTC)
    source.provider.verify(sent, now)
    if source.options.rate is not None:
        await _admit(state.parts, source.options.name, source.options.rate)
    got = read(source, sent, now)
    if isinstance(got, Answer):
        if got.visit is not None:
            await state.library.visit(got.visit)
        return _answered(got)
    if len(got) == 1:
        known = await state.gatherer.add(got[0])
        return Response(b'{"id":"%b"}' % known.encode(), 202 if known == got[0].id else 200, media_type=JSON)
    ids = await asyncio.gather(*(state.gatherer.add(event) for event in got))
    fresh = any(known == event.id for known, event in zip(ids, got, strict=True))
    return JSONResponse({"id": next(iter(ids), None), "ids": ids}, 202 if fresh else 200)


async def _admit(parts: "Parts", name: str, rate: float) -> None:
    """Count a genuine request of a source. Raises `TooMany` over its rate, counted for all web processes."""
    if seconds := await to_thread.run_sync(parts.quota.wait, name, rate):
        raise TooMany(math.ceil(seconds))


async def _source(parts: "Parts", name: str) -> LiveSource:
    """Return a source; one that is not known is looked for once more, as it may just have been added."""
    live = parts.following.latest
    if name not in live.sources:
        live = await to_thread.run_sync(parts.following.current)
    if name not in live.sources:
        raise Problem(404, "there is no such source")
    return live.sources[name]


def _headers(request: Request) -> Mapping[str, str]:
    """Return the headers, those of one name joined. Raises `Problem` for too many, and where they name no one host."""
    headers: dict[str, str] = {}
    length = 0
    raw = request.scope["headers"]
    for raw_name, raw_value in raw:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
        length += len(name) + len(value)
    if len(raw) > HEADERS_AT_MOST or length > HEAD_AT_MOST:
        raise Problem(431, f"there are more than {HEADERS_AT_MOST} headers, or {HEAD_AT_MOST} bytes of them")
    host = headers.get("host", "")
    if request.scope["http_version"] != "1.0" and (not host or "," in host):
        raise Problem(400, "a request names one host")
    return headers


def _url(request: Request, headers: Mapping[str, str]) -> str:
    """Return the address the sender used: as the operator names it, whatever proxy is before it, or as requested."""
    scope = request.scope
    public: str | None = request.app.state.parts.public_url
    base = public if public is not None else f"{scope['scheme']}://{headers.get('host', '')}"
    path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
    query = scope["query_string"].decode("latin-1")
    return f"{base}{path}?{query}" if query else base + path


def _answered(answer: Answer) -> Response:
    return Response(answer.body, answer.status, dict(answer.headers), answer.content_type)
