"""`relay check` and `relay apply`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from relay.cli.output import Json, print_json
from relay.cli.parts import current
from relay.domain.words import counted
from relay.errors import UsageError

if TYPE_CHECKING:
    from relay.wiring import Relay

File = Annotated[Path | None, typer.Argument(help="The configuration; RELAY_CONFIG or ./relay.toml if not given.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(check)
    app.command()(apply)


def check(
    file: File = None,
    database: Annotated[
        list[str] | None,
        typer.Option(help="Hold routes against the columns that this database's tables have now; may be repeated."),
    ] = None,
) -> None:
    """Validate a configuration without touching anything."""
    relay = current()
    path = _file(relay, file)
    found = relay.configurator.check(path)
    if database:
        from relay.wiring import tables_of

        for name in database:
            relay.configurator.drift(path, name, tables_of)
    counts = {
        "source": len(found.sources),
        "database": len(found.databases),
        "target": len(found.targets),
        "route": len(found.routes),
    }
    print(f"{path} is valid: " + ", ".join(counted(count, name) for name, count in counts.items()))


def apply(
    file: File = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and change nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Print what a configuration changes (+ add, ~ change, - remove) and put it into force."""
    relay = current()
    plan = relay.configurator.apply(_file(relay, file), dry_run=dry_run)
    if as_json:
        fields = ("sign", "kind", "name", "detail")
        changes = [{name: getattr(change, name) for name in fields} for change in plan.changes]
        print_json({"applied": not dry_run, "changes": changes})
    else:
        print(plan)


def _file(relay: "Relay", given: Path | None) -> Path:
    path = given or relay.settings.config_file
    if path is None:
        raise UsageError("there is no relay.toml here", hint="name a file, or set RELAY_CONFIG")
    return path
