"""The sandbox space: a strict stand-in for Google Chat's incoming webhooks, and a page that shows what arrived.

What Google Chat would refuse is refused here too, with the same status and the same `google.rpc.Status` body, so that
a message that shows up in the sandbox shows up in Chat. Nothing is stored: a restart begins with empty spaces.
"""

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route

from relay.web.sandbox.endpoint import endpoint
from relay.web.sandbox.page import Pages
from relay.web.sandbox.space import Sandbox

__all__ = ["Sandbox", "app", "mounted", "routes"]

PREFIX = "/sandbox"


def routes(sandbox: Sandbox) -> list[BaseRoute]:
    """Return the routes of `sandbox`, for a `Mount` under any prefix."""
    pages = Pages(sandbox)
    return [
        Route("/v1/spaces/{space}/messages", endpoint(sandbox), methods=["POST"]),
        Route("/api/messages", pages.messages, methods=["GET"]),
        Mount("/static", pages.static),
        Route("/", pages.page, methods=["GET"]),
        Route("/{space}", pages.page, methods=["GET"]),
    ]


def mounted(sandbox: Sandbox, prefix: str = PREFIX) -> list[BaseRoute]:
    """Return `routes` under `prefix`; the page answers at the prefix itself too, without a redirect."""
    return [Route(prefix, Pages(sandbox).page, methods=["GET"]), Mount(prefix, routes=routes(sandbox))]


def app(sandbox: Sandbox | None = None) -> Starlette:
    """Return an application that is the sandbox alone, under `/sandbox`."""
    return Starlette(routes=mounted(sandbox or Sandbox()))
