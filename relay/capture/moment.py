"""A column type for instants, the same on every database.

Alembic's autogenerate writes `relay.capture.moment.Moment(timezone=True)` into a migration: let the migration import
`relay.capture.moment`.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect, String
from sqlalchemy.types import TypeDecorator, TypeEngine


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

    def process_literal_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Return what is written into a statement's own text."""
        return value if _native(dialect) else _to_text(value)

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


def _native(dialect: Dialect) -> bool:
    return dialect.name == "postgresql"
