"""`/api/v1/routes`: how each stands; mute and unmute."""

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from relay.domain.durations import parse_duration
from relay.pipeline.routes import show_route
from relay.web.api.answers import all_shown, shown
from relay.web.body import json_of, read_body
from relay.web.problems import Problem

BODY_AT_MOST = 1 << 12


async def list_routes(request: Request) -> Response:
    """Return every route, in the order of the configuration; all of them."""
    return await all_shown(show_route, request.app.state.parts.routes.all, datetime.now(UTC))


async def show_one_route(request: Request) -> Response:
    """Return a route and how it stands."""
    get = request.app.state.parts.routes.get
    return await shown(show_route, get, request.path_params["name"], datetime.now(UTC))


async def mute_route(request: Request) -> Response:
    """Mute a route `for` the time in the body, and return how it stands."""
    seconds = _seconds(await read_body(request, BODY_AT_MOST))
    mute = request.app.state.parts.routes.mute
    return await shown(show_route, mute, request.path_params["name"], seconds, datetime.now(UTC))


async def unmute_route(request: Request) -> Response:
    """Let a muted route speak again, and return how it stands."""
    unmute = request.app.state.parts.routes.unmute
    return await shown(show_route, unmute, request.path_params["name"], datetime.now(UTC))


def _seconds(body: bytes) -> float:
    asked = json_of(body) if body else None
    if not isinstance(asked, dict) or asked.keys() != {"for"}:
        raise Problem(400, 'send {"for": "2h"}')
    try:
        return parse_duration(asked["for"])
    except ValueError as error:
        raise Problem(400, f"for: {error}") from None
