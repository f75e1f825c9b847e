"""Triggers for SQLite."""

# ruff: noqa: S608  the text is made of quoted names and escaped values alone

from typing import Any

from sqlalchemy import Boolean, DateTime, LargeBinary, Numeric, Table, Uuid
from sqlalchemy.types import JSON

from relay.capture.marks import MARKER
from relay.capture.outbox import NAME
from relay.capture.registry import Field, Shape
from relay.capture.sqltext import Triggers, fields_of, json_object, keys_of, literal, percent_encoded, table_of

COMMON = Triggers(
    [f"CREATE TABLE IF NOT EXISTS {MARKER} (id INTEGER PRIMARY KEY, captured TEXT NOT NULL)"],
    [f"DROP TABLE IF EXISTS {MARKER}"],
)


def table_triggers(kind: Shape, source: str, quote: Any) -> Triggers:
    """Return the triggers of one table; `source` is SQL already."""
    table = table_of(kind)
    # There is no base64 in it: bytes are left out.
    fields = [(f, name) for f, name in fields_of(kind, table, quote) if not isinstance(f.column.type, LargeBinary)]
    was, now = (json_object("json_object", fields, side, _sqlite_value) for side in ("OLD", "NEW"))
    subjects = [_sqlite_subject(kind, table, side, quote) for side in ("OLD", "NEW")]
    keys = list(keys_of(table, quote))
    moved = " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in keys)
    differ = " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for _, column in fields) or "0"
    names = " UNION ALL ".join(
        f"SELECT {literal(f.name)} AS name WHERE OLD.{column} IS NOT NEW.{column}" for f, column in fields
    )
    changed = f"(SELECT json_group_array(name) FROM ({names}))"
    created = _tell(kind, source, "created", subjects[1], "NULL", now)
    deleted = _tell(kind, source, "deleted", subjects[0], was, "NULL")
    updated = _tell(kind, source, "updated", subjects[1], was, now, f"json({changed})")
    cases = (
        ("insert", "INSERT", "1", created),
        ("delete", "DELETE", "1", deleted),
        ("update", "UPDATE", f"NOT ({moved}) AND ({differ})", updated),
        ("move", "UPDATE", f"({moved})", f"{deleted}\n  {created}"),
    )
    names_of = {case: quote.quote(f"relay_{case}_{table.name}") for case, *_ in cases}
    drop = [f"DROP TRIGGER IF EXISTS {name}" for name in names_of.values()]
    still = f"EXISTS (SELECT 1 FROM {MARKER} WHERE captured = {literal(table.fullname)})"
    create = [
        f"CREATE TRIGGER {names_of[case]} AFTER {moment} ON {quote.format_table(table)}\n"
        f"WHEN {condition} AND NOT {still}\nBEGIN\n  {body}\nEND"
        for case, moment, condition, body in cases
    ]
    return Triggers([*drop, *create], drop)


def _tell(kind: Shape, source: str, verb: str, subject: str, before: str, after: str, names: str = "json('[]')") -> str:
    data = f"json_object('before', {before}, 'after', {after}, 'changed', {names}, 'meta', json('{{}}'))"
    return (
        f"INSERT INTO {NAME} (id, source, type, subject, data, occurred_at) VALUES ({_SQLITE_UUID}, {source}, "
        f"{literal(f'{kind.table}.{verb}')}, {subject}, {data}, strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'));"
    )


_SQLITE_UUID = (
    "lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-8' || "
    "substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))"
)


def _sqlite_subject(kind: Shape, table: Table, side: str, quote: Any) -> str:
    parts = (percent_encoded(f"{side}.{column}", "TEXT") for column in keys_of(table, quote))
    return f"{literal(f'{kind.table}/')} || " + " || ',' || ".join(parts)


def _sqlite_value(f: Field, value: str) -> str:
    match f.column.type:
        case Boolean():
            return f"json(CASE {value} WHEN 1 THEN 'true' WHEN 0 THEN 'false' ELSE 'null' END)"
        case JSON():
            return f"json({value})"
        case Numeric(asdecimal=True, scale=int() as scale):
            return f"CASE WHEN {value} IS NULL THEN NULL ELSE printf('%.{scale}f', {value}) END"
        case DateTime():
            return f"replace(replace({value}, ' ', 'T'), '.000000', '')"
        case Uuid(native_uuid=True):
            cuts = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
            return " || '-' || ".join(f"substr({value}, {start}, {length})" for start, length in cuts)
        case _:
            return value
