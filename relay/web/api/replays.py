"""`/api/v1/replays`: what has ended is sent again, at a pace, visibly, until cancelled."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from relay.domain.listing import DELIVERY_FILTERS, filters_of, is_id, show_replay
from relay.domain.replay import Started
from relay.pipeline.replay import Replaying, pace
from relay.web.api.answers import shown
from relay.web.api.query import page, path_id, read_query
from relay.web.body import json_of, read_body
from relay.web.problems import Problem

BODY_AT_MOST = 1 << 16
IDS_AT_MOST = 1000


async def start_replay(request: Request) -> Response:
    """Answer 202 with the replay's id and the number of deliveries that are sent again."""
    asked = _asked(await read_body(request, BODY_AT_MOST))
    begin = _start(request.app.state.parts.replay, asked)
    started = await to_thread.run_sync(begin, datetime.now(UTC))
    return JSONResponse({"id": started.id, "count": started.count, "events": started.events}, 202)


async def list_replays(request: Request) -> Response:
    """Return replays, newest first."""
    _, cursor, limit = read_query(request.query_params, ())
    found = await to_thread.run_sync(request.app.state.parts.replay.find, cursor, limit + 1)
    return JSONResponse(page([show_replay(replay) for replay in found], limit, "id"))


async def show_one_replay(request: Request) -> Response:
    """Return a replay and how far it is."""
    return await shown(show_replay, request.app.state.parts.replay.get, path_id(request))


async def cancel_replay(request: Request) -> Response:
    """Cancel what still waits of a replay, and return what is left of it."""
    return await shown(show_replay, request.app.state.parts.replay.cancel, path_id(request), datetime.now(UTC))


def _asked(body: bytes) -> dict[str, Any]:
    asked = json_of(body)
    if not isinstance(asked, dict) or len(asked.keys() & {"ids", "filter"}) != 1:
        raise Problem(400, 'name what to replay: {"ids": [...]}, or {"filter": {...}}, and "rate" if you like')
    if unknown := asked.keys() - {"ids", "filter", "rate"}:
        raise Problem(400, f"unknown key {min(unknown)}: there are ids, filter and rate")
    return asked


def _start(replaying: Replaying, asked: dict[str, Any]) -> Callable[[datetime], Started]:
    given = asked.get("rate")
    if not isinstance(given, str | None):
        raise Problem(400, "rate: text such as 20/s")
    rate = pace(given)
    if "ids" in asked:
        return partial(replaying.by_id, _ids(asked["ids"]), rate)
    return partial(replaying.by_filter, _filters(asked["filter"]), rate)


def _ids(given: Any) -> list[str]:
    if not isinstance(given, list) or not 0 < len(given) <= IDS_AT_MOST:
        raise Problem(400, f"ids: a list of 1 to {IDS_AT_MOST} ids of events and deliveries")
    for one in given:
        if not isinstance(one, str) or not is_id(one):
            raise Problem(400, f"ids: {one} is no id")
    return given


def _filters(given: Any) -> dict[str, Any]:
    if not isinstance(given, dict) or not given or not all(isinstance(value, str) for value in given.values()):
        raise Problem(400, f"filter: an object of text, at least one of {', '.join(DELIVERY_FILTERS)}")
    if unknown := given.keys() - set(DELIVERY_FILTERS):
        raise Problem(400, f"filter: unknown {min(unknown)}: there are {', '.join(DELIVERY_FILTERS)}")
    return filters_of(given)
