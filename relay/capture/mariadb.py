"""Triggers for MariaDB and MySQL. Each is one statement, so that a client needs no delimiter of its own."""

import json
from hashlib import sha256
from typing import Any

from sqlalchemy import Boolean, DateTime, Interval, LargeBinary, Numeric, Table, Uuid
from sqlalchemy.types import JSON, Float

from relay.capture.marks import MARKER, VARIABLE
from relay.capture.outbox import NAME
from relay.capture.registry import Field, Shape
from relay.capture.sqltext import Triggers, fields_of, json_object, keys_of, literal, percent_encoded, table_of

COMMON = Triggers(
    [f"CREATE TABLE IF NOT EXISTS {MARKER} (id INTEGER PRIMARY KEY)"],
    [f"DROP TABLE IF EXISTS {MARKER}"],
)

_LONGEST = 64
"""Characters of a name."""


def table_triggers(kind: Shape, source: str, quote: Any) -> Triggers:
    """Return the triggers of one table; `source` is SQL already."""
    table = table_of(kind)
    fields = fields_of(kind, table, quote)
    was, now = (json_object("JSON_OBJECT", fields, side, _value) for side in ("OLD", "NEW"))
    subjects = [_subject(kind, table, side, quote) for side in ("OLD", "NEW")]
    moved = " OR ".join(f"NOT (OLD.{column} <=> NEW.{column})" for column in keys_of(table, quote))
    differ = {f.name: f"NOT (OLD.{column} <=> NEW.{column})" for f, column in fields}
    listed = ", ".join(f"IF({one}, {literal(json.dumps(name))}, NULL)" for name, one in differ.items())
    changed = f"JSON_EXTRACT(CONCAT('[', CONCAT_WS(',', {listed}), ']'), '$')"

    created = _told(kind, source, "created", subjects[1], "NULL", now)
    deleted = _told(kind, source, "deleted", subjects[0], was, "NULL")
    updated = _told(kind, source, "updated", subjects[1], was, now, changed)
    cases = (
        ("insert", "INSERT", "TRUE", created),
        ("delete", "DELETE", "TRUE", deleted),
        ("update", "UPDATE", f"NOT ({moved}) AND ({' OR '.join(differ.values())})", updated),
        # Triggers of one event run in the order in which they were made.
        ("leave", "UPDATE", f"({moved})", deleted),
        ("arrive", "UPDATE", f"({moved})", created),
    )
    names = {case: quote.quote(_short(f"relay_{case}_{table.name}")) for case, *_ in cases}
    drop = [f"DROP TRIGGER IF EXISTS {name}" for name in names.values()]
    still = f"COALESCE(@{VARIABLE}, '') = {literal(table.fullname)}"
    create = [
        f"CREATE TRIGGER {names[case]} AFTER {moment} ON {quote.format_table(table)} FOR EACH ROW\n"
        f"INSERT INTO {NAME} (id, source, type, subject, data, occurred_at)\n"
        f"SELECT {told} FROM DUAL\nWHERE {condition} AND NOT {still}"
        for case, moment, condition, told in cases
    ]
    return Triggers([*drop, *create], drop)


def _told(
    kind: Shape, source: str, verb: str, subject: str, before: str, after: str, names: str = "JSON_ARRAY()"
) -> str:
    data = f"JSON_OBJECT('before', {before}, 'after', {after}, 'changed', {names}, 'meta', JSON_OBJECT())"
    now = "DATE_FORMAT(UTC_TIMESTAMP(6), '%Y-%m-%dT%H:%i:%s.%fZ')"
    return f"UUID(), {source}, {literal(f'{kind.table}.{verb}')}, {subject}, {data}, {now}"


def _subject(kind: Shape, table: Table, side: str, quote: Any) -> str:
    parts = ", ',', ".join(percent_encoded(f"{side}.{column}", "CHAR") for column in keys_of(table, quote))
    return f"CONCAT({literal(f'{kind.table}/')}, {parts})"


def _value(f: Field, value: str) -> str:
    match f.column.type:
        case Boolean():
            return f"JSON_EXTRACT(CASE WHEN {value} IS NULL THEN NULL WHEN {value} THEN 'true' ELSE 'false' END, '$')"
        case JSON():
            return f"JSON_EXTRACT({value}, '$')"
        case Float():
            return value
        case Numeric():
            return f"CAST({value} AS CHAR)"
        case Interval():
            return f"TIMESTAMPDIFF(MICROSECOND, '1970-01-01', {value}) / 1e6"
        case DateTime():
            return f"REPLACE(REPLACE(CAST({value} AS CHAR), ' ', 'T'), '.000000', '')"
        case LargeBinary():
            return f"REPLACE(TO_BASE64({value}), '\\n', '')"
        case Uuid():
            digits = f"REPLACE(CAST({value} AS CHAR), '-', '')"
            cuts = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
            parts = ", ".join(f"SUBSTR({digits}, {start}, {length})" for start, length in cuts)
            return f"IF({value} IS NULL, NULL, CONCAT_WS('-', {parts}))"
        case _:
            return value


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 9]}_{sha256(name.encode()).hexdigest()[:8]}"
