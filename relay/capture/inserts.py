"""INSERT around objects: which rows it makes, and which of those that are there an upsert changes."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import CursorResult, Insert, select, text
from sqlalchemy.engine.cursor import FullyBufferedCursorFetchStrategy

from relay.capture import conflicts
from relay.capture.changes import Identity
from relay.capture.dialects import is_mysql
from relay.capture.errors import CaptureError
from relay.capture.reading import BATCH, within
from relay.capture.statements import Under


def prepare(under: Under, statement: Insert) -> list[Identity]:
    """Make an INSERT tell the primary keys of its rows; return those of rows that it is about to update.

    Raises `CaptureError` for one that cannot tell.
    """
    if any("replace" in str(prefix).lower() for prefix, _ in statement._prefixes):  # noqa: SLF001  nowhere else
        raise CaptureError(f"INSERT OR REPLACE into {statement.table} deletes rows unseen: use on_conflict_do_update")
    conflicts.refuse_new_keys(statement)
    if is_mysql(under.connection) and not _returns(under, statement):
        return _prepare_unasked(under, statement)
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
    return [] if is_mysql(under.connection) else conflicts.conflicting(under.connection, statement, under.parameters)


def _returns(under: Under, statement: Insert) -> bool:
    """Say whether MariaDB is asked for the keys of an INSERT's rows: where RETURNING changes nothing else that it says.

    After an upsert, whose count of rows tells new ones from old, it would.
    """
    single = len(under.parameters) < 2 and statement.select is None and not statement._multi_values  # noqa: SLF001
    told = single and not _ignores(statement) and not statement.exported_columns
    upsert = statement._post_values_clause is not None  # noqa: SLF001
    return bool(under.connection.dialect.insert_returning) and not upsert and not told


def _prepare_unasked(under: Under, statement: Insert) -> list[Identity]:
    if statement._post_values_clause is not None or _ignores(statement):  # noqa: SLF001
        under.unique = conflicts.by_any_key(statement, under.parameters)
        return conflicts.located(under)
    if len(conflicts.given(statement, under.parameters) or ()) != 1:
        under.keys = _keys_given(under, statement)
    return []


def _ignores(statement: Insert) -> bool:
    return any("ignore" in str(prefix).lower() for prefix, _ in statement._prefixes)  # noqa: SLF001


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
    if context.dialect.postfetch_lastrowid:
        _restore_last(under, context)
    # A cursor that is read to its end forgets how many rows there were.
    context._rowcount = cursor.rowcount  # noqa: SLF001
    context.cursor_fetch_strategy = FullyBufferedCursorFetchStrategy(cursor, description[:width] or None, rest)


def _restore_last(under: Under, context: Any) -> None:
    """Let a context know the number that the first row got: MariaDB does not say where it returns rows."""
    table = under.statement.table
    numbered = getattr(table, "autoincrement_column", None)
    places = [place for place, key in enumerate(table.primary_key) if key is numbered]
    last = under.keys[0][places[0]] if places and under.keys else 0
    context.get_lastrowid = lambda: last


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
    if any(values for _, values in under.unique):
        return conflicts.located(under)
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
    rows = conflicts.given(statement, under.parameters)
    keys = list(statement.table.primary_key)
    found = [conflicts.key_of(row, keys) for row in rows or ()]
    if rows is None or any(None in key for key in found):
        raise CaptureError(
            f"this database does not say which keys many rows of {statement.table} got: give them, add objects "
            f"instead, or watch the model with bulk='summary'"
        )
    return found
