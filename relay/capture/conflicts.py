"""Upserts: which rows that are there already an INSERT changes."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Connection, Insert, Table, UniqueConstraint

from relay.capture import statements
from relay.capture.changes import Identity
from relay.capture.errors import CaptureError
from relay.capture.statements import Parameters, Under

Unique = tuple[list[ColumnElement[Any]], list[Identity]]
"""Columns that are unique together, and the values that an INSERT gives them."""


def conflicting(connection: Connection, statement: Insert, parameters: Parameters) -> list[Identity]:
    """Lock the rows that an upsert is about to update and return their primary keys.

    Raises `CaptureError` for an upsert that does not show them.
    """
    clause: Any = statement._post_values_clause  # noqa: SLF001  where dialects keep ON CONFLICT
    if clause is None or "nothing" in type(clause).__name__.lower():
        return []
    columns = _arbiters(statement, clause)
    rows = given(statement, parameters)
    if not columns or rows is None:
        raise _unclear(statement)
    values = [key_of(row, columns) for row in rows]
    return statements.lock(connection, statement, columns, [value for value in values if None not in value])


def by_any_key(statement: Insert, parameters: Parameters) -> list[Unique]:
    """Return what MariaDB and MySQL recognise rows by: the values of every unique key of the table.

    Raises `CaptureError` where one of many rows gives none of them, and could not be found again.
    """
    rows, table = given(statement, parameters), statements.table_of(statement)
    if rows is None or table is None:
        raise _unclear(statement)
    found: list[Unique] = []
    named = [False] * len(rows)
    for columns in _keys(table):
        values = [key_of(row, columns) for row in rows]
        named = [before or None not in value for before, value in zip(named, values, strict=True)]
        found.append((columns, [value for value in values if None not in value]))
    if len(rows) > 1 and not all(named):
        raise _unclear(statement)
    return found


def located(under: Under) -> list[Identity]:
    """Lock the rows that hold the values of any unique key of an INSERT's rows and return their primary keys."""
    found = [
        key
        for columns, values in under.unique
        if values
        for key in statements.lock(under.connection, under.statement, columns, values)
    ]
    return list(dict.fromkeys(found))


def given(statement: Insert, parameters: Parameters) -> list[Mapping[Any, Any]] | None:
    """Return the rows of an INSERT's VALUES, by column or its key; `None` where another query gives them."""
    if statement.select is not None:
        return None
    common: Mapping[Any, Any] = statement._values or {}  # noqa: SLF001
    many = [_row(statement, row) for rows in statement._multi_values for row in rows]  # noqa: SLF001
    return many or [{**common, **row} for row in (parameters or [{}])]


def key_of(row: Mapping[Any, Any], columns: Sequence[ColumnElement[Any]]) -> Identity:
    """Return the values that a row gives these columns, `None` for each that it does not."""
    return tuple(_value(row, column) for column in columns)


def rewritten(statement: Insert) -> frozenset[str]:
    """Return the names of the columns that an upsert gives new values to, where a row is there already."""
    clause: Any = statement._post_values_clause  # noqa: SLF001
    told = getattr(clause, "update_values_to_set", None) or getattr(clause, "update", None) or ()
    pairs = told.items() if isinstance(told, Mapping) else told
    # `id = LAST_INSERT_ID(id)` leaves it as it is, and tells MySQL's clients which it was.
    changed = [key for key, value in pairs if getattr(value, "name", "") != "last_insert_id"]
    return frozenset(getattr(key, "name", key) for key in changed)


def _keys(table: Table) -> list[list[ColumnElement[Any]]]:
    found: list[Any] = [known.columns for known in table.constraints if isinstance(known, UniqueConstraint)]
    found += [index.columns for index in table.indexes if index.unique]
    return [list(columns) for columns in (table.primary_key, *found)]


def _unclear(statement: Insert) -> CaptureError:
    return CaptureError(
        f"this upsert of {statement.table} does not show which rows it updates: give it plain values and "
        f"index_elements (the values of a unique key on MariaDB and MySQL), or watch the model with bulk='summary'"
    )


def _arbiters(statement: Insert, clause: Any) -> list[ColumnElement[Any]]:
    """Return the columns by which an upsert recognises a row."""
    named = getattr(clause, "constraint_target", None)
    if named is not None:
        return _constrained(statement, str(named))
    elements = getattr(clause, "inferred_target_elements", None) or ()
    names = [getattr(element, "key", element) for element in elements]
    by_name = {column.name: column for column in statement.table.c}
    return [by_name[name] for name in names] if set(names) <= by_name.keys() else []


def _constrained(statement: Insert, name: str) -> list[ColumnElement[Any]]:
    table = statements.table_of(statement)
    if table is None:
        return []
    for known in [*table.constraints, *table.indexes]:
        if getattr(known, "name", None) == name:
            return list(getattr(known, "columns", ()))
    # PostgreSQL's own name for a primary key that was given none.
    return list(table.primary_key) if name == f"{table.name}_pkey" else []


def _row(statement: Insert, row: Any) -> Mapping[Any, Any]:
    return row if isinstance(row, Mapping) else dict(zip(statement.table.c, row, strict=False))


def _value(row: Mapping[Any, Any], column: ColumnElement[Any]) -> Any:
    value = next((row[key] for key in row if getattr(key, "key", key) in {column.key, column.name}), None)
    if isinstance(value, BindParameter):
        return value.effective_value
    if isinstance(value, ColumnElement):
        raise CaptureError(f"the upsert computes {column}: give a plain value, or watch the model with bulk='summary'")
    return value


def refuse_new_keys(statement: Insert) -> None:
    """Raise `CaptureError` for an upsert that gives a row another primary key."""
    keys: Sequence[Any] = list(statement.table.primary_key)
    if {key.name for key in keys} & rewritten(statement):
        raise CaptureError(
            f"this upsert of {statement.table} writes the primary key, which names its rows: leave it out, or watch "
            f"the model with bulk='summary'"
        )
