"""What the database itself does to watched rows when others go: ON DELETE CASCADE, SET NULL and SET DEFAULT.

Flushes do not see it (`passive_deletes`), nor do statements: the rows are read, under their locks, before it happens.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Delete, ForeignKeyConstraint, Table, and_, select
from sqlalchemy.orm import Mapper

from relay.capture import registry, statements
from relay.capture.changes import Identity, Row
from relay.capture.dialects import is_mysql
from relay.capture.errors import CaptureError
from relay.capture.marks import has_triggers
from relay.capture.reading import BATCH, kinds, read, within
from relay.capture.registry import Shape
from relay.capture.statements import Parameters
from relay.capture.telling import Summary

_ACTIONS = frozenset({"CASCADE", "SET NULL", "SET DEFAULT"})

_links: dict[Table, tuple[ForeignKeyConstraint, ...]] = {}
registry.caches.append(_links)


@dataclass(frozen=True, slots=True)
class Fallout:
    """What a DELETE does to watched rows beyond its own: they may change, or go."""

    rows: list[Row]
    summaries: list[Summary]


def reaches(table: Table) -> bool:
    """Say whether a row that goes from this table may take a watched row with it, or change one."""
    return bool(_leading(table))


def watched_beyond(table: Table) -> Iterator[Table]:
    """Yield the watched tables that a DELETE from this one may reach."""
    for found in dict.fromkeys(_beyond(table, {table})):
        if registry.mapper_of(found) is not None:
            yield found


def fallout(connection: Connection, statement: Delete, parameters: Parameters) -> Fallout:
    """Lock the watched rows that a DELETE reaches through foreign keys, and return them as they are.

    Triggers of the relay tell them, where there are any. Raises `CaptureError` for a model with `bulk="refuse"`.
    """
    told = Fallout([], [])
    table = statements.table_of(statement)
    if table is None or (has_triggers(connection) and not is_mysql(connection)):
        # MariaDB's and MySQL's see nothing of it.
        return told
    gone = statements.touched(connection, statement, parameters)
    _follow(connection, table, gone, told, {table: set(gone)})
    return told


def _follow(
    connection: Connection, table: Table, gone: Sequence[Identity], told: Fallout, seen: dict[Table, set[Identity]]
) -> None:
    for link in _leading(table):
        child = link.table
        reached = [key for key in _children(connection, link, gone) if key not in seen.setdefault(child, set())]
        if not reached:
            continue
        mapper = registry.mapper_of(child)
        if mapper is not None:
            _tell(connection, mapper, reached, told)
        if _action(link) == "CASCADE":
            seen[child].update(reached)
            _follow(connection, child, reached, told, seen)


def _tell(connection: Connection, mapper: Mapper[Any], reached: list[Identity], told: Fallout) -> None:
    for kind, keys in kinds(connection, mapper, reached).items():
        watch = registry.watched(kind.mapper)
        if watch is not None and watch.bulk == "refuse":
            raise CaptureError(
                f"{kind.mapper.class_.__name__} is watched with bulk='refuse', and a foreign key lets the database "
                f"change {kind.table} by itself: delete its objects first"
            )
        if watch is not None and watch.bulk == "summary":
            told.summaries.append(_summary(connection, kind, len(keys)))
            continue
        found = read(connection, kind, keys, kind.fields)
        told.rows.extend(Row(kind, connection, key, found[key], None, blind=True) for key in keys if key in found)


def _summary(connection: Connection, kind: Shape, count: int) -> Summary:
    data: dict[str, Any] = {"count": count, "criteria": None, "parameters": {}, "before": None, "after": None}
    return Summary(connection, kind.outbox, kind.table, "bulk_deleted", {**data, "changed": []})


def _children(connection: Connection, link: ForeignKeyConstraint, gone: Sequence[Identity]) -> Iterator[Identity]:
    parent, child = link.referred_table.alias(), link.table
    keys: list[ColumnElement[Any]] = [parent.c[key.key] for key in link.referred_table.primary_key]
    joined = and_(*(child.c[part.parent.key] == parent.c[part.column.key] for part in link.elements))
    of: dict[str, Any] = {"of": child} if connection.dialect.name == "postgresql" else {}
    for start in range(0, len(gone), BATCH):
        wanted = select(*child.primary_key).where(joined, within(keys, gone[start : start + BATCH]))
        yield from (tuple(row) for row in connection.execute(wanted.with_for_update(**of)))


def _leading(table: Table) -> tuple[ForeignKeyConstraint, ...]:
    """Return the foreign keys to a table through which a row that goes from it reaches a watched one."""
    found = _links.get(table)
    if found is None:
        found = _links[table] = tuple(link for link in _acting(table) if _leads(link))
    return found


def _leads(link: ForeignKeyConstraint) -> bool:
    if registry.mapper_of(link.table) is not None:
        return True
    beyond = _beyond(link.table, {link.table}) if _action(link) == "CASCADE" else ()
    return any(registry.mapper_of(table) is not None for table in beyond)


def _beyond(table: Table, seen: set[Table]) -> Iterator[Table]:
    for link in _acting(table):
        if link.table not in seen:
            seen.add(link.table)
            yield link.table
            if _action(link) == "CASCADE":
                yield from _beyond(link.table, seen)


def _acting(table: Table) -> Iterator[ForeignKeyConstraint]:
    # The ORM hands over a table with notes of its own on it, which is another object.
    table = table.metadata.tables.get(table.key, table)
    for other in list(table.metadata.tables.values()):
        for link in other.foreign_key_constraints:
            if _action(link) in _ACTIONS and len(list(other.primary_key)) and link.referred_table is table:
                yield link


def _action(link: ForeignKeyConstraint) -> str:
    return (link.ondelete or "").upper().partition("(")[0].strip()
