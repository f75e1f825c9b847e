"""Triggers for PostgreSQL."""

# ruff: noqa: S608  the text is made of quoted names and escaped values alone

from typing import Any

from sqlalchemy import Interval, LargeBinary, Numeric, Table
from sqlalchemy.types import Float

from relay.capture.marks import FUNCTION, SETTING
from relay.capture.outbox import NAME
from relay.capture.registry import Field, Shape
from relay.capture.sqltext import Triggers, fields_of, json_object, keys_of, literal, table_of

COMMON = Triggers(
    [
        f"""CREATE OR REPLACE FUNCTION {FUNCTION}(part text) RETURNS text LANGUAGE sql IMMUTABLE AS $relay$
  SELECT coalesce(string_agg(CASE WHEN letter ~ '^[A-Za-z0-9_.~-]$' THEN letter ELSE
    regexp_replace(upper(encode(convert_to(letter, 'UTF8'), 'hex')), '(..)', '%\\1', 'g') END, '' ORDER BY place), '')
  FROM regexp_split_to_table(part, '') WITH ORDINALITY AS split(letter, place)
$relay$"""
    ],
    [f"DROP FUNCTION IF EXISTS {FUNCTION}(text)"],
)


def table_triggers(kind: Shape, source: str, quote: Any) -> Triggers:
    """Return the triggers of one table; `source` is SQL already."""
    table = table_of(kind)
    name, function = quote.quote(f"relay_{table.name}"), quote.quote(f"relay_tell_{table.name}")
    fields = fields_of(kind, table, quote)
    moved = " OR ".join(f"OLD.{column} IS DISTINCT FROM NEW.{column}" for column in keys_of(table, quote))
    changed = ", ".join(
        f"CASE WHEN OLD.{column}::text IS DISTINCT FROM NEW.{column}::text THEN {literal(f.name)} END"
        for f, column in fields
    )
    was, now = (json_object("json_build_object", fields, side, _pg_value) for side in ("OLD", "NEW"))
    subjects = [_pg_subject(kind, table, side, quote) for side in ("OLD", "NEW")]

    created = _tell(kind, source, "created", subjects[1], "NULL::json", now)
    deleted = _tell(kind, source, "deleted", subjects[0], was, "NULL::json")
    updated = _tell(kind, source, "updated", subjects[1], was, now, "to_json(changed)")
    body = _body(function, literal(table.fullname), moved, changed, created, deleted, updated)
    full = quote.format_table(table)
    drop = f"DROP TRIGGER IF EXISTS {name} ON {full}"
    create = (
        f"CREATE TRIGGER {name} AFTER INSERT OR UPDATE OR DELETE ON {full} FOR EACH ROW EXECUTE FUNCTION {function}()"
    )
    return Triggers([body, drop, create], [drop, f"DROP FUNCTION IF EXISTS {function}()"])


def _pg_subject(kind: Shape, table: Table, side: str, quote: Any) -> str:
    parts = (f"{FUNCTION}({side}.{column}::text)" for column in keys_of(table, quote))
    return f"{literal(f'{kind.table}/')} || " + " || ',' || ".join(parts)


def _pg_value(f: Field, value: str) -> str:
    match f.column.type:
        case Float():
            return value
        case Numeric():
            return f"{value}::text"
        case LargeBinary():
            return f"replace(encode({value}, 'base64'), E'\\n', '')"
        case Interval():
            return f"extract(epoch FROM {value})::float8"
        case _:
            return value


def _body(function: str, own: str, moved: str, changed: str, created: str, deleted: str, updated: str) -> str:
    return f"""CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $relay$
DECLARE changed text[];
BEGIN
  -- What a captured session writes it tells by itself; what cascades and other triggers make of it, it does not see.
  IF current_setting('{SETTING}', true) = {own} AND pg_trigger_depth() = 1 THEN RETURN NULL; END IF;
  IF TG_OP = 'INSERT' THEN
    {created}
  ELSIF TG_OP = 'DELETE' THEN
    {deleted}
  ELSIF {moved} THEN
    {deleted}
    {created}
  ELSE
    changed := array_remove(ARRAY[{changed}]::text[], NULL);
    IF cardinality(changed) > 0 THEN
      {updated}
    END IF;
  END IF;
  RETURN NULL;
END $relay$"""


def _tell(kind: Shape, source: str, verb: str, subject: str, before: str, after: str, names: str = "'[]'::json") -> str:
    data = f"json_build_object('before', {before}, 'after', {after}, 'changed', {names}, 'meta', '{{}}'::json)"
    return (
        f"INSERT INTO {NAME} (id, source, type, subject, data, occurred_at) VALUES (gen_random_uuid(), {source}, "
        f"{literal(f'{kind.table}.{verb}')}, {subject}, {data}::text, clock_timestamp());"
    )
