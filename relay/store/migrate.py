"""Bringing the schema up to date."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, inspect, text

from relay.errors import UsageError
from relay.store.database import Database

_SCRIPTS = Path(__file__).parents[2] / "migrations"

# Whoever comes second waits for the first, then finds nothing left to do. The number is arbitrary.
_MIGRATION_LOCK = 7_345_218_000


def migrate(database: Database, revision: str = "head") -> None:
    """Bring the schema to `revision`, in one transaction; safe to run twice, and from two machines at once.

    Raises `StoreUnavailable`, and `UsageError` for a revision that there is not.
    """
    path = database.engine.url.database
    if not database.is_postgresql and path and path != ":memory:" and not Path(path).exists():
        # A directory that is there already may be anybody's, /tmp even: only the file is ours to close.
        Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        Path(path).touch(mode=0o600)
    with database.writing() as connection:
        if database.is_postgresql:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
        config = _config(connection)
        try:
            go = command.downgrade if _below(connection, revision) else command.upgrade
            go(config, revision)
        except CommandError as error:
            raise UsageError(f"revision {revision}: {error}", hint="a number such as 0001, base or head") from None


def pending(database: Database) -> bool:
    """Say whether the schema is not that of this version. Raises `StoreUnavailable`."""
    with database.reading() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return True
        return MigrationContext.configure(connection).get_current_revision() != head()


def head() -> str:
    """Return the name of the newest revision."""
    return ScriptDirectory(str(_SCRIPTS)).get_current_head() or ""


def _below(connection: Connection, revision: str) -> bool:
    """Say whether `revision` lies before the schema's: then the way to it leads down."""
    current = MigrationContext.configure(connection).get_current_revision()
    if revision == "base" or current is None:
        return revision == "base"
    passed = {script.revision for script in ScriptDirectory(str(_SCRIPTS)).walk_revisions("base", current)}
    return revision in passed - {current}


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.attributes["connection"] = connection
    return config
