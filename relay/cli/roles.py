"""`relay web`, `worker`, `beat` and `migrate`: one role each, for production."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from relay import log
from relay.cli.parts import current
from relay.errors import InvalidConfiguration

if TYPE_CHECKING:
    from relay.wiring import Relay

_log = log.get(__name__)

Pool = Literal["prefork", "threads", "solo"]
Host = Annotated[str, typer.Option(help="The address to listen on.")]
Port = Annotated[int, typer.Option(help="The port to listen on.", min=1, max=65535)]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(web)
    app.command()(worker)
    app.command()(beat)
    app.command()(migrate)


def web(host: Host = "127.0.0.1", port: Port = 8000) -> None:
    """Serve the inbound endpoint and the API."""
    from relay.web.serve import serve

    relay = current()
    application = relay.web()
    if relay.settings.config_file is not None:
        _apply(relay, relay.settings.config_file)
    serve(application, host, port)


def worker(
    workers: Annotated[int, typer.Option(help="How many processes deliver.", min=1, max=256)] = 2,
    pool: Annotated[Pool, typer.Option(help="Celery's pool: prefork, threads or solo.")] = "prefork",
) -> None:
    """Run a Celery worker."""
    from relay.queue.run import run_worker

    run_worker(current().worker(), workers, pool)


def beat() -> None:
    """Run Celery beat: the sweep, once a second. One is enough for all workers; more do no harm."""
    from relay.queue.run import run_beat

    run_beat(current().worker())


def migrate(
    revision: Annotated[str, typer.Argument(help="The revision to go to, up or down.")] = "head",
) -> None:
    """Bring the database's schema up to date; safe to run twice, and from two machines at once."""
    from relay.store.migrate import migrate as run_migrations

    run_migrations(current().database, revision)
    print("the database is up to date" if revision == "head" else f"the database is at {revision}")


def _apply(relay: "Relay", path: Path) -> None:
    """Apply a configuration; a wrong one changes nothing, and the last good one goes on being served."""
    try:
        relay.configurator.apply(path)
    except InvalidConfiguration as error:
        _log.error("configuration.not_applied", file=str(path), error=str(error))
