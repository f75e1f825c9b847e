"""A batch of rows as one parameter each column: one statement, whatever its size."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import orjson
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    FromClause,
    Table,
    Text,
    and_,
    bindparam,
    cast,
    column,
    func,
    insert,
    select,
    true,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

Row = Sequence[Any]
"""Values in the order of the columns they are for."""


def rows_as_table(connection: Connection, table: Table, names: Sequence[str], rows: Sequence[Row]) -> FromClause:
    """Return `rows` as something to select from: `unnest` on PostgreSQL, `json_each` on SQLite.

    Columns are those of `table` by `names`, with their types. Bytes cannot travel this way on SQLite.
    """
    if connection.dialect.name == "postgresql":
        return unnested([table.c[name] for name in names], arrays(names, rows))
    return _json_each(connection, table, names, rows)


def insert_rows(connection: Connection, table: Table, names: Sequence[str], rows: Sequence[Row]) -> int:
    """Insert a batch, but for rows that a unique index already knows; return how many were inserted."""
    if connection.dialect.name == "postgresql":
        return int(connection.execute(insertion(table, tuple(names)), arrays(names, rows)).rowcount)
    source = rows_as_table(connection, table, names, rows)
    statement: Any = insert_of(connection)(table).from_select(list(names), select(*source.c).where(_always(source)))
    return int(connection.execute(statement.on_conflict_do_nothing()).rowcount)


def update_rows(
    connection: Connection,
    table: Table,
    keys: Sequence[str],
    names: Sequence[str],
    rows: Sequence[Row],
    still: ColumnElement[bool] | None = None,
) -> int:
    """Update by `keys`, the first columns of each row, what is `still` so; return how many rows of the table fitted."""
    still = true() if still is None else still
    if connection.dialect.name == "postgresql":
        statement = _update(table, tuple(keys), tuple(names), still)
        return int(connection.execute(statement, arrays((*keys, *names), rows)).rowcount)
    source = rows_as_table(connection, table, (*keys, *names), rows)
    fits = and_(*(table.c[key] == source.c[key] for key in keys))
    result = connection.execute(update(table).values({name: source.c[name] for name in names}).where(fits, still))
    return int(result.rowcount)


# Made once for each table: to build a statement anew costs more than to run it.
@cache
def insertion(table: Table, names: tuple[str, ...]) -> Any:
    """Return what inserts the rows of `arrays` on PostgreSQL, but for those that a unique index already knows."""
    source = unnested([table.c[name] for name in names])
    made = postgresql.insert(table).from_select(list(names), select(*source.c)).on_conflict_do_nothing()
    return made.execution_options(preserve_rowcount=True)


@cache
def _update(table: Table, keys: tuple[str, ...], names: tuple[str, ...], still: ColumnElement[bool]) -> Any:
    source = unnested([table.c[name] for name in (*keys, *names)])
    fits = and_(*(table.c[key] == source.c[key] for key in keys))
    return update(table).values({name: source.c[name] for name in names}).where(fits, still)


def any_of(connection: Connection, target: ColumnElement[Any], values: Iterable[Any]) -> ColumnElement[bool]:
    """Return `target IN values`: on PostgreSQL and SQLite one parameter, so that the statement stays the same."""
    listed = list(values)
    if connection.dialect.name == "postgresql":
        return target == func.any(bindparam(None, listed, postgresql.ARRAY(target.type)))
    if connection.dialect.name != "sqlite":
        return target.in_(listed)
    each = func.json_each(bindparam(None, orjson.dumps(listed).decode())).table_valued("value")
    return target.in_(select(each.c.value))


def insert_of(connection: Connection) -> Any:
    """Return the `insert` of the connection's dialect, which knows ON CONFLICT."""
    return {"postgresql": postgresql.insert, "sqlite": sqlite.insert}.get(connection.dialect.name, insert)


def unnested(columns: Sequence[Column[Any]], given: Mapping[str, str] | None = None) -> FromClause:
    """Return what `arrays` hands over, as a table of columns of the same names and types as these.

    Arrays, not JSON: of those the planner expects ten rows, of a JSON function a hundred, for which it would rather
    read the whole of a small table, or of one that was not analysed since it was.
    """
    given = given or {}
    lists = [
        cast(
            bindparam(key := f"batch_{one.name}", given.get(key), Text, required=not given),
            postgresql.ARRAY(one.type),
        )
        for one in columns
    ]
    named = [column(one.name, one.type) for one in columns]
    return func.unnest(*lists).table_valued(*named).render_derived("batch")


def arrays(names: Sequence[str], rows: Sequence[Row]) -> dict[str, str]:
    """Return each column as PostgreSQL writes an array; the driver would take ten times as long."""
    columns = zip(*rows, strict=True)
    return {
        f"batch_{name}": "{" + ",".join(_elements(values)) + "}" for name, values in zip(names, columns, strict=True)
    }


def _elements(values: Sequence[Any]) -> list[str]:
    # Of a batch of successes half the columns hold but one value.
    if values.count(values[0]) == len(values):
        return [_element(values[0])] * len(values)
    return [_element(value) for value in values]


def _element(value: Any) -> str:
    write = _ELEMENTS.get(type(value))
    return write(value) if write else _text(value) if isinstance(value, str) else str(value)


def _text(value: str) -> str:
    if "\\" in value or '"' in value:
        value = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{value}"'


# Looked up by the very type: a value is written for every column of every row.
_ELEMENTS: Mapping[type, Callable[[Any], str]] = {
    type(None): lambda _: "NULL",
    str: _text,
    int: int.__repr__,
    datetime: lambda value: f'"{value.isoformat()}"',
    bytes: lambda value: f'"\\\\x{value.hex()}"',
}


def _json_each(connection: Connection, table: Table, names: Sequence[str], rows: Sequence[Row]) -> FromClause:
    dialect = connection.dialect
    types = [table.c[name].type for name in names]
    processors = [kind.dialect_impl(dialect).bind_processor(dialect) for kind in types]
    plain = [
        [process(value) if process else value for process, value in zip(processors, row, strict=True)] for row in rows
    ]
    each = func.json_each(bindparam("batch", orjson.dumps(plain).decode())).table_valued("value", name="each")
    columns = [
        func.json_extract(each.c.value, f"$[{index}]", type_=kind).label(name)
        for index, (name, kind) in enumerate(zip(names, types, strict=True))
    ]
    return select(*columns).subquery("batch")


def _always(source: FromClause) -> ColumnElement[bool]:
    # SQLite reads `INSERT ... SELECT ... ON CONFLICT` as a join's ON unless a WHERE stands between.
    return next(iter(source.c)).is_not(None)
