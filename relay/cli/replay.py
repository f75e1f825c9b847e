"""`relay replay` and `replays`."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from relay.cli.look import FoldedInto, Limit, Route, Since, Source, State, Subject, Target, Type, Until
from relay.cli.output import Json, print_fields, print_json, print_list
from relay.cli.parts import current
from relay.domain.listing import LIMIT_DEFAULT, filters_of, is_id, show_replay
from relay.domain.replay import Started
from relay.domain.words import counted
from relay.errors import NotFound, UsageError
from relay.pipeline.replay import pace

Query = Annotated[str | None, typer.Option("--q", help="Only with this text in the last error or the subject.")]
Rate = Annotated[str | None, typer.Option(help="How fast, such as 20/s; all at once if not given.")]

_COLUMNS = (
    "id",
    "created_at",
    "state",
    "rate",
    "count",
    "pending",
    "sending",
    "delivered",
    "folded",
    "dead",
    "cancelled",
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(replay)
    app.command()(replays)


def replay(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Events or deliveries.")] = None,
    state: State = None,
    target: Target = None,
    route: Route = None,
    source: Source = None,
    type_: Type = None,
    subject: Subject = None,
    since: Since = None,
    until: Until = None,
    folded_into: FoldedInto = None,
    query: Query = None,
    rate: Rate = None,
    as_json: Json = False,
) -> None:
    """Send again: these events and deliveries, or all that fit the filters."""
    given = {"state": state, "target": target, "route": route, "source": source, "type": type_, "subject": subject}
    filters = filters_of(given | {"since": since, "until": until, "folded_into": folded_into, "q": query})
    if bool(ids) == bool(filters):
        raise UsageError("name what to replay", hint="either ids, or filters such as --state dead")
    step = current().replay
    now = datetime.now(UTC)
    started = step.by_id(_checked(ids), pace(rate), now) if ids else step.by_filter(filters, pace(rate), now)
    if as_json:
        print_json({"id": started.id, "count": started.count, "events": started.events})
    else:
        print(_told(started))


def replays(
    replay_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="One replay; all of them if not given.")
    ] = None,
    cancel: Annotated[bool, typer.Option("--cancel", help="Cancel what of it still waits.")] = False,
    limit: Limit = LIMIT_DEFAULT,
    as_json: Json = False,
) -> None:
    """List replays, newest first; show how far one is, or cancel it."""
    if replay_id is not None:
        _print_one(_one(replay_id, cancel=cancel), as_json=as_json)
        return
    if cancel:
        raise UsageError("name the replay to cancel", hint="`relay replays` lists them")
    found = [show_replay(one) for one in current().replay.find(None, limit)]
    print_list(found, _COLUMNS, empty="no replays", as_json=as_json)


def _one(replay_id: str, *, cancel: bool) -> dict[str, Any]:
    if not is_id(replay_id):
        raise NotFound(f"there is no replay {replay_id}", hint="`relay replays` lists them")
    step = current().replay
    return show_replay(step.cancel(replay_id, datetime.now(UTC)) if cancel else step.get(replay_id))


def _print_one(shown: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(shown)
    else:
        print_fields(shown)


def _told(started: Started) -> str:
    sent = counted(started.count, "delivery is sent again", "deliveries are sent again")
    routed = counted(started.events, "event is routed again", "events are routed again")
    return f"{started.id}  {sent}" + (f", {routed}" if started.events else "")


def _checked(ids: list[str]) -> list[str]:
    for identifier in ids:
        if not is_id(identifier):
            raise UsageError(f"{identifier} is no id")
    return ids
