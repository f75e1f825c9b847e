"""Statements that go around objects (`update(Model)`, `bulk_*`, Core), and what becomes of each, by model."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Column, Connection, CursorResult, Insert
from sqlalchemy.orm import Mapper, SessionTransaction
from sqlalchemy.sql import visitors

from relay.capture import inserts, statements
from relay.capture.changes import Identity, Row, Values
from relay.capture.errors import CaptureError
from relay.capture.ledger import Ledger
from relay.capture.reading import kinds, read
from relay.capture.registry import Shape, Watch, shape, watched
from relay.capture.statements import Parameters, Under, Write
from relay.capture.telling import Summary
from relay.capture.values import cut, plain


def begin(connection: Connection, statement: Write, mapper: Mapper[Any], parameters: Parameters) -> Under:
    """Return a statement that is about to run, changed so that it tells what it did. Raises `CaptureError`."""
    _, told = _policy(mapper)
    under = Under(connection, statement, mapper, parameters)
    if told.bulk == "refuse":
        raise CaptureError(
            f"{mapper.class_.__name__} is watched with bulk='refuse': change its objects, not the table "
            f"{statement.table} around them"
        )
    if told.bulk == "expand":
        _expand(under)
    return under


def finish(under: Under, result: CursorResult[Any], ledger: Ledger, savepoint: SessionTransaction | None) -> None:
    """Enter into the ledger what a statement did."""
    kind, told = _policy(under.mapper)
    if told.bulk == "summary":
        ledger.sum_up(savepoint, _summary(under, result, kind, told))
        return
    changes = [Row(kind, under.connection, key, values, None, blind=True) for kind, key, values in under.rows]
    if isinstance(under.statement, Insert):
        created = kinds(under.connection, under.mapper, inserts.created(under, result))
        changes += [
            Row(kind, under.connection, key, None, None, blind=True) for kind, keys in created.items() for key in keys
        ]
    ledger.record(savepoint, changes)


def _policy(mapper: Mapper[Any]) -> tuple[Mapper[Any], Watch]:
    for kind in mapper.self_and_descendants:
        if (told := watched(kind)) is not None:
            return kind, told
    raise CaptureError(f"{mapper} is not watched")


def _expand(under: Under) -> None:
    statement = under.statement
    if isinstance(statement, Insert):
        under.rows = list(_stored(under, inserts.prepare(under, statement)))
        return
    if {key.key for key in statement.table.primary_key} & statements.assigned(statement, under.parameters):
        raise CaptureError(
            f"this UPDATE of {statement.table} writes the primary key, which names its rows: change objects instead, "
            f"or watch the model with bulk='summary'"
        )
    rows = statements.touched(under.connection, statement, under.parameters)
    under.rows = list(_stored(under, rows))
    if under.connection.dialect.name != "sqlite" and len(under.parameters) < 2:
        under.statement = statements.narrowed(statement, rows)


def _stored(under: Under, rows: Sequence[Identity]) -> Iterator[tuple[Shape, Identity, Values | None]]:
    for kind, keys in kinds(under.connection, under.mapper, rows).items():
        found = read(under.connection, kind, keys, kind.fields)
        yield from ((kind, key, found.get(key)) for key in keys)


def _summary(under: Under, result: CursorResult[Any], kind: Mapper[Any], told: Watch) -> Summary:
    statement, form = under.statement, shape(kind)
    written = statements.assigned(statement, under.parameters)
    # In Core, a table's columns go by their own keys; in the ORM, by the attributes'.
    changed = [f.name for f in form.fields if written & {f.key, f.column.key}]
    count = result.rowcount if result.rowcount >= 0 else len(under.parameters)
    data = {"count": count, **_criteria(under, told), "before": None, "after": None, "changed": changed}
    return Summary(under.connection, form.outbox, form.table, statements.verb(statement), data)


def _criteria(under: Under, told: Watch) -> dict[str, Any]:
    """Return the criteria as SQL, and the values compared with unless a column among them may not show its own."""
    criteria = None if isinstance(under.statement, Insert) else under.statement.whereclause
    if criteria is None:
        return {"criteria": None, "parameters": {}}
    compiled = criteria.compile(dialect=under.connection.dialect)
    columns = [part for part in visitors.iterate(criteria) if isinstance(part, Column)]
    hidden = any(not told.takes(str(c.key), c) or told.masks(str(c.key), c) for c in columns)
    values = {} if hidden or len(under.parameters) > 1 else {**compiled.params, **dict(*under.parameters)}
    shown = {name: cut(plain(value)) for name, value in values.items() if name in compiled.params}
    return {"criteria": str(compiled), "parameters": shown}
