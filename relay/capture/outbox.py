"""The outbox: the table in which an application's committed changes wait for the relay."""

from typing import Any

from sqlalchemy import BigInteger, Column, Identity, Integer, MetaData, String, Table, Text
from sqlalchemy.dialects import mysql, postgresql

from relay.capture.moment import Moment

__all__ = ["NAME", "Moment", "find", "outbox"]

NAME = "relay_outbox"

_ELSEWHERE = MetaData()

# Whatever the database's own defaults: transactions, and any text.
_MARIADB: dict[str, Any] = {
    f"{dialect}_{name}": value
    for dialect in ("mysql", "mariadb")
    for name, value in (("engine", "InnoDB"), ("charset", "utf8mb4"))
}


def outbox(metadata: MetaData) -> Table:
    """Return the outbox table of `metadata`, and make it there first if it is not: the application migrates it.

    The relay reads it in the order of `seq` and deletes what it read. `id` becomes the event's id, `data` is JSON text.
    """
    known = _known(metadata)
    return known if known is not None else Table(NAME, metadata, *_columns(), sqlite_autoincrement=True, **_MARIADB)


def find(metadata: MetaData) -> Table:
    """Return the outbox that belongs to the tables of `metadata`: their own, or else one without a schema."""
    known = _known(metadata)
    return known if known is not None else outbox(_ELSEWHERE)


def _known(metadata: MetaData) -> Table | None:
    return metadata.tables.get(NAME if metadata.schema is None else f"{metadata.schema}.{NAME}")


def _columns() -> list[Column[Any]]:
    # Only a column of type INTEGER numbers itself in SQLite.
    number = BigInteger().with_variant(Integer(), "sqlite")
    uuid = String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql")
    return [
        Column("seq", number, Identity(), primary_key=True),
        Column("id", uuid, nullable=False, unique=True),
        Column("source", String(64), nullable=False),
        Column("type", String(256), nullable=False),
        Column("subject", String(512)),
        Column("data", Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb"), nullable=False),
        Column("occurred_at", Moment, nullable=False),
    ]
