"""`relay replay`."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from relay import wiring
from relay.cli.look import Since, State, Target, Type, Until
from relay.cli.output import Json, print_json
from relay.domain.listing import filters_of, is_id
from relay.errors import NotFound, UsageError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(replay)


def replay(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Events or deliveries.")] = None,
    state: State = None,
    target: Target = None,
    type_: Type = None,
    since: Since = None,
    until: Until = None,
    as_json: Json = False,
) -> None:
    """Send again: these events and deliveries, or all that fit the filters."""
    filters = filters_of({"state": state, "target": target, "type": type_, "since": since, "until": until})
    if bool(ids) == bool(filters):
        raise UsageError("name what to replay", hint="either ids, or filters such as --state dead")
    step = wiring.current().replay
    now = datetime.now(UTC)
    events = 0
    if ids:
        count, events = step.by_id(_checked(ids), now)
        if not count and not events:
            raise NotFound("none of these is an event or a finished delivery", hint="`relay deliveries` lists them")
    else:
        count = step.by_filter(filters, now)
    if as_json:
        print_json({"count": count, "events": events})
    else:
        print(f"{count} deliveries are sent again" + (f", {events} events are routed again" if events else ""))


def _checked(ids: list[str]) -> list[str]:
    for identifier in ids:
        if not is_id(identifier):
            raise UsageError(f"{identifier} is no id")
    return ids
