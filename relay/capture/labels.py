"""What people call a column and its values, where the model says so: it travels in `data.meta.columns`."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column
from sqlalchemy import Enum as EnumType

LONGEST = 60
"""Characters: what a column's `doc` or comment says beyond them is an explanation and no label."""

HIDDEN = frozenset({"exclude", "mask"})
KNOWN = frozenset({"label", "unit", "names", "hide"})


@dataclass(frozen=True, slots=True)
class Naming:
    """A column's `label`, the `unit` of its values, and the `names` of some of them, by the value as text."""

    label: str
    unit: str
    names: Mapping[str, str]


def wish(column: Column[Any]) -> str | None:
    """Return what the column itself says about leaving the process: `exclude`, `mask` or nothing."""
    told = column.info.get("relay")
    return told.get("hide") if isinstance(told, dict) else told


def mistake(column: Column[Any]) -> str | None:
    """Return what is wrong with `info["relay"]` of a column, `None` where it is well."""
    told = column.info.get("relay")
    if told is None or (isinstance(told, str) and told in HIDDEN):
        return None
    if not isinstance(told, dict) or told.keys() - KNOWN:
        return f"'exclude', 'mask', or a dict of {', '.join(sorted(KNOWN))}, not {told!r}"
    if told.get("hide") not in {None, *HIDDEN}:
        return f"a dict whose hide is 'exclude' or 'mask', not {told['hide']!r}"
    if not all(isinstance(told.get(name, ""), str) for name in ("label", "unit")):
        return "a dict whose label and unit are text"
    names = told.get("names", {})
    if not isinstance(names, Mapping) or not all(isinstance(name, str) for name in names.values()):
        return "a dict whose names give a text for each value"
    return None


def naming(column: Column[Any]) -> Naming | None:
    """Return what people call the column and its values, `None` where nobody says."""
    told = column.info.get("relay")
    told = told if isinstance(told, dict) else {}
    described = (text.strip() for text in (told.get("label"), column.doc, column.comment) if text)
    label = next((text for text in described if text.isprintable() and len(text) <= LONGEST), "")
    names = {_key(value): name for value, name in told.get("names", {}).items()}
    found = Naming(label, told.get("unit", ""), _members(column) | names)
    return found if found.label or found.unit or found.names else None


def said(naming: Naming, cells: Iterable[str]) -> dict[str, Any]:
    """Return what a card needs to know of a column and of the values that it has in an event, given as JSON."""
    keys = {_key(json.loads(cell)) for cell in cells if cell and cell[0] not in "[{"} if naming.names else set()
    present = {key: naming.names[key] for key in sorted(keys & naming.names.keys())}
    fields = {"label": naming.label, "unit": naming.unit, "names": present}
    return {field: value for field, value in fields.items() if value}


def _members(column: Column[Any]) -> dict[str, str]:
    """Return the names of an enum's members, where the database keeps something else."""
    kind = column.type
    if not isinstance(kind, EnumType) or kind.enum_class is None or not kind.values_callable:
        return {}
    members = kind.enum_class.__members__
    stored = kind.values_callable(kind.enum_class)
    return {_key(value): name for value, name in zip(stored, members, strict=True) if value != name}


def _key(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)
