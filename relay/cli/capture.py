"""`relay capture triggers`: SQL for what reaches an application's database around SQLAlchemy."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from relay.cli.parts import current
from relay.errors import UsageError

group = typer.Typer(name="capture", help="Help for applications whose changes are captured.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(group)


@group.callback()
def capture() -> None:
    """Help for applications whose changes are captured."""


@group.command()
def triggers(
    models: Annotated[list[str], typer.Option(help="A module that calls capture.watch, such as shop.models.")],
    database: Annotated[str | None, typer.Option(help="The name of a configured database.")] = None,
    url: Annotated[str | None, typer.Option(help="Or the URL of one.")] = None,
    source: Annotated[str | None, typer.Option(help="The events' source; the database's name if not given.")] = None,
    alembic: Annotated[bool, typer.Option("--alembic", help="Write an Alembic migration, not SQL.")] = False,
    drop: Annotated[bool, typer.Option("--drop", help="Write SQL that removes the triggers.")] = False,
) -> None:
    """Write triggers that put what other programs change into the same outbox; nothing is executed."""
    if (database is None) == (url is None):
        raise UsageError("say which database", hint="give --database NAME or --url URL")
    from relay.capture import CaptureError
    from relay.capture.generate import script, watched_by

    sys.path.insert(0, str(Path.cwd()))
    try:
        found = watched_by(models)
        print(script(url or _url(database or ""), source or database or "database", found, alembic=alembic, drop=drop))
    except CaptureError as error:
        raise UsageError(str(error)) from None


def _url(name: str) -> str:
    for known in current().following.current().databases:
        if known.name == name:
            return known.url.get_secret_value()
    raise UsageError(f"there is no database {name}", hint="see [[databases]] in relay.toml, and relay apply")
