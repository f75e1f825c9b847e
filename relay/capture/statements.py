"""What a statement that goes around objects writes, and which rows it may touch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Connection, Delete, Insert, Table, Update, select
from sqlalchemy.orm import Mapper
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import BinaryExpression, BooleanClauseList, Grouping

from relay.capture.changes import Identity, Values
from relay.capture.reading import BATCH, within
from relay.capture.registry import Shape

Write = Insert | Update | Delete
Parameters = Sequence[Mapping[str, Any]]

_VERBS = {"insert": "bulk_created", "update": "bulk_updated", "delete": "bulk_deleted"}


@dataclass(slots=True)
class Under:
    """A statement under way through one connection, with its sets of parameters.

    `rows` are those that it may write and that were there before. An INSERT `asks` for the primary keys of its rows,
    found in the last `tail` columns of what it returns, and collected in `keys`; it was `asked` for nothing else. Where
    it is not asked, `unique` finds its rows: columns that are unique together, and the values they are given.
    """

    connection: Connection
    statement: Write
    mapper: Mapper[Any]
    parameters: Parameters
    rows: list[tuple[Shape, Identity, Values | None]] = field(default_factory=list)
    asks: bool = False
    asked: bool = False
    tail: int = 0
    keys: list[Identity] = field(default_factory=list)
    unique: list[tuple[list[ColumnElement[Any]], list[Identity]]] = field(default_factory=list)


def table_of(statement: Write) -> Table | None:
    """Return the table that the statement writes to."""
    aimed: Any = statement.table
    while not isinstance(aimed, Table) and hasattr(aimed, "element"):
        aimed = aimed.element
    return aimed if isinstance(aimed, Table) else None


def others(statement: Update) -> frozenset[Table]:
    """Return the tables besides its own that an UPDATE over several tables writes, as MariaDB and MySQL let it."""
    told: dict[Any, Any] = {**(statement._values or {}), **dict(getattr(statement, "_ordered_values", None) or ())}  # noqa: SLF001
    written = (getattr(key, "table", None) for key in told)
    return frozenset(table for table in written if isinstance(table, Table)) - {statement.table}


def verb(statement: Write) -> str:
    """Return `created`, `updated` or `deleted`, as a summary's type has it."""
    return _VERBS[str(statement.__visit_name__)]


def assigned(statement: Write, parameters: Parameters) -> frozenset[str]:
    """Return the keys of the columns that an INSERT or UPDATE gives values to."""
    if isinstance(statement, Delete):
        return frozenset()
    # SQLAlchemy has no public way to ask for them.
    told: list[Any] = [statement._values or {}]  # noqa: SLF001
    told += [pair for pairs in statement._multi_values for pair in pairs]  # noqa: SLF001
    told += [dict(getattr(statement, "_ordered_values", None) or ()), *parameters[:1]]
    names = {getattr(key, "key", key) for values in told for key in values}
    return frozenset(names & set(statement.table.c.keys()))


def touched(connection: Connection, statement: Update | Delete, parameters: Parameters) -> list[Identity]:
    """Lock the rows that an UPDATE or DELETE is about to write and return their primary keys: all of them, or more."""
    keys = list(statement.table.primary_key)
    bound = _bound(statement.whereclause, keys) if len(parameters) > 1 else None
    if bound is not None:
        given = [tuple(row[name] for name in bound) for row in parameters]
        return lock(connection, statement, keys, given)
    locking = select(*keys).select_from(statement.table).with_for_update(**_of(connection, statement))
    if statement.whereclause is not None:
        locking = locking.where(statement.whereclause)
    found = [tuple(row) for values in parameters or [{}] for row in connection.execute(locking, dict(values))]
    return list(dict.fromkeys(found))


def lock(
    connection: Connection, statement: Write, columns: Sequence[ColumnElement[Any]], values: Sequence[Identity]
) -> list[Identity]:
    """Lock the rows whose `columns` hold any of these values and return their primary keys."""
    keys = list(statement.table.primary_key)
    found: list[Identity] = []
    for start in range(0, len(values), BATCH):
        some = values[start : start + BATCH]
        locking = select(*keys).where(within(columns, some)).with_for_update(**_of(connection, statement))
        found += [tuple(row) for row in connection.execute(locking)]
    return list(dict.fromkeys(found))


def narrowed(statement: Update | Delete, rows: Sequence[Identity]) -> Update | Delete:
    """Return the statement for these rows alone: those that others added since they were locked are not its own."""
    return statement.where(within(list(statement.table.primary_key), rows))


def _bound(criteria: ColumnElement[Any] | None, keys: Sequence[ColumnElement[Any]]) -> list[str] | None:
    """Return the parameters that hold a row's primary key, where the criteria ask for it to be equal to them."""
    found: dict[ColumnElement[Any], str] = {}
    for part in _parts(criteria):
        equation = isinstance(part, BinaryExpression) and part.operator is operators.eq
        if equation and isinstance(part.right, BindParameter):
            found[part.left] = part.right.key
    return [found[key] for key in keys] if all(key in found for key in keys) else None


def _parts(criteria: Any) -> list[Any]:
    if isinstance(criteria, Grouping):
        return _parts(criteria.element)
    if isinstance(criteria, BooleanClauseList) and criteria.operator is operators.and_:
        return [part for clause in criteria.clauses for part in _parts(clause)]
    return [] if criteria is None else [criteria]


def _of(connection: Connection, statement: Write) -> dict[str, Any]:
    # A statement over several tables writes one: the others' rows stay free.
    return {"of": statement.table} if connection.dialect.name == "postgresql" else {}
