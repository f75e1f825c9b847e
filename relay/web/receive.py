"""`/in/{source}`: the one endpoint for other services."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from anyio import to_thread
from starlette.datastructures import State
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from relay.domain.inbound import Answer, Inbound
from relay.errors import RelayError, TooMany
from relay.pipeline.accept import read
from relay.pipeline.live import Following, LiveSource
from relay.web import problems
from relay.web.body import body_of
from relay.web.problems import Problem
from relay.web.protocol import HEAD_AT_MOST

if TYPE_CHECKING:
    from relay.web.app import Parts

PLACE = "/in/"
METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST"})
HEADERS_AT_MOST = 100


class Receiver:
    """Serves requests that bring events, errors included: what Starlette puts around a function costs time."""

    def __init__(self, state: State) -> None:
        """Work with what the application's state holds: `parts`, `library` and `gatherer`."""
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request of a path that begins with `PLACE`."""
        try:
            response = await self._answered(scope, receive)
        except RelayError as error:
            response = problems.told(error)
        except Exception as error:
            await problems.told(error)(scope, receive, send)
            raise
        await response(scope, receive, send)

    async def _answered(self, scope: Scope, receive: Receive) -> ASGIApp:
        method = scope["method"]
        if method not in METHODS:
            raise _unasked()
        parts = self._state.parts
        name = scope["path"][len(PLACE) :]
        source = parts.following.latest.sources.get(name) or await _found(parts.following, name)
        headers = _headers(scope)
        url = _url(scope, headers, parts.public_url)
        if method != "POST":
            return _greeted(source, Inbound(method, url, headers, b""))
        body = await body_of(receive, headers, source.options.max_body)
        return await self._taken(source, Inbound(method, url, headers, body))

    async def _taken(self, source: LiveSource, sent: Inbound) -> ASGIApp:
        """Return 202 and the event's id once it is on disk; 200 and the first id for a repeat.

        Where one request brings several events, `ids` names them all, and `id` the first.
        """
        need = source.provider.needs(sent)
        if need is not None:
            sent = await self._state.library.supply(need, sent)
        now = datetime.now(UTC)
        source.provider.verify(sent, now)
        if source.options.rate is not None:
            await _admit(self._state.parts, source.options.name, source.options.rate)
        got = read(source, sent, now)
        if isinstance(got, Answer):
            if got.visit is not None:
                await self._state.library.visit(got.visit)
            return _response(got)
        if len(got) == 1:
            known = await self._state.gatherer.add(got[0])
            return Stored(202 if known == got[0].id else 200, b'{"id":"%b"}' % known.encode())
        ids = await self._state.gatherer.add_all(got)
        fresh = any(known == event.id for known, event in zip(ids, got, strict=True))
        return JSONResponse({"id": next(iter(ids), None), "ids": ids}, 202 if fresh else 200)


class Stored:
    """The answer to nearly every request: Starlette would spend as long on it as on storing the event."""

    __slots__ = ("_body", "_status")

    def __init__(self, status: int, body: bytes) -> None:
        self._status = status
        self._body = body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(self._body))]
        await send({"type": "http.response.start", "status": self._status, "headers": headers})
        await send({"type": "http.response.body", "body": self._body})


def _greeted(source: LiveSource, request: Inbound) -> Response:
    """Return what a sender hears that asks, before it sends anything, whether it may; few do."""
    answer = source.provider.greet(request)
    if answer is None:
        raise _unasked()
    return _response(answer)


def _unasked() -> Problem:
    return Problem(405, "send events with POST", {"allow": "POST"})


async def _admit(parts: "Parts", name: str, rate: float) -> None:
    """Count a genuine request of a source. Raises `TooMany` over its rate, counted for all web processes."""
    if seconds := await to_thread.run_sync(parts.quota.wait, name, rate):
        raise TooMany(math.ceil(seconds))


async def _found(following: Following, name: str) -> LiveSource:
    """Return a source that is not known yet: it may just have been added."""
    live = await to_thread.run_sync(following.current)
    if name not in live.sources:
        raise Problem(404, "there is no such source")
    return live.sources[name]


def _headers(scope: Scope) -> Mapping[str, str]:
    """Return the headers, those of one name joined. Raises `Problem` for too many, and where they name no one host."""
    headers: dict[str, str] = {}
    length = 0
    raw = scope["headers"]
    for raw_name, raw_value in raw:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
        length += len(name) + len(value)
    if len(raw) > HEADERS_AT_MOST or length > HEAD_AT_MOST:
        raise Problem(431, f"there are more than {HEADERS_AT_MOST} headers, or {HEAD_AT_MOST} bytes of them")
    host = headers.get("host", "")
    if scope["http_version"] != "1.0" and (not host or "," in host):
        raise Problem(400, "a request names one host")
    return headers


def _url(scope: Scope, headers: Mapping[str, str], public: str | None) -> str:
    """Return the address the sender used: as the operator names it, whatever proxy is before it, or as requested."""
    base = public if public is not None else f"{scope['scheme']}://{headers.get('host', '')}"
    path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
    query = scope["query_string"].decode("latin-1")
    return f"{base}{path}?{query}" if query else base + path


def _response(answer: Answer) -> Response:
    return Response(answer.body, answer.status, dict(answer.headers), answer.content_type)
