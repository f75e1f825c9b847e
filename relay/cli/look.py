"""`relay events`, `deliveries` and `show`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from relay.cli.output import Json, print_fields, print_json, print_list, print_table
from relay.cli.parts import current
from relay.domain.listing import (
    LIMIT_DEFAULT,
    LIMIT_MOST,
    filters_of,
    is_id,
    show_attempt,
    show_delivery,
    show_event,
)
from relay.errors import NotFound

if TYPE_CHECKING:
    from relay.wiring import Relay

State = Annotated[str | None, typer.Option(help="pending, sending, delivered, dead, folded or cancelled.")]
Target = Annotated[str | None, typer.Option(help="Only of this target.")]
Route = Annotated[str | None, typer.Option(help="Only of this route.")]
Source = Annotated[str | None, typer.Option(help="Only of this source (a glob).")]
Type = Annotated[str | None, typer.Option("--type", help="Only of this event type (a glob).")]
Subject = Annotated[str | None, typer.Option(help="Only of this subject.")]
Since = Annotated[str | None, typer.Option(help="Not before: a time, or how long ago (15m, 2h, 7d).")]
Until = Annotated[str | None, typer.Option(help="Before: a time, or how long ago.")]
FoldedInto = Annotated[
    str | None, typer.Option(metavar="ID", help="Only those that the message of this delivery told.")
]
Limit = Annotated[int, typer.Option(help="How many at most.", min=1, max=LIMIT_MOST)]


_LISTS = {
    "deliveries": ("id", "target", "route", "state", "attempts", "last_status", "last_error"),
    "history": ("number", "at", "ms", "outcome", "status", "error", "response"),
    "folded": ("id", "created_at", "route", "subject", "state", "last_error"),
}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(events)
    app.command()(deliveries)
    app.command()(show)


def events(
    source: Source = None,
    type_: Type = None,
    subject: Subject = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = LIMIT_DEFAULT,
    as_json: Json = False,
) -> None:
    """List events, newest first."""
    filters = filters_of({"source": source, "type": type_, "subject": subject, "since": since, "until": until})
    found = [show_event(event) for event in current().events.find(filters, None, limit)]
    print_list(found, ("id", "received_at", "source", "type", "subject"), empty="no events", as_json=as_json)


def deliveries(
    state: State = None,
    target: Target = None,
    route: Route = None,
    source: Source = None,
    type_: Type = None,
    subject: Subject = None,
    since: Since = None,
    until: Until = None,
    folded_into: FoldedInto = None,
    limit: Limit = LIMIT_DEFAULT,
    as_json: Json = False,
) -> None:
    """List deliveries, newest first."""
    given = {"state": state, "target": target, "route": route, "source": source, "type": type_, "subject": subject}
    filters = filters_of(given | {"since": since, "until": until, "folded_into": folded_into})
    found = [show_delivery(delivery) for delivery in current().deliveries.find(filters, None, limit)]
    columns = ("id", "created_at", "target", "route", "state", "attempts", "last_status", "last_error")
    print_list(found, columns, empty="no deliveries", as_json=as_json)


def show(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="An event's or a delivery's id.")],
    as_json: Json = False,
) -> None:
    """Show an event with its deliveries, or a delivery with its attempts and the latest that were folded into it."""
    document = _find(current(), identifier)
    if as_json:
        print_json(document)
        return
    print_fields({name: value for name, value in document.items() if name not in _LISTS})
    for name, columns in _LISTS.items():
        if name in document and (document[name] or name != "folded"):
            print()
            print_table(document[name], columns, empty=f"no {name}")


def _find(relay: "Relay", identifier: str) -> dict[str, Any]:
    if is_id(identifier):
        if event := relay.events.get(identifier):
            carried = [show_delivery(delivery) for delivery in relay.deliveries.of_event(identifier)]
            return show_event(event) | {"deliveries": carried}
        if delivery := relay.deliveries.get(identifier):
            made = [show_attempt(attempt) for attempt in relay.deliveries.attempts_of(identifier)]
            folded = relay.deliveries.find({"folded_into": identifier}, None, LIMIT_DEFAULT)
            return show_delivery(delivery) | {
                "folded_count": relay.deliveries.folded_count(identifier),
                "history": made,
                "folded": [show_delivery(one) for one in folded],
            }
    raise NotFound(
        f"there is no event or delivery {identifier}", hint="`relay events` and `relay deliveries` list them"
    )
