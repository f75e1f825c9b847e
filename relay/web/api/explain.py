"""`POST /api/v1/explain` and `/targets/{name}/test`: see before you send."""

from datetime import UTC, datetime
from functools import partial
from typing import Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from relay.domain.event import JSON, Event, encode
from relay.domain.listing import is_id, show_attempt
from relay.errors import NotFound
from relay.pipeline.backtest import MESSAGES_AT_MOST, backtest, period, route_for, show_backtest
from relay.pipeline.preview import event_of, explain, sample_event, send_test, show_explained
from relay.web.body import json_of, read_body
from relay.web.problems import Problem

BODY_AT_MOST = 1 << 20
TEXT_AT_MOST = 4000
MESSAGES = 20
"""Messages that a backtest shows unless more are asked for."""

_BACKTEST = frozenset({"route", "since", "until", "limit"})


async def explain_event(request: Request) -> Response:
    """Return what would become of an event; or what a route would have made of stored ones."""
    asked = json_of(await read_body(request, BODY_AT_MOST))
    if not isinstance(asked, dict) or len(asked.keys() & {"event", "route"}) != 1:
        raise Problem(400, 'send {"event": ...}, an id or an event; or {"route": {...}, "since": "7d"}')
    known = _BACKTEST if "route" in asked else {"event"}
    if unknown := asked.keys() - known:
        raise Problem(400, f"unknown key {min(unknown)}: there are {', '.join(sorted(known))}")
    answer = _backtest if "route" in asked else _explain
    found = await to_thread.run_sync(partial(answer, request.app.state.parts, asked))
    return Response(encode(found), media_type=JSON)


async def try_target(request: Request) -> Response:
    """Send one test message now, and return the attempt: what came of it is its `outcome`."""
    text = _text(await read_body(request, BODY_AT_MOST))
    parts, name = request.app.state.parts, request.path_params["name"]
    event = sample_event(text, datetime.now(UTC))
    live = await to_thread.run_sync(parts.following.refresh)
    attempt = show_attempt(await to_thread.run_sync(send_test, live, name, event, text, parts.transport))
    del attempt["number"]
    return JSONResponse(attempt)


def _explain(parts: Any, asked: dict[str, Any]) -> dict[str, Any]:
    return show_explained(*explain(parts.following.refresh(), _event(parts, asked["event"])))


def _event(parts: Any, given: Any) -> Event:
    if not isinstance(given, str):
        return event_of(given, datetime.now(UTC))
    found: Event | None = parts.events.get(given) if is_id(given) else None
    if found is None:
        raise NotFound("there is no such event")
    return found


def _backtest(parts: Any, asked: dict[str, Any]) -> dict[str, Any]:
    limit = asked.get("limit", MESSAGES)
    if type(limit) is not int or not 0 <= limit <= MESSAGES_AT_MOST:
        raise Problem(400, f"limit: a number from 0 to {MESSAGES_AT_MOST}")
    for name in ("since", "until"):
        if not isinstance(asked.get(name), str | None):
            raise Problem(400, f"{name}: text, a time or how long ago: 15m, 2h, 7d")
    live = parts.following.refresh()
    filters = period(asked.get("since"), asked.get("until"))
    return show_backtest(backtest(live, parts.events, route_for(live, asked["route"]), filters, limit))


def _text(body: bytes) -> str | None:
    if not body:
        return None
    asked = json_of(body)
    text = asked.get("text") if isinstance(asked, dict) and asked.keys() <= {"text"} else ...
    if not isinstance(text, str | None) or len(text or "") > TEXT_AT_MOST or text == "":
        raise Problem(400, f'send nothing, or {{"text": "..."}} of 1 to {TEXT_AT_MOST} characters')
    return text
