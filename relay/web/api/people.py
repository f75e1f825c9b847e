"""`/api/v1/people`: who has which place, given and taken away."""

from datetime import UTC, datetime
from functools import partial

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from relay.pipeline.people import show_person
from relay.web.api.answers import all_shown, shown
from relay.web.body import json_of, read_body
from relay.web.problems import Problem

BODY_AT_MOST = 1 << 16


async def list_people(request: Request) -> Response:
    """Return everybody, by name."""
    return await all_shown(show_person, request.app.state.parts.people.all)


async def show_one_person(request: Request) -> Response:
    """Return a person and how their place stands."""
    return await shown(show_person, request.app.state.parts.people.get, request.path_params["name"])


async def put_person(request: Request) -> Response:
    """Give a person the place that the body says, and return how it stands."""
    place = json_of(await read_body(request, BODY_AT_MOST))
    if not isinstance(place, dict):
        raise Problem(400, 'send the place: {"kind": "google_chat", "url": "https://..."}')
    put = partial(request.app.state.parts.people.put, resolve=False)
    return await shown(show_person, put, request.path_params["name"], place, datetime.now(UTC))


async def remove_person(request: Request) -> Response:
    """Remove a person; what waits for them is cancelled."""
    remove = request.app.state.parts.people.remove
    await to_thread.run_sync(remove, request.path_params["name"], datetime.now(UTC))
    return Response(status_code=204)
