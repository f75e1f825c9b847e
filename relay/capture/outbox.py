"""The outbox: the table in which an application's committed changes wait for the relay.

Alembic's autogenerate writes `relay.capture.outbox.Moment()` into a migration: let the migration import
`relay.capture.outbox`.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, Dialect, Identity, Integer, MetaData, String, Table, Text
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.types import TypeDecorator, TypeEngine

NAME = "relay_outbox"


class Moment(TypeDecorator[datetime]):
    """An instant with its time zone, to the microsecond.

    PostgreSQL has a type for it. Elsewhere it is ISO 8601 text in UTC, `2026-01-31T09:05:00.000000Z`: 27 characters
    whatever the value, so that text sorts as time does. Raises `ValueError` for a moment without time zone there.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return what the column is in this dialect."""
        if _native(dialect):
            return dialect.type_descriptor(DateTime(timezone=True))
        return dialect.type_descriptor(String(27))

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any] | None:
        """Return how a value is written: as it is where the database has a type for it."""
        return None if _native(dialect) else _to_text

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        """Return how a value is read."""
        return None if _native(dialect) else _from_text


def _to_text(value: datetime | None) -> str | None:
    if value is None:
        return None
    if value.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    # strftime leaves out the leading zeros of early years.
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


def _from_text(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)


def outbox(metadata: MetaData) -> Table:
    """Return the outbox table of `metadata`, and make it there first if it is not: the application migrates it.

    The relay reads it in the order of `seq` and deletes what it read. `id` becomes the event's id, `data` is JSON text.
    """
    known = metadata.tables.get(NAME if metadata.schema is None else f"{metadata.schema}.{NAME}")
    return known if known is not None else Table(NAME, metadata, *_columns(), sqlite_autoincrement=True)


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


def _native(dialect: Dialect) -> bool:
    return dialect.name == "postgresql"
