"""INSERT around objects: which rows it makes, and which of those that are there an upsert changes."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Connection, CursorResult, Insert, select, text
from sqlalchemy.engine.cursor import FullyBufferedCursorFetchStrategy

from relay.capture import statements
from relay.capture.changes import Identity
from relay.capture.errors import CaptureError
from relay.capture.reading import BATCH, within
from relay.capture.statements import Parameters, Under


def prepare(under: Under, statement: Insert) -> list[Identity]:
    """Make an INSERT tell the primary keys of its rows; return those of rows that it is about to update.

    Raises `CaptureError` for one that cannot tell.
    """
    if any("replace" in str(prefix).lower() for prefix, _ in statement._prefixes):  # noqa: SLF001  nowhere else
        raise CaptureError(f"INSERT OR REPLACE into {statement.table} deletes rows unseen: use on_conflict_do_update")
    dialect, keys = under.connection.dialect, list(statement.table.primary_key)
    under.asks = dialect.insert_returning
    if len(under.parameters) > 1 and not dialect.insert_executemany_returning:
        under.asks = False
        under.keys = _keys_given(under, statement)
    elif len(under.parameters) > 1 and statement._return_defaults:  # noqa: SLF001  nowhere else
        under.asks = False
    elif len(under.parameters) > 1 and not statement.exported_columns:
        under.statement = statement.returning(*keys)
        under.asked = True
    elif len(under.parameters) > 1 and not set(keys) <= set(statement.exported_columns):
        raise CaptureError(f"add the primary key of {statement.table} to this INSERT's returning(): it names the rows")
    return _conflicting(under.connection, statement, under.parameters)


def returning(under: Under, context: Any, sql: str) -> str:
    """Return the text of one INSERT, made to return the primary keys of its rows after what it returns already."""
    returned = context.compiled.effective_returning
    if len(under.parameters) > 1 or (returned and not under.statement.exported_columns):
        # Many rows are asked for in SQLAlchemy's own words, and one row's generated key is always told.
        return sql
    under.tail = len(list(under.statement.table.primary_key))
    quote = context.dialect.identifier_preparer.quote
    keys = ", ".join(quote(key.name) for key in under.statement.table.primary_key)
    return f"{sql}{',' if returned else ' RETURNING'} {keys}"


def take_keys(under: Under, cursor: Any, context: Any) -> None:
    """Take the primary keys off the rows that an INSERT returned, and leave the rest to whoever asked for it."""
    description, rows = cursor.description, cursor.fetchall()
    width = len(description) - under.tail
    readers = [
        column.type.dialect_impl(context.dialect).result_processor(context.dialect, told[1])
        for column, told in zip(under.statement.table.primary_key, description[width:], strict=True)
    ]
    for row in rows:
        values = zip(readers, row[width:], strict=True)
        under.keys.append(tuple(reader(value) if reader else value for reader, value in values))
    rest = [tuple(row[:width]) for row in rows] if width else []
    # A cursor that is read to its end forgets how many rows there were.
    context._rowcount = cursor.rowcount  # noqa: SLF001
    context.cursor_fetch_strategy = FullyBufferedCursorFetchStrategy(cursor, description[:width] or None, rest)


def created(under: Under, result: CursorResult[Any]) -> list[Identity]:
    """Return the primary keys of the rows that were not there before. Raises `CaptureError` where that is unsure."""
    known = {key for _, key, _ in under.rows}
    fresh = [key for key in _written(under, result) if key not in known]
    clause: Any = under.statement._post_values_clause  # type: ignore[union-attr]  # noqa: SLF001
    if fresh and clause is not None and under.connection.dialect.name == "postgresql":
        _check_fresh(under, fresh)
    return fresh


def _written(under: Under, result: CursorResult[Any]) -> list[Identity]:
    columns = list(under.statement.table.primary_key)
    if under.keys or under.tail:
        return under.keys
    if len(under.parameters) > 1 and not under.asks:
        return [tuple(row) for row in result.inserted_primary_key_rows if row is not None]
    if len(under.parameters) > 1:
        rows = result.returned_defaults_rows
        if rows is None:
            rows = result.all()
            if not under.asked:
                # Whoever asked for them is still to read them.
                result._rewind(rows)  # noqa: SLF001  SQLAlchemy itself does so for a RETURNING of its own
        return [tuple(row._mapping[key] for key in columns) for row in rows]  # noqa: SLF001  public, for all its name
    return [] if result.inserted_primary_key is None else [tuple(result.inserted_primary_key)]


def _check_fresh(under: Under, fresh: Sequence[Identity]) -> None:
    # PostgreSQL marks a row that ON CONFLICT updated as locked by the transaction, and a new one as locked by none.
    keys = list(under.statement.table.primary_key)
    for start in range(0, len(fresh), BATCH):
        updated = select(*keys).where(within(keys, fresh[start : start + BATCH]), text("xmax <> 0"))
        if under.connection.execute(updated).first() is not None:
            raise CaptureError(
                f"another transaction committed a row of {under.statement.table} under this upsert: run yours again"
            )


def _keys_given(under: Under, statement: Insert) -> list[Identity]:
    keys = [key.key for key in statement.table.primary_key]
    if not all(row.get(key) is not None for row in under.parameters for key in keys):
        raise CaptureError(
            f"this database does not say which keys many rows of {statement.table} got: give them, add objects "
            f"instead, or watch the model with bulk='summary'"
        )
    return [tuple(row[key] for key in keys) for row in under.parameters]


def _conflicting(connection: Connection, statement: Insert, parameters: Parameters) -> list[Identity]:
    """Lock the rows that an upsert is about to update and return their primary keys.

    Raises `CaptureError` for an upsert that does not show them.
    """
    clause: Any = statement._post_values_clause  # noqa: SLF001  where dialects keep ON CONFLICT
    if clause is None or "nothing" in type(clause).__name__.lower():
        return []
    columns = _arbiters(statement, clause)
    rows = _given(statement, parameters)
    if not columns or rows is None:
        raise _unclear(statement)
    values = [tuple(_value(row, column) for column in columns) for row in rows]
    return statements.lock(connection, statement, columns, [value for value in values if None not in value])


def _unclear(statement: Insert) -> CaptureError:
    return CaptureError(
        f"this upsert of {statement.table} does not show which rows it updates: give it plain values and "
        f"index_elements, or watch the model with bulk='summary'"
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


def _given(statement: Insert, parameters: Parameters) -> list[Mapping[Any, Any]] | None:
    """Return the rows of an INSERT's VALUES, by column or its key; `None` where another query gives them."""
    if statement.select is not None:
        return None
    common: Mapping[Any, Any] = statement._values or {}  # noqa: SLF001
    many = [_row(statement, row) for rows in statement._multi_values for row in rows]  # noqa: SLF001
    return many or [{**common, **row} for row in (parameters or [{}])]


def _row(statement: Insert, row: Any) -> Mapping[Any, Any]:
    return row if isinstance(row, Mapping) else dict(zip(statement.table.c, row, strict=False))


def _value(row: Mapping[Any, Any], column: ColumnElement[Any]) -> Any:
    value = next((row[key] for key in row if getattr(key, "key", key) in {column.key, column.name}), None)
    if isinstance(value, BindParameter):
        return value.effective_value
    if isinstance(value, ColumnElement):
        raise CaptureError(f"the upsert computes {column}: give a plain value, or watch the model with bulk='summary'")
    return value
