"""`/healthz` and `/readyz`: alive, and able to take work."""

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from relay.errors import StoreUnavailable
from relay.web.problems import RETRY_AFTER, Problem


async def alive(_: Request) -> Response:
    """Answer that the process runs."""
    return JSONResponse({"status": "ok"})


async def ready(request: Request) -> Response:
    """Answer whether events can be stored: the database is there, and migrated."""
    try:
        behind = await to_thread.run_sync(request.app.state.parts.schema_pending)
    except StoreUnavailable as error:
        raise Problem(503, error.message, {"retry-after": RETRY_AFTER}) from None
    if behind:
        raise Problem(503, "the database is not migrated: run `relay migrate`", {"retry-after": RETRY_AFTER})
    return JSONResponse({"status": "ok"})
