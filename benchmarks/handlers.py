"""The baselines of what comes in: Starlette handlers that store nothing, and ours with a commit for each request.

Run as `python -m benchmarks.handlers NAME PORT`, with the environment of a relay; served as the relay is.
"""

import sys
from collections.abc import Awaitable, Callable

from anyio import to_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from relay import wiring
from relay.domain.event import Event, new_id
from relay.pipeline.accept import Accept
from relay.web.serve import serve
from tests.support.processes import HOST

ID = new_id()


async def plain(request: Request) -> Response:
    """Read the body, and answer with an id."""
    await request.body()
    return JSONResponse({"id": ID}, 202)


async def empty(_: Request) -> Response:
    """Answer, having looked at nothing."""
    return Response(status_code=202)


class OneByOne:
    """Stores every event in a transaction of its own, in the place of the gatherer."""

    def __init__(self, accept: Accept) -> None:
        self._accept = accept

    async def add(self, event: Event) -> str:
        """Return the id an event is known by, once it is on disk."""
        return (await to_thread.run_sync(self._accept.store, [event]))[0]


def alone(handler: Callable[[Request], Awaitable[Response]]) -> Starlette:
    """Return an application of this handler and nothing else."""
    return Starlette(routes=[Route("/in/{source}", handler, methods=["POST"])])


def one_by_one() -> Starlette:
    """Return the relay's application without its groups."""
    relay = wiring.current()
    app = relay.web()
    app.state.gatherer = OneByOne(relay.accept)
    return app


def main(name: str, port: str) -> None:
    """Serve one of them."""
    handlers = {"plain": plain, "empty": empty}
    serve(alone(handlers[name]) if name in handlers else one_by_one(), HOST, int(port))


if __name__ == "__main__":
    main(*sys.argv[1:])
