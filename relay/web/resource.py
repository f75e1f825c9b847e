"""Paths that take several methods."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from relay.web.auth import Endpoint


def resource(path: str, **endpoints: Endpoint) -> Route:
    """Return the one route of a path, with an endpoint for each method: `resource("/events", GET=look, POST=add)`.

    One route, so that a 405 names all methods in `Allow`. HEAD is answered where GET is.
    """

    async def answer(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        return await endpoints[method](request)

    return Route(path, answer, methods=list(endpoints))
