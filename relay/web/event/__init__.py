"""`/events/{id}`: one event for people, with its deliveries and attempts; where links in messages lead.

Made on the server, without scripts. People sign in with the API token, which the browser keeps in a cookie that no
script and no other site can use.
"""

from base64 import b64encode
from hashlib import sha256
from http import HTTPStatus
from importlib import resources
from typing import Any

from anyio import to_thread
from jinja2 import Environment, PackageLoader
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute

from relay.domain.event import decode
from relay.domain.inbound import first_text
from relay.domain.listing import is_id, show_attempt, show_delivery, show_event
from relay.errors import StoreUnavailable, Unreadable
from relay.web.auth import is_token
from relay.web.body import read_body
from relay.web.event.printing import pretty
from relay.web.resource import resource

COOKIE = "relay_token"
KEPT = 30 * 24 * 3600
"""Seconds for which a browser stays signed in."""

MOST_FORM = 4096
DELIVERIES = 50
ATTEMPTS = 20
"""Of each delivery, the newest that are shown."""

_STYLE = resources.files(__package__).joinpath("templates", "event.css").read_text("utf-8")
_DIGEST = b64encode(sha256(_STYLE.encode()).digest()).decode()

HEADERS = {
    "content-security-policy": "; ".join(
        (
            "default-src 'none'",
            f"style-src 'sha256-{_DIGEST}'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}

_environment = Environment(loader=PackageLoader(__package__), autoescape=True, trim_blocks=True, lstrip_blocks=True)
_environment.globals["style"] = Markup(_STYLE)  # noqa: S704  the page's own file
_page = _environment.get_template("event.html")
_door = _environment.get_template("sign_in.html")


def routes() -> list[BaseRoute]:
    """Return the page's paths."""
    return [resource("/events/{id}", GET=show, POST=sign_in)]


async def show(request: Request) -> Response:
    """Return the event to those who are signed in, the way in to others."""
    if not is_token(request, request.cookies.get(COOKIE, "")):
        # A browser that comes from elsewhere keeps a strict cookie back: asked again by this page, it sends it along.
        come_back = (
            request.headers.get("sec-fetch-site") in ("cross-site", "same-site") and "again" not in request.query_params
        )
        return _html(_door.render(come_back=come_back, wrong=False), HTTPStatus.UNAUTHORIZED)
    try:
        shown = await to_thread.run_sync(_read, request.app.state.parts, request.path_params["id"])
    except StoreUnavailable:
        return _html(
            _page.render(trouble="The database is away: try again in a moment."), HTTPStatus.SERVICE_UNAVAILABLE
        )
    if shown is None:
        return _html(_page.render(trouble="There is no such event. What is old is not kept."), HTTPStatus.NOT_FOUND)
    return _html(_page.render(shown))


async def sign_in(request: Request) -> Response:
    """Return to the page with the token in a cookie, if it is one."""
    body = await read_body(request, MOST_FORM)
    try:
        token = first_text(decode("application/x-www-form-urlencoded", body), "token") or ""
    except Unreadable:
        token = ""
    if not is_token(request, token.strip()):
        return _html(_door.render(come_back=False, wrong=True), HTTPStatus.UNAUTHORIZED)
    response = RedirectResponse(request.url.path, HTTPStatus.SEE_OTHER, HEADERS)
    secure = (request.app.state.parts.public_url or "").startswith("https:")
    response.set_cookie(COOKIE, token.strip(), KEPT, path="/", secure=secure, httponly=True, samesite="strict")
    return response


def _read(parts: Any, event_id: str) -> dict[str, Any] | None:
    event = parts.events.get(event_id) if is_id(event_id) else None
    if event is None:
        return None
    deliveries = parts.deliveries.of_event(event_id)
    return {
        "event": show_event(event),
        "data": pretty(event),
        "deliveries": [_delivery(parts, delivery) for delivery in deliveries[:DELIVERIES]],
        "more": max(len(deliveries) - DELIVERIES, 0),
    }


def _delivery(parts: Any, delivery: Any) -> dict[str, Any]:
    attempts = [show_attempt(attempt) for attempt in parts.deliveries.attempts_of(delivery.id)]
    return show_delivery(delivery) | {"tried": attempts[-ATTEMPTS:], "earlier": max(len(attempts) - ATTEMPTS, 0)}


def _html(text: str, status: int = HTTPStatus.OK) -> Response:
    return HTMLResponse(text, status, HEADERS)
