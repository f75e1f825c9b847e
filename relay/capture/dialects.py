"""What MariaDB and MySQL do in their own way."""

from typing import Any

from sqlalchemy import Connection, DateTime, Select, Time
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

MYSQL = frozenset({"mysql", "mariadb"})
"""The names that their dialects go by."""


def is_mysql(connection: Connection) -> bool:
    """Say whether a connection leads to MariaDB or MySQL."""
    return connection.dialect.name in MYSQL


def current(connection: Connection, wanted: Select[Any]) -> Select[Any]:
    """Return a query that sees rows as they are now.

    A transaction of MariaDB or MySQL writes rows as they are, and reads them as they were when it began: what it is
    about to write is read under the lock that the write takes.
    """
    return wanted.with_for_update() if is_mysql(connection) else wanted


def coarse(kind: TypeEngine[Any]) -> bool:
    """Say whether a column of this type drops microseconds in MariaDB and MySQL, as it does unless told otherwise."""
    if isinstance(kind, mysql.DATETIME | mysql.TIMESTAMP | mysql.TIME):
        return kind.fsp != 6
    return isinstance(kind, DateTime | Time)
