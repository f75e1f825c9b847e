"""The command line: one module for each group of commands."""

import re
import sys
from typing import Annotated

import typer
from typer.exceptions import TyperException

from relay import __version__
from relay.cli import backtest as backtest_command
from relay.cli import capture as capture_commands
from relay.cli import configuration as configuration_commands
from relay.cli import doctor as doctor_command
from relay.cli import look as look_commands
from relay.cli import messages as message_commands
from relay.cli import people as people_commands
from relay.cli import replay as replay_command
from relay.cli import roles as role_commands
from relay.cli import routes as route_commands
from relay.cli import targets as target_commands
from relay.cli import up as up_command
from relay.errors import RelayError

app = typer.Typer(
    name="relay",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for group in (
    up_command,
    role_commands,
    configuration_commands,
    message_commands,
    backtest_command,
    look_commands,
    replay_command,
    target_commands,
    route_commands,
    people_commands,
    doctor_command,
    capture_commands,
):
    group.register(app)


# Typer tests values with pydantic, and repeats how that speaks of them.
_INPUT = re.compile(r"(?<=: )(?:Value error, |Input (?=should))")


def _tell_version(asked: bool) -> None:
    if asked:
        print(f"relay {__version__}")
        raise typer.Exit


@app.callback()
def relay(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_tell_version, is_eager=True)
    ] = False,
) -> None:
    """Relay: database changes and inbound webhooks become messages in Google Chat and any other endpoint."""


def main() -> None:
    """Run a command. Exit status: 0 done, 1 failed, 2 wrong usage or invalid configuration."""
    try:
        status = app(standalone_mode=False)
    except RelayError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_status)
    except TyperException as error:
        print(_INPUT.sub("", error.format_message()), file=sys.stderr)
        sys.exit(2)
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read the listing has seen enough.
        sys.stderr.close()
        sys.exit(0)
    sys.exit(status if isinstance(status, int) else 0)
