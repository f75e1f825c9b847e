"""`relay emit`, `send` and `explain`."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from relay.cli.output import Json, print_fields, print_json
from relay.cli.parts import current
from relay.domain.delivery import OutcomeName
from relay.domain.event import Event, parse_json
from relay.domain.listing import is_id, show_attempt
from relay.errors import NotFound, RelayError, Unreadable, UsageError

if TYPE_CHECKING:
    from relay.pipeline.live import Live
    from relay.pipeline.preview import Preview
    from relay.wiring import Relay


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(emit)
    app.command()(send)
    app.command()(explain)


def emit(
    type_: Annotated[str, typer.Argument(metavar="TYPE", help="The event's type, such as orders.paid.")],
    source: Annotated[str, typer.Option(help="Where it comes from.")] = "cli",
    subject: Annotated[str | None, typer.Option(help="What it is about, such as orders/42.")] = None,
    data: Annotated[str, typer.Option(help="JSON, @FILE, or - for standard input.")] = "null",
    as_json: Json = False,
) -> None:
    """Record one event and print its id."""
    from relay.pipeline.accept import record

    try:
        event = record(type_, source, subject, _json(_text(data)), datetime.now(UTC))
    except Unreadable as error:
        raise UsageError(error.message) from None
    accept = current().accept
    (known,) = accept.store([event])
    accept.announce()
    if as_json:
        print_json({"id": known})
    else:
        print(known)


def send(
    target: Annotated[str, typer.Argument(help="The target's name.")],
    text: Annotated[str | None, typer.Argument(help="What to say; the target's own card if not given.")] = None,
    as_json: Json = False,
) -> None:
    """Send one test message now and print the attempt."""
    from relay.pipeline.preview import sample_event, send_test

    relay = current()
    event = sample_event(text, datetime.now(UTC))
    attempt = show_attempt(send_test(live_now(relay), target, event, text, relay.transport))
    del attempt["number"]
    if as_json:
        print_json(attempt)
    else:
        print_fields(attempt)
    if attempt["outcome"] != OutcomeName.DELIVERED:
        raise RelayError(f"{target} did not take it: {attempt['error']}")


def explain(
    event: Annotated[str, typer.Argument(metavar="EVENT_ID|@FILE", help="A stored event, or one in a JSON file.")],
    as_json: Json = False,
) -> None:
    """Say which routes match an event, why the others do not, and show each message as it would be sent."""
    from relay.pipeline.preview import explain as explain_event
    from relay.pipeline.preview import show_explained

    relay = current()
    explanations, previews = explain_event(live_now(relay), _event(relay, event))
    if as_json:
        print_json(show_explained(explanations, previews))
        return
    for one in explanations:
        told = f" -> {', '.join(one.targets)}" if one.targets else ""
        print(f"{'+' if one.matched else '-'} {one.route}{told}" + (f": {one.reason}" if one.reason else ""))
    for preview in previews:
        print_message(preview)


def print_message(preview: "Preview") -> None:
    """Print one message as it would be sent."""
    print(f"\n{preview.target} (route {preview.route})")
    for name, value in preview.headers.items():
        print(f"  {name}: {value}")
    print(f"  {preview.body}")


def _event(relay: "Relay", given: str) -> Event:
    if given.startswith("@"):
        from relay.pipeline.preview import event_of

        return event_of(_json(_text(given)), datetime.now(UTC))
    found = relay.events.get(given) if is_id(given) else None
    if found is None:
        raise NotFound(f"there is no event {given}", hint="give an event's id, or @FILE")
    return found


def _text(given: str) -> str:
    if given == "-":
        return sys.stdin.read()
    if not given.startswith("@"):
        return given
    try:
        return Path(given[1:]).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{given[1:]} cannot be read: {getattr(error, 'strerror', 'not text')}") from None


def _json(text: str) -> Any:
    try:
        return parse_json(text.encode(errors="surrogatepass"))
    except Unreadable as error:
        raise UsageError(error.message, hint="quote it for the shell, or use @FILE") from None


def live_now(relay: "Relay") -> "Live":
    """Return the configuration in force. Raises `StoreUnavailable`: a command does not wait for the database."""
    relay.configuration.version()
    return relay.following.refresh()
