"""`GET /api/v1/events` and `/deliveries`."""

from typing import Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from relay.domain.event import JSON, encode
from relay.domain.listing import DELIVERY_FILTERS, FILTERS, show_attempt, show_delivery, show_event
from relay.web.api.query import page, path_id, read_query
from relay.web.problems import Problem

SEQ_DIGITS = 18
"""Digits of the largest number that every database takes as one of a row."""


async def list_events(request: Request) -> Response:
    """Return events, newest first."""
    filters, cursor, limit = read_query(request.query_params, FILTERS, _is_seq)
    before = None if cursor is None else int(cursor)
    found = await to_thread.run_sync(request.app.state.parts.events.find, filters, before, limit + 1)
    listed = page([show_event(event) | {"seq": event.seq} for event in found], limit, "seq")
    for item in listed["items"]:
        del item["seq"]
    return _json(listed)


async def show_one_event(request: Request) -> Response:
    """Return an event with its deliveries."""
    parts, event_id = request.app.state.parts, path_id(request)
    event = await to_thread.run_sync(parts.events.get, event_id)
    if event is None:
        raise Problem(404, "there is no such event")
    deliveries = await to_thread.run_sync(parts.deliveries.of_event, event_id)
    return _json(show_event(event) | {"deliveries": [show_delivery(delivery) for delivery in deliveries]})


async def list_deliveries(request: Request) -> Response:
    """Return deliveries, newest first."""
    filters, cursor, limit = read_query(request.query_params, DELIVERY_FILTERS)
    found = await to_thread.run_sync(request.app.state.parts.deliveries.find, filters, cursor, limit + 1)
    return _json(page([show_delivery(delivery) for delivery in found], limit, "id"))


async def show_one_delivery(request: Request) -> Response:
    """Return a delivery, and how many were folded into it."""
    delivery = await _delivery(request)
    count = await to_thread.run_sync(request.app.state.parts.deliveries.folded_count, delivery.id)
    return _json(show_delivery(delivery) | {"folded_count": count})


async def list_attempts(request: Request) -> Response:
    """Return a delivery's attempts, oldest first; all of them, there are few."""
    delivery = await _delivery(request)
    found = await to_thread.run_sync(request.app.state.parts.deliveries.attempts_of, delivery.id)
    return _json({"items": [show_attempt(attempt) for attempt in found], "next_cursor": None})


def _json(document: dict[str, Any]) -> Response:
    return Response(encode(document), media_type=JSON)


async def _delivery(request: Request) -> Any:
    found = await to_thread.run_sync(request.app.state.parts.deliveries.get, path_id(request))
    if found is None:
        raise Problem(404, "there is no such delivery")
    return found


def _is_seq(cursor: str) -> bool:
    return cursor.isdecimal() and len(cursor) <= SEQ_DIGITS
