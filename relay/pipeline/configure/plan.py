"""What applying a configuration would change, shown without its secrets."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal

from pydantic import BaseModel

from relay.domain.configuration import Configuration
from relay.secrets import REVEAL

Kind = Literal["source", "database", "target", "route"]

SHOWN = 60
"""Characters of a value that are shown; past it, it is cut."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is added (`+`), changed (`~`) or removed (`-`). `detail` holds no secret."""

    sign: Literal["+", "~", "-"]
    kind: Kind
    name: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.sign} {self.kind} {self.name}" + (f": {self.detail}" if self.detail else "")


@dataclass(frozen=True, slots=True)
class Plan:
    """All that would change; false when nothing would. As text, a line for each change."""

    changes: tuple[Change, ...]

    def __bool__(self) -> bool:
        return bool(self.changes)

    def __str__(self) -> str:
        return "\n".join(map(str, self.changes)) or "no changes"


def plan(current: Configuration, wanted: Configuration) -> Plan:
    """Return what leads from the current configuration to the wanted one."""
    kinds: Sequence[tuple[Kind, Sequence[Any], Sequence[Any]]] = (
        ("source", current.sources, wanted.sources),
        ("database", current.databases, wanted.databases),
        ("target", current.targets, wanted.targets),
        ("route", current.routes, wanted.routes),
    )
    return Plan(tuple(change for kind, old, new in kinds for change in _changes(kind, old, new)))


def _changes(kind: Kind, old: Sequence[Any], new: Sequence[Any]) -> Iterator[Change]:
    before = {item.name: item for item in old}
    after = {item.name: item for item in new}
    moved = _moved([name for name in before if name in after], [name for name in after if name in before])
    for name, item in after.items():
        if name not in before:
            yield Change("+", kind, name, _summary(item))
            continue
        details = list(_details(before[name], item))
        if kind == "route" and name in moved:
            details.append(f"place: {list(before).index(name) + 1} -> {list(after).index(name) + 1}")
        if details:
            yield Change("~", kind, name, ", ".join(details))
    for name, item in before.items():
        if name not in after:
            yield Change("-", kind, name, _summary(item))


def _moved(old: Sequence[str], new: Sequence[str]) -> set[str]:
    """Return the names that changed their place among the others: what comes or goes beside them moves nothing."""
    blocks = SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
    return set(new) - {name for block in blocks for name in new[block.b : block.b + block.size]}


def _summary(item: BaseModel) -> str:
    for field in ("kind", "verify"):
        if field in type(item).model_fields:
            return str(getattr(item, field))
    to = getattr(item, "to", ())
    return f"to {', '.join(to)}" if to else ""


def _details(old: BaseModel, new: BaseModel) -> Iterator[str]:
    was, becomes = (_flat(item.model_dump(mode="json", context=REVEAL)) for item in (old, new))
    was_shown, shown = (_flat(item.model_dump(mode="json")) for item in (old, new))
    for key in dict.fromkeys((*was, *becomes)):
        if was.get(key) == becomes.get(key):
            continue
        secret = was.get(key) != was_shown.get(key) or becomes.get(key) != shown.get(key)
        yield f"{key}: (changed)" if secret else f"{key}: {_short(was.get(key))} -> {_short(becomes.get(key))}"


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the members of nested objects by their dotted paths; one that is not set is not there."""
    found: dict[str, Any] = {}
    for name, inner in value.items():
        if isinstance(inner, Mapping):
            found |= _flat(inner, f"{prefix}{name}.")
        elif inner is not None:
            found[prefix + name] = inner
    return found


def _short(value: Any) -> str:
    if value is None:
        return "(none)"
    text = value if isinstance(value, str) and value.isprintable() else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
