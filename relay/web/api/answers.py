"""Answers of the API to what is asked of one part of the relay."""

from collections.abc import Callable
from typing import Any

from anyio import to_thread
from starlette.responses import JSONResponse, Response

Show = Callable[[Any], dict[str, Any]]


async def shown(show: Show, work: Callable[..., Any], *given: Any) -> Response:
    """Return what `work` returns, done beside the event loop, as `show` tells it."""
    return JSONResponse(show(await to_thread.run_sync(work, *given)))


async def all_shown(show: Show, work: Callable[..., Any], *given: Any) -> Response:
    """Return all that `work` returns, which is few: a listing of one page."""
    found = await to_thread.run_sync(work, *given)
    return JSONResponse({"items": [show(one) for one in found], "next_cursor": None})
