"""A change of a database row, as an event's data tells it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

_PLURALS = (
    ("ies", "y"), ("sses", "ss"), ("shes", "sh"), ("ches", "ch"), ("xes", "x"), ("ss", "ss"), ("us", "us"), ("s", ""),
)  # fmt: skip
"""Endings and what they become, the first that fits: enough for table names, no grammar."""


@dataclass(frozen=True, slots=True)
class Change:
    """A row before and after; `before` is `None` for a new row, `after` for one that is gone."""

    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    changed: tuple[str, ...]
    actor: str | None

    @classmethod
    def of(cls, data: Any) -> Self | None:
        """Return the change that `data` tells, or `None` when it tells none."""
        match data:
            case {"before": dict() | None as before, "after": dict() | None as after, "changed": list() as changed}:
                if before is None and after is None:
                    return None
                return cls(before, after, tuple(name for name in changed if isinstance(name, str)), _actor(data))
            case _:
                return None


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


def _actor(data: Mapping[str, Any]) -> str | None:
    meta = data.get("meta")
    actor = meta.get("actor") if isinstance(meta, dict) else None
    return str(actor) if isinstance(actor, str | int) and actor else None
