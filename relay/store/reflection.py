"""The tables of an application's database, as they are now."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Inspector, inspect

from relay.store.database import Database

Tables = dict[str, frozenset[str]]
"""Names of columns by the name of their table: `orders`, and `sales.orders` where it is not in the usual schema."""

_OWN_SCHEMAS = ("information_schema", "pg_catalog", "pg_toast")


def tables(database: Database) -> Tables:
    """Return every table with its columns, and those of tables that extend it row by row (joined inheritance).

    Raises `StoreUnavailable`.
    """
    found: dict[str, set[str]] = defaultdict(set)
    with database.reading() as connection:
        inspector = inspect(connection)
        for schema in _schemas(connection, inspector):
            for table, columns in _of_schema(inspector, schema).items():
                found[table] |= columns
                if schema is not None:
                    found[f"{schema}.{table}"] |= columns
    return {name: frozenset(columns) for name, columns in found.items()}


def _schemas(connection: Connection, inspector: Inspector) -> list[str | None]:
    if connection.dialect.name != "postgresql":
        return [None]
    return [name for name in inspector.get_schema_names() if name not in _OWN_SCHEMAS]


def _of_schema(inspector: Inspector, schema: str | None) -> dict[str, set[str]]:
    told: Mapping[Any, Any] = inspector.get_multi_columns(schema=schema)
    columns = {table: {column["name"] for column in found} for (_, table), found in told.items()}
    parents = _extensions(inspector, schema)
    for table in parents:
        above, seen = parents.get(table), {table}
        while above is not None and above not in seen:
            columns.get(above, set()).update(columns.get(table, ()))
            seen.add(above)
            above = parents.get(above)
    return columns


def _extensions(inspector: Inspector, schema: str | None) -> dict[str, str]:
    """Return the tables whose primary key is a foreign key, and the table to which it leads."""
    keys: Mapping[Any, Any] = inspector.get_multi_pk_constraint(schema=schema)
    foreign: Mapping[Any, Any] = inspector.get_multi_foreign_keys(schema=schema)
    found: dict[str, str] = {}
    for (_, table), key in keys.items():
        for link in foreign.get((schema, table), ()):
            if key and key["constrained_columns"] and link["constrained_columns"] == key["constrained_columns"]:
                found[table] = link["referred_table"]
    return found
