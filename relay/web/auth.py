"""Who may use the API: whoever knows the token."""

import hmac
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from relay.web.problems import Problem

Endpoint = Callable[[Request], Awaitable[Response]]


def signed_in(endpoint: Endpoint) -> Endpoint:
    """Return `endpoint` for those alone who send `Authorization: Bearer TOKEN`; others get 401."""

    async def guarded(request: Request) -> Response:
        expected: str | None = request.app.state.parts.api_token
        if not expected:
            raise Problem(401, "the API is shut: set RELAY_API_TOKEN")
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(token.strip().encode(), expected.encode()):
            raise Problem(401, "send Authorization: Bearer and the API token", {"www-authenticate": "Bearer"})
        return await endpoint(request)

    return guarded
