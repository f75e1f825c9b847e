"""Who may use the API: whoever knows the token."""

import hmac
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from relay.web.problems import Problem

Endpoint = Callable[[Request], Awaitable[Response]]


def is_token(request: Request, given: str) -> bool:
    """Say whether the text is the API token; in constant time, and never while there is none."""
    expected: str = request.app.state.parts.api_token or ""
    return bool(expected) and hmac.compare_digest(given.encode(errors="replace"), expected.encode())


def signed_in(endpoint: Endpoint) -> Endpoint:
    """Return `endpoint` for those alone who send `Authorization: Bearer TOKEN`; others get 401."""

    async def guarded(request: Request) -> Response:
        if not request.app.state.parts.api_token:
            raise Problem(401, "the API is shut: set RELAY_API_TOKEN")
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not is_token(request, token.strip()):
            raise Problem(401, "send Authorization: Bearer and the API token", {"www-authenticate": "Bearer"})
        return await endpoint(request)

    return guarded
