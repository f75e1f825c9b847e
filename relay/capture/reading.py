"""Reads of column values that a session does not hold, many rows in one statement."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, select, tuple_
from sqlalchemy.orm import Mapper

from relay.capture.changes import Identity, Values
from relay.capture.dialects import current
from relay.capture.registry import Field, Shape, watched
from relay.capture.registry import shape as shape_of
from relay.capture.values import ABSENT

BATCH = 500
"""Rows a statement: some databases take no more than 1,000 parameters."""


def read(
    connection: Connection, shape: Shape, rows: Sequence[Identity], fields: Collection[Field]
) -> dict[Identity, Values]:
    """Return the values of `fields` as the transaction sees them now, for each of `rows` that exists.

    The other fields of the shape are absent.
    """
    found: dict[Identity, Values] = {}
    for start in range(0, len(rows), BATCH):
        found |= _batch(connection, shape, rows[start : start + BATCH], fields)
    return found


def _batch(
    connection: Connection, shape: Shape, rows: Sequence[Identity], fields: Collection[Field]
) -> dict[Identity, Values]:
    primary = shape.mapper.primary_key
    columns = [column.label(f"k{number}") for number, column in enumerate(primary)]
    columns += [field.column.label(f"f{number}") for number, field in enumerate(fields)]
    wanted = select(*columns).select_from(shape.mapper.persist_selectable).where(within(primary, rows))
    width = len(primary)
    result = connection.execute(current(connection, wanted))
    return {tuple(row[:width]): _values(shape, fields, row[width:]) for row in result}


def _values(shape: Shape, fields: Collection[Field], row: Sequence[Any]) -> Values:
    found = {f: shape.keep(f, value) for f, value in zip(fields, row, strict=True)}
    return tuple(found.get(f, ABSENT) for f in shape.fields)


def kinds(connection: Connection, mapper: Mapper[Any], rows: Sequence[Identity]) -> dict[Shape, list[Identity]]:
    """Return which of `rows` in the table of `mapper` are watched, by what they are.

    A table holds rows of one class, or a column of it tells several apart.
    """
    discriminator = mapper.polymorphic_on
    if discriminator is None:
        return {shape_of(mapper): list(rows)} if rows and watched(mapper) else {}
    found: dict[Shape, list[Identity]] = {}
    primary = mapper.base_mapper.primary_key
    for start in range(0, len(rows), BATCH):
        wanted = select(*primary, discriminator).where(within(primary, rows[start : start + BATCH]))
        for *key, name in connection.execute(current(connection, wanted)):
            kind = mapper.polymorphic_map.get(name)
            if kind is not None and watched(kind):
                found.setdefault(shape_of(kind), []).append(tuple(key))
    return found


def within(columns: Sequence[ColumnElement[Any]], values: Sequence[Identity]) -> ColumnElement[bool]:
    """Return the condition that `columns` hold one of these combinations of values."""
    if len(columns) == 1:
        return columns[0].in_([value for (value,) in values])
    return tuple_(*columns).in_(values)
