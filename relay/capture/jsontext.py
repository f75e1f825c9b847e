"""Changes as JSON text, many rows at once: a column at a time costs a fraction of a row at a time."""

import json
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from itertools import compress, groupby
from json.encoder import encode_basestring
from operator import is_, is_not
from typing import Any
from uuid import UUID

from relay.capture.changes import Row, Values
from relay.capture.labels import Naming, said
from relay.capture.registry import Field, Shape
from relay.capture.values import ABSENT, LIMIT, Missing

# Made once: what `json.dumps` makes anew for each call that has options.
encoded = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")).encode


def _quoted(text: Callable[[Any], str]) -> Callable[[Any], str]:
    return lambda value: f'"{text(value)}"'


# What leaves as its type alone says, with the text that `plain` and JSON make of it. What is absent has none.
_TEXT: dict[type, Callable[[Any], str]] = {
    Missing: lambda _: "",
    type(None): lambda _: "null",
    bool: lambda value: "true" if value else "false",
    int: int.__repr__,
    str: encode_basestring,
    Decimal: lambda value: f'"{value:f}"',
    datetime: _quoted(datetime.isoformat),
    date: _quoted(date.isoformat),
    time: _quoted(time.isoformat),
    timedelta: lambda value: repr(value.total_seconds()),
    UUID: _quoted(str),
    bytes: _quoted(lambda value: b64encode(value).decode()),
}


def tell(rows: Iterable[Row], meta: str) -> tuple[list[Row], list[str], list[str]]:
    """Return the rows that changed, and the type and data of each one's event; `meta` is JSON, and so is data."""
    changed: list[Row] = []
    types: list[str] = []
    data: list[str] = []
    for (kind, new, gone), run in groupby(rows, lambda row: (row.shape, row.before is None, row.after is None)):
        some = list(run)
        before = [] if new else [row.before or () for row in some]
        after = [] if gone else [row.after or () for row in some]
        verb, texts = _told(kind, before, after, meta)
        changed += compress(some, texts)
        data += filter(None, texts)
        types += [f"{kind.table}.{verb}"] * (len(data) - len(types))
    return changed, types, data


def _told(kind: Shape, before: list[Values], after: list[Values], meta: str) -> tuple[str, list[str]]:
    """Return what happened to rows, and the data of each one's event: none where it is as it was."""
    was = _columns(kind, before)
    if not after:
        rows = zip(_objects(kind, was, len(before)), _metas(kind, [was], len(before), meta), strict=True)
        return "deleted", [f'{{"before":{row},"after":null,"changed":[],"meta":{rest}}}' for row, rest in rows]
    if not before:
        now = _columns(kind, after)
        rows = zip(_objects(kind, now, len(after)), _metas(kind, [now], len(after), meta), strict=True)
        return "created", [f'{{"before":null,"after":{row},"changed":[],"meta":{rest}}}' for row, rest in rows]
    changed = [""] * len(before)
    columns = zip(kind.fields, zip(*before, strict=True), zip(*after, strict=True), was, strict=True)
    now = [_changed(f, values, new, texts, changed) for f, values, new, texts in columns]
    metas = _metas(kind, [was, now], len(before), meta, changed)
    sides = zip(_objects(kind, was, len(before)), _objects(kind, now, len(after)), changed, metas, strict=True)
    return "updated", [
        names and f'{{"before":{b},"after":{a},"changed":[{names[1:]}],"meta":{rest}}}' for b, a, names, rest in sides
    ]


def _metas(
    kind: Shape, sides: list[list[list[str]]], count: int, meta: str, changed: list[str] | None = None
) -> list[str]:
    """Return the `meta` of each of `count` rows, with what people call the columns that its event is about."""
    if not kind.namings or "columns" in json.loads(meta):
        return [meta] * count
    told = [""] * count
    for place, f in enumerate(kind.fields):
        if f.name in kind.namings:
            name, cells = encode_basestring(f.name), zip(*(side[place] for side in sides), strict=True)
            texts = _said(name, kind.namings[f.name], cells)
            told = [
                rest + text if changed is None or f",{name}" in changed[row] else rest
                for row, (rest, text) in enumerate(zip(told, texts, strict=True))
            ]
    rest = "}" if meta == "{}" else "," + meta[1:]
    return [f'{{"columns":{{{columns[1:]}}}{rest}' if columns else meta for columns in told]


def _said(name: str, naming: Naming, cells: Iterable[tuple[str, ...]]) -> list[str]:
    @cache
    def text(*cell: str) -> str:
        what = said(naming, cell)
        return f",{name}:{encoded(what)}" if what else ""

    return [text(*cell) for cell in cells]


def _changed(f: Field, before: Values, after: Values, texts: list[str], changed: list[str]) -> list[str]:
    """Return the texts of one column after a change; add its name in `changed` to the rows where it is another."""
    # Most columns hold the very values that they held: only the others are looked at.
    if all(map(is_, before, after)):
        return texts
    places = [place for place, differs in enumerate(map(is_not, before, after)) if differs]
    now, name = texts.copy(), "," + encode_basestring(f.name)
    for place, text in zip(places, _texts(f, [after[place] for place in places]), strict=True):
        was = None if before[place] is ABSENT else before[place]
        same = was == after[place] or (text == texts[place] and (len(text) <= LIMIT or _same(f, was, after[place])))
        if not same and text:
            changed[place] += name
        if not (same and texts[place]):
            now[place] = text
    return now


def _same(f: Field, before: Any, after: Any) -> bool:
    # Long text was cut.
    return bool(f.export(before) == f.export(after))


def _columns(kind: Shape, rows: list[Values]) -> list[list[str]]:
    return [_texts(f, [row[place] for row in rows]) for place, f in enumerate(kind.fields)]


def _texts(f: Field, values: Sequence[Any]) -> list[str]:
    """Return the JSON of one column's values as they leave the process, empty where there is none."""
    kinds = set(map(type, values))
    if not (f.direct and kinds <= _TEXT.keys()) or (str in kinds and _any_long(values)):
        return ["" if value is ABSENT else _text(f.show(value)) for value in values]
    if kinds == {datetime}:
        return [f'"{text}"' for text in map(datetime.isoformat, values)]
    if len(kinds) == 1:
        return list(map(_TEXT[kinds.pop()], values))
    return [_TEXT[type(value)](value) for value in values]


def _any_long(values: Sequence[Any]) -> bool:
    return any(len(value) > LIMIT for value in values if type(value) is str)


def _text(shown: Any) -> str:
    text = _TEXT.get(type(shown), encoded)
    return text(shown)


def _objects(kind: Shape, columns: list[list[str]], count: int) -> list[str]:
    """Return the JSON of each of `count` rows."""
    if not columns:
        return ["{}"] * count
    labels, template = _frame(kind)
    rows = zip(*columns, strict=True)
    if not any("" in column for column in columns):
        return list(map(template.__mod__, rows))
    present = ([label + text for label, text in zip(labels, row, strict=True) if text] for row in rows)
    return ["{" + ",".join(row) + "}" for row in present]


@cache
def _frame(kind: Shape) -> tuple[list[str], str]:
    """Return what goes before each field's value, and a whole object with gaps for the values."""
    labels = [f"{encode_basestring(f.name)}:" for f in kind.fields]
    return labels, "{" + ",".join(label.replace("%", "%%") + "%s" for label in labels) + "}"
