"""Conditions in CEL over `event` and `data`: compiled once, evaluated for every event that gets so far."""

import re
from functools import cached_property
from typing import Any, ClassVar

from cel_expr_python import cel

from relay.domain.event import Event

_ENVIRONMENT = cel.NewEnv(variables={"event": cel.Type.DYN, "data": cel.Type.DYN})
_POSITION = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*)")
_STATUS = re.compile(r"^[A-Z_]+: | \[[A-Z_]+\]$")
_INTEGERS = range(-(1 << 63), 1 << 64)
_REASON_MAX = 200


class Facts:
    """One event as conditions see it, converted once however many conditions look at it. Not shared by threads."""

    def __init__(self, event: Event) -> None:
        self._event = event

    @cached_property
    def exact(self) -> Any:
        """The event as it is."""
        return _ENVIRONMENT.Activation({"event": self._event.facts, "data": self._event.data})

    @cached_property
    def softened(self) -> Any:
        """The event without what CEL cannot hold: integers beyond 64 bits as floats, no lone surrogates."""
        return _ENVIRONMENT.Activation({"event": _soft(self._event.facts), "data": _soft(self._event.data)})


class _Expression:
    """A compiled expression whose value is of one of `kinds`. Raises `ValueError`, in one line, for one that is not."""

    kinds: ClassVar[tuple[Any, ...]]
    expected: ClassVar[str]

    def __init__(self, source: str) -> None:
        try:
            self._expression = _ENVIRONMENT.compile(source)
        except RuntimeError as error:
            raise ValueError(_one_line(str(error))) from None
        kind = self._expression.return_type()
        if kind not in (*self.kinds, cel.Type.DYN):
            raise ValueError(f"{self.expected}, this one is a {kind.name().lower()}")

    def evaluate(self, facts: Facts) -> tuple[Any, Any]:
        """Return the kind of the value, which may be an error, and the value."""
        kind, value = self._evaluate(facts.exact)
        return (kind, value) if kind != cel.Type.ERROR else self._evaluate(facts.softened)

    def _evaluate(self, activation: Any) -> tuple[Any, Any]:
        try:
            result = self._expression.eval(activation)
        except RuntimeError as error:  # beyond the iteration budget, or text that UTF-8 cannot hold
            return cel.Type.ERROR, error
        return result.type(), result.value()


class Condition(_Expression):
    """A compiled condition. Raises `ValueError`, in one line, for one that is no CEL or cannot be true."""

    kinds = (cel.Type.BOOL,)
    expected = "a condition is true or false"

    def why_not(self, facts: Facts) -> str | None:
        """Return `None` when the condition holds, else why it does not: it is false, no boolean, or fails."""
        kind, value = self.evaluate(facts)
        if kind == cel.Type.BOOL:
            return None if value else "it is false"
        if kind == cel.Type.ERROR:
            return _one_line(str(value))
        return f"it is neither true nor false, but a {kind.name().lower()}"


class Identity(_Expression):
    """A compiled expression whose value tells one event from another. Raises `ValueError`, as a condition does."""

    kinds = (cel.Type.STRING, cel.Type.INT, cel.Type.UINT, cel.Type.DOUBLE, cel.Type.BOOL)
    expected = "what tells a repeat is text or a number"

    def of(self, facts: Facts) -> str | None:
        """Return the event's identity as text; `None` for an event that has none, or nothing but empty text."""
        kind, value = self.evaluate(facts)
        return str(value) or None if kind in self.kinds else None


def _one_line(message: str) -> str:
    first = _STATUS.sub("", message.split("\n", 1)[0])
    if position := _POSITION.search(first):
        line, column, words = position.groups()
        first = f"{words} (line {line}, column {column})"
    return first if len(first) <= _REASON_MAX else first[:_REASON_MAX] + "…"


def _soft(value: Any) -> Any:
    match value:
        case int() if value not in _INTEGERS:
            return _float(value)
        case str() if not value.isascii():
            return value.encode(errors="replace").decode()
        case dict():
            return {_soft(name): _soft(item) for name, item in value.items()}
        case list():
            return [_soft(item) for item in value]
        case _:
            return value


def _float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")
