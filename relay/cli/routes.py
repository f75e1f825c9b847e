"""`relay routes`, `mute` and `unmute`."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from relay.cli.output import Json, print_json, print_table
from relay.cli.parts import current
from relay.domain.durations import parse_duration
from relay.errors import UsageError
from relay.pipeline.routes import show_route

Name = Annotated[str, typer.Argument(metavar="ROUTE", help="The route's name.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(routes)
    app.command()(mute)
    app.command()(unmute)


def routes(as_json: Json = False) -> None:
    """List routes in their order: on, or muted and until when."""
    found = [show_route(posture) for posture in current().routes.all(datetime.now(UTC))]
    if as_json:
        print_json({"items": found})
    else:
        lines = [{**one, "to": ", ".join(one["to"])} for one in found]
        print_table(lines, ("name", "state", "muted_until", "to"), empty="no routes")


def mute(
    route: Name,
    duration: Annotated[str, typer.Option("--for", help="How long, such as 30m, 2h or 3d.")] = "1h",
    as_json: Json = False,
) -> None:
    """Mute a route for a time: what it takes is not sent, but can be replayed."""
    try:
        seconds = parse_duration(duration)
    except ValueError as error:
        raise UsageError(f"--for: {error}") from None
    _print(show_route(current().routes.mute(route, seconds, datetime.now(UTC))), as_json=as_json)


def unmute(route: Name, as_json: Json = False) -> None:
    """Let a muted route speak again."""
    _print(show_route(current().routes.unmute(route, datetime.now(UTC))), as_json=as_json)


def _print(shown: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(shown)
    else:
        until = f" until {shown['muted_until']}" if shown["muted_until"] else ""
        print(f"{shown['name']} is {shown['state']}{until}")
