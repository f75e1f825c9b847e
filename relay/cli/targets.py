"""`relay targets`, `pause` and `resume`."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from relay.cli.output import Json, print_json, print_list
from relay.cli.parts import current
from relay.domain.words import counted
from relay.pipeline.targets import show_target

Name = Annotated[str, typer.Argument(metavar="TARGET", help="The target's name.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(targets)
    app.command()(pause)
    app.command()(resume)


def targets(as_json: Json = False) -> None:
    """List targets: on or paused and why, and how much waits for each."""
    found = [show_target(standing) for standing in current().targets.all()]
    print_list(found, ("name", "kind", "state", "paused", "circuit", "waiting"), empty="no targets", as_json=as_json)


def pause(
    target: Name,
    reason: Annotated[str | None, typer.Option(help="Why; shown wherever the target is.")] = None,
    as_json: Json = False,
) -> None:
    """Pause a target: what is sent to it waits until it is resumed."""
    _print(show_target(current().targets.pause(target, reason, datetime.now(UTC))), as_json=as_json)


def resume(target: Name, as_json: Json = False) -> None:
    """Resume a target: what waited is sent, at the target's own pace."""
    _print(show_target(current().targets.resume(target, datetime.now(UTC))), as_json=as_json)


def _print(shown: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(shown)
    else:
        why = f": {shown['paused']}" if shown["paused"] else ""
        waiting = counted(shown["waiting"], "delivery waits", "deliveries wait")
        print(f"{shown['name']} is {shown['state']}{why}; {waiting}")
