"""`/api/v1/targets`: how each stands; pause and resume."""

from datetime import UTC, datetime

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from relay.pipeline.targets import show_target
from relay.web.body import json_of, read_body
from relay.web.problems import Problem

BODY_AT_MOST = 1 << 12
REASON_AT_MOST = 500


async def list_targets(request: Request) -> Response:
    """Return every target, in the order of the configuration; all of them, there are few."""
    found = await to_thread.run_sync(request.app.state.parts.targets.all)
    return JSONResponse({"items": [show_target(standing) for standing in found], "next_cursor": None})


async def show_one_target(request: Request) -> Response:
    """Return a target and how it stands."""
    found = await to_thread.run_sync(request.app.state.parts.targets.get, request.path_params["name"])
    return JSONResponse(show_target(found))


async def pause_target(request: Request) -> Response:
    """Pause a target, for the `reason` in the body if there is one, and return how it stands."""
    reason = _reason(await read_body(request, BODY_AT_MOST))
    pause = request.app.state.parts.targets.pause
    paused = await to_thread.run_sync(pause, request.path_params["name"], reason, datetime.now(UTC))
    return JSONResponse(show_target(paused))


async def resume_target(request: Request) -> Response:
    """Resume a target, and return how it stands."""
    resume = request.app.state.parts.targets.resume
    resumed = await to_thread.run_sync(resume, request.path_params["name"], datetime.now(UTC))
    return JSONResponse(show_target(resumed))


def _reason(body: bytes) -> str | None:
    if not body:
        return None
    asked = json_of(body)
    reason = asked.get("reason") if isinstance(asked, dict) and asked.keys() <= {"reason"} else ...
    if not isinstance(reason, str | None) or len(reason or "") > REASON_AT_MOST or "\0" in (reason or ""):
        raise Problem(400, f'send nothing, or {{"reason": "..."}} of at most {REASON_AT_MOST} characters')
    return reason
