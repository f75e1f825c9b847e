"""A change of a database row, as an event's data tells it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from relay.domain.words import shown

_PLURALS = (
    ("ies", "y"), ("sses", "ss"), ("shes", "sh"), ("ches", "ch"), ("xes", "x"), ("ss", "ss"), ("us", "us"), ("s", ""),
)  # fmt: skip
"""Endings and what they become, the first that fits: enough for table names, no grammar."""


@dataclass(frozen=True, slots=True)
class Change:
    """A row before and after; `before` is `None` for a new row, `after` for one that is gone.

    `columns` says what people call some columns and their values: `label`, `unit`, and `names` by the value as text.
    """

    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    changed: tuple[str, ...]
    actor: str | None
    columns: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, data: Any) -> Self | None:
        """Return the change that `data` tells, or `None` when it tells none."""
        match data:
            case {"before": dict() | None as before, "after": dict() | None as after, "changed": list() as changed}:
                if before is None and after is None:
                    return None
                meta = data.get("meta")
                facts = meta if isinstance(meta, dict) else {}
                names = tuple(name for name in changed if isinstance(name, str))
                return cls(before, after, names, _actor(facts), _columns(facts))
            case _:
                return None

    def label(self, name: str) -> str:
        """Return what people call a column."""
        label = self.columns.get(name, {}).get("label")
        return label if isinstance(label, str) and label else name

    def value(self, name: str, value: Any) -> str:
        """Return a value of a column in words: with its name or its unit, where it has one."""
        words = shown(value)
        told = self.columns.get(name)
        if told is None or value is None:
            return words
        names, unit = told.get("names"), told.get("unit")
        named = names.get(words) if isinstance(names, dict) else None
        if isinstance(named, str) and named:
            return named
        return f"{words} {unit}" if isinstance(unit, str) and unit else words


def headline(event_type: str, subject: str | None) -> str:
    """Return `Order 42 updated` for a change named `orders.updated` of `orders/42`."""
    path, _, verb = event_type.rpartition(".")
    noun = _singular(path.rpartition(".")[2].replace("_", " "))
    _, _, key = (subject or "").partition("/")
    return " ".join(word for word in (noun[:1].upper() + noun[1:], key, verb) if word)


def _singular(noun: str) -> str:
    for plural, singular in _PLURALS:
        if noun.endswith(plural) and len(noun) > len(plural) + 1:
            return noun.removesuffix(plural) + singular
    return noun


def _columns(meta: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    columns = meta.get("columns")
    if not isinstance(columns, dict):
        return {}
    return {name: told for name, told in columns.items() if isinstance(told, dict)}


def _actor(meta: Mapping[str, Any]) -> str | None:
    actor = meta.get("actor")
    return str(actor) if isinstance(actor, str | int) and actor else None
