"""Keeping the database's triggers still while a captured session writes, and letting them speak when it cannot tell.

The mark is the name of the table that a session is writing: what cascades do to others is still told. On PostgreSQL it
is a setting of the transaction; on SQLite, where one connection writes at a time, a row that is there until the commit.
On MariaDB and MySQL it is a variable of the connection, which is reset before the next transaction if need be: a row
would be locked by the triggers that look for it.
"""

# ruff: noqa: S608  the names are this module's own

from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Dialect, text

from relay.capture.dialects import MYSQL, is_mysql

SETTING = "relay.captured"
MARKER = "relay_captured"
FUNCTION = "relay_escaped"
VARIABLE = "relay_captured"

_LOOK_FOR_TABLE = text(
    f"SELECT count(*) > 0 FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = '{MARKER}'"
)
_LOOK = {
    **dict.fromkeys(MYSQL, _LOOK_FOR_TABLE),
    "postgresql": text(f"SELECT to_regproc('{FUNCTION}') IS NOT NULL"),
    "sqlite": text(f"SELECT count(*) > 0 FROM sqlite_master WHERE name = '{MARKER}'"),
}
_MARK = {
    **dict.fromkeys(MYSQL, text(f"SET @{VARIABLE} = :name")),
    "postgresql": text(f"SELECT set_config('{SETTING}', :name, true)"),
    "sqlite": text(f"INSERT OR REPLACE INTO {MARKER} (id, captured) VALUES (1, :name)"),
}
_UNMARK = {
    **dict.fromkeys(MYSQL, text(f"SET @{VARIABLE} = NULL")),
    "postgresql": text(f"SELECT set_config('{SETTING}', '', true)"),
    "sqlite": text(f"DELETE FROM {MARKER}"),
}

_LEFT = "relay.mark"

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
        if is_mysql(connection):
            connection.info[_LEFT] = True


def unmark(connection: Connection, marked: dict[Connection, str]) -> None:
    """Let all triggers speak again."""
    if marked.pop(connection, None) is not None:
        connection.execute(_UNMARK[connection.dialect.name])
        connection.info.pop(_LEFT, None)


def sweep(connection: Connection) -> None:
    """Take away what a transaction that was rolled back left on its connection; called when the next one begins."""
    if _LEFT in connection.info:
        connection.info.pop(_LEFT)
        connection.execute(_UNMARK[connection.dialect.name])
