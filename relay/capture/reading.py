"""Reads of column values that a session does not hold, many rows in one statement."""

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, select, tuple_

from relay.capture.changes import Identity, Values, freeze
from relay.capture.registry import Field, Shape

BATCH = 500
"""Rows a statement: some databases take no more than 1,000 parameters."""


def read(
    connection: Connection, shape: Shape, rows: Sequence[Identity], fields: Collection[Field]
) -> dict[Identity, Values]:
    """Return the values of `fields` as the transaction sees them now, for each of `rows` that exists."""
    found: dict[Identity, Values] = {}
    for start in range(0, len(rows), BATCH):
        found |= _batch(connection, shape, rows[start : start + BATCH], fields)
    return found


def _batch(
    connection: Connection, shape: Shape, rows: Sequence[Identity], fields: Collection[Field]
) -> dict[Identity, Values]:
    primary = shape.mapper.primary_key
    wanted = tuple_(*primary).in_(rows) if len(primary) > 1 else primary[0].in_([row[0] for row in rows])
    columns = [column.label(f"k{number}") for number, column in enumerate(primary)]
    columns += [field.column.label(f"f{number}") for number, field in enumerate(fields)]
    result = connection.execute(select(*columns).select_from(shape.mapper.persist_selectable).where(wanted))
    width = len(primary)
    return {
        tuple(row[:width]): {f.name: freeze(f, value) for f, value in zip(fields, row[width:], strict=True)}
        for row in result
    }
