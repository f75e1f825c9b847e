"""`relay backtest`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from relay.cli.messages import live_now, print_message
from relay.cli.output import Json, print_json
from relay.cli.parts import current
from relay.domain.listing import LIMIT_MOST
from relay.domain.words import counted
from relay.errors import UsageError

if TYPE_CHECKING:
    from relay.pipeline.backtest import Backtest

Limit = Annotated[int, typer.Option(min=0, max=LIMIT_MOST, help="Messages to show.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(backtest)


def backtest(
    route: Annotated[str, typer.Argument(metavar="ROUTE|@FILE.toml", help="A route in force, or one in a file.")],
    since: Annotated[str | None, typer.Option(help="A time, or how long ago: 15m, 2h; 7d if not given.")] = None,
    until: Annotated[str | None, typer.Option(help="A time, or how long ago; now if not given.")] = None,
    limit: Limit = 20,
    as_json: Json = False,
) -> None:
    """Say what a route would have made of the stored events, and show its newest messages. Nothing is sent."""
    from relay.pipeline.backtest import backtest as run_backtest
    from relay.pipeline.backtest import period, route_for, show_backtest

    relay = current()
    live = live_now(relay)
    wanted = route_for(live, _table(Path(route[1:])) if route.startswith("@") else route)
    found = run_backtest(live, relay.events, wanted, period(since, until), limit)
    if as_json:
        print_json(show_backtest(found))
    else:
        _print(found)


def _table(file: Path) -> Any:
    """Return the one route that a file holds, as `[[routes]]` or by itself. Raises `UsageError`."""
    from relay.pipeline.configure import read

    content = read(file).content
    if "routes" not in content:
        return content
    routes = content["routes"]
    if len(content) > 1 or not isinstance(routes, list) or len(routes) != 1:
        raise UsageError(f"{file} should hold one route and nothing else")
    return routes[0]


def _print(found: "Backtest") -> None:
    print(f"{found.route}: {found.matched} of {counted(found.looked, 'event')} matched")
    for target, count in found.targets.items():
        print(f"  {count} -> {target}")
    for reason, count in found.unheard.items():
        print(f"  {count} unheard: {reason}")
    if found.cut_short:
        print(f"cut short {found.cut_short}")
    for _, message in found.messages:
        print_message(message)
