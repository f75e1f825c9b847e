"""The web application: what other services and operators talk to."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol

from anyio import to_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from relay.domain.delivery import Attempt, Delivery
from relay.domain.event import Event
from relay.pipeline.accept import Accept
from relay.pipeline.live import LOOK_EVERY, Following
from relay.pipeline.people import People
from relay.pipeline.ports import Transport
from relay.pipeline.replay import Replaying
from relay.pipeline.routes import Routes
from relay.pipeline.targets import Targets
from relay.web import problems
from relay.web.api.routes import routes as api_routes
from relay.web.event import routes as event_routes
from relay.web.gather import Gatherer
from relay.web.health import alive, ready
from relay.web.library import Documents, Library
from relay.web.receive import PLACE, Receiver


class EventReader(Protocol):
    """Where events are looked up."""

    def get(self, event_id: str) -> Event | None:
        """Return one event."""

    def find(self, filters: Mapping[str, Any], before: int | None, limit: int) -> list[Event]:
        """Return events, newest first."""


class DeliveryReader(Protocol):
    """Where deliveries are looked up."""

    def get(self, delivery_id: str) -> Delivery | None:
        """Return one delivery."""

    def of_event(self, event_id: str) -> list[Delivery]:
        """Return an event's deliveries."""

    def attempts_of(self, delivery_id: str) -> list[Attempt]:
        """Return a delivery's attempts."""

    def find(self, filters: Mapping[str, Any], before: str | None, limit: int) -> list[Delivery]:
        """Return deliveries, newest first."""


class Intake(Protocol):
    """Where events are stored from the event loop."""

    async def add(self, batch: Sequence[Event]) -> list[str]:
        """Store events in one transaction; return the id each is known by. Raises `StoreUnavailable`."""

    async def close(self) -> None:
        """Let go of what it holds."""


class Quota(Protocol):
    """Where requests of a source are counted."""

    def wait(self, key: str, rate: float) -> float:
        """Return 0 and count one, or return after how many seconds there is room."""


@dataclass(frozen=True)
class Parts:
    """What the web application works with. `public_url` is where senders reach it, if the operator said so."""

    accept: Accept
    intake: Intake
    quota: Quota
    following: Following
    events: EventReader
    deliveries: DeliveryReader
    replay: Replaying
    targets: Targets
    people: People
    routes: Routes
    schema_pending: Callable[[], bool]
    api_token: str | None
    documents: Documents
    transport: Callable[[], Transport]
    public_url: str | None


class Application(Starlette):
    """Starlette, but for requests that bring events: these go straight to their receiver."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._receiver = Receiver(self.state)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope["path"] if scope["type"] == "http" else ""
        if path.startswith(PLACE) and "/" not in path[len(PLACE) :]:
            await self._receiver(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def build(parts: Parts, more: Sequence[BaseRoute] = (), home: str | None = None) -> Starlette:
    """Return the application; `more` are further routes, `home` is where `/` leads."""
    routes: list[BaseRoute] = [
        Route("/healthz", alive, methods=["GET"]),
        Route("/readyz", ready, methods=["GET"]),
        *api_routes(),
        *event_routes(),
        *more,
    ]
    if home is not None:
        routes.append(Route("/", _leads_to(home), methods=["GET"]))
    app = Application(routes=routes, exception_handlers=problems.HANDLERS, lifespan=_lifespan)
    # A sender that adds a slash gets a clear 404: hardly any follows a redirect with its body.
    app.router.redirect_slashes = False
    app.state.parts = parts
    app.state.library = Library(parts.documents)
    app.state.gatherer = Gatherer(parts.intake.add, parts.accept.announce)
    return app


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    """Follow the configuration for as long as the application runs, off the event loop."""
    following: Following = app.state.parts.following
    await to_thread.run_sync(following.refresh)
    task = asyncio.create_task(_follow(following))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await app.state.parts.intake.close()


async def _follow(following: Following) -> None:
    while True:
        await asyncio.sleep(LOOK_EVERY)
        await to_thread.run_sync(following.refresh)


def _leads_to(path: str) -> Callable[[Request], Any]:
    async def home(_: Request) -> Response:
        return RedirectResponse(path)

    return home
