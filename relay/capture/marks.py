"""Keeping the database's triggers still while a captured session writes, and letting them speak when it cannot tell.

The mark is the name of the table that a session is writing: what cascades do to others is still told. On PostgreSQL it
is a setting of the transaction; on SQLite, where one connection writes at a time, a row that is there until the commit.
"""

# ruff: noqa: S608  the names are this module's own

from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Dialect, text

SETTING = "relay.captured"
MARKER = "relay_captured"
FUNCTION = "relay_escaped"

_LOOK = {
    "postgresql": text(f"SELECT to_regproc('{FUNCTION}') IS NOT NULL"),
    "sqlite": text(f"SELECT count(*) > 0 FROM sqlite_master WHERE name = '{MARKER}'"),
}
_MARK = {
    "postgresql": text(f"SELECT set_config('{SETTING}', :name, true)"),
    "sqlite": text(f"INSERT OR REPLACE INTO {MARKER} (id, captured) VALUES (1, :name)"),
}
_UNMARK = {
    "postgresql": text(f"SELECT set_config('{SETTING}', '', true)"),
    "sqlite": text(f"DELETE FROM {MARKER}"),
}

_triggered: WeakKeyDictionary[Dialect, bool] = WeakKeyDictionary()


def has_triggers(connection: Connection) -> bool:
    """Say whether the database has triggers of the relay; asked once of each engine."""
    dialect = connection.dialect
    if dialect not in _triggered:
        look = _LOOK.get(dialect.name)
        _triggered[dialect] = look is not None and bool(connection.scalar(look))
    return _triggered[dialect]


def mark(connection: Connection, name: str, marked: dict[Connection, str]) -> None:
    """Keep a table's triggers still for what this transaction writes next, and those of the one before no longer."""
    if has_triggers(connection) and marked.get(connection) != name:
        connection.execute(_MARK[connection.dialect.name], {"name": name})
        marked[connection] = name


def unmark(connection: Connection, marked: dict[Connection, str]) -> None:
    """Let all triggers speak again."""
    if marked.pop(connection, None) is not None:
        connection.execute(_UNMARK[connection.dialect.name])
