"""`relay people`, `people-set` and `people-remove`."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from relay.cli.output import Json, print_json, print_list
from relay.cli.parts import current
from relay.domain.event import parse_json
from relay.errors import Unreadable, UsageError

Name = Annotated[str, typer.Argument(metavar="NAME", help="What events say of the person, such as their address.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(people)
    app.command("people-set")(people_set)
    app.command("people-remove")(people_remove)


def people(as_json: Json = False) -> None:
    """List people: the kind of their place, on or paused and why, and how much waits for each."""
    from relay.pipeline.people import show_person

    found = [show_person(person) for person in current().people.all()]
    print_list(found, ("name", "kind", "state", "paused", "circuit", "waiting"), empty="no people", as_json=as_json)


def people_set(
    name: Name,
    kind: Annotated[str, typer.Option(help="The kind of their place, as of a target.")],
    option: Annotated[
        list[str] | None,
        typer.Option(help="FIELD=VALUE of the kind: JSON, or else text, env:NAME, file:PATH; may be repeated."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Give a person a place, or another one: routes find it as user:NAME."""
    from relay.pipeline.people import show_person

    place = {"kind": kind} | dict(map(_option, option or ()))
    given = show_person(current().people.put(name, place, datetime.now(UTC), resolve=True))
    if as_json:
        print_json(given)
    else:
        print(f"{given['name']} is told by {given['kind']}")


def people_remove(name: Name) -> None:
    """Remove a person: what waits for them is cancelled."""
    current().people.remove(name, datetime.now(UTC))
    print(f"{name} is removed")


def _option(given: str) -> tuple[str, Any]:
    field, sign, value = given.partition("=")
    if not sign or not field:
        raise UsageError("--option: a field and its value, such as url=env:CHAT_URL")
    try:
        return field, parse_json(value.encode(errors="surrogatepass"))
    except Unreadable as error:
        if value.startswith(("{", "[", '"')):
            raise UsageError(f"--option {field}: {error.message}") from None
        return field, value
