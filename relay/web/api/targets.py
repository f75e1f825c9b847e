"""`/api/v1/targets`: how each stands; pause and resume."""

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from relay.pipeline.targets import show_target
from relay.web.api.answers import all_shown, shown
from relay.web.body import json_of, read_body
from relay.web.problems import Problem

BODY_AT_MOST = 1 << 12
REASON_AT_MOST = 500


async def list_targets(request: Request) -> Response:
    """Return every target, in the order of the configuration; all of them, there are few."""
    return await all_shown(show_target, request.app.state.parts.targets.all)


async def show_one_target(request: Request) -> Response:
    """Return a target and how it stands."""
    return await shown(show_target, request.app.state.parts.targets.get, request.path_params["name"])


async def pause_target(request: Request) -> Response:
    """Pause a target, for the `reason` in the body if there is one, and return how it stands."""
    reason = _reason(await read_body(request, BODY_AT_MOST))
    pause = request.app.state.parts.targets.pause
    return await shown(show_target, pause, request.path_params["name"], reason, datetime.now(UTC))


async def resume_target(request: Request) -> Response:
    """Resume a target, and return how it stands."""
    resume = request.app.state.parts.targets.resume
    return await shown(show_target, resume, request.path_params["name"], datetime.now(UTC))


def _reason(body: bytes) -> str | None:
    if not body:
        return None
    asked = json_of(body)
    reason = asked.get("reason") if isinstance(asked, dict) and asked.keys() <= {"reason"} else ...
    if not isinstance(reason, str | None) or len(reason or "") > REASON_AT_MOST or "\0" in (reason or ""):
        raise Problem(400, f'send nothing, or {{"reason": "..."}} of at most {REASON_AT_MOST} characters')
    return reason
