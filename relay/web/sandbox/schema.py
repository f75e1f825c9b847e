"""The fields of a Chat message, and a reader that accepts them alone, as Google's JSON parser does.

`message_schema.json` maps each type to its fields. A field is a scalar (`string`, `boolean`, `int32`, `int64`,
`float`, `double`), the name of another type, `{"enum": [...]}`, or a list of one of these for a repeated field.
"""

import json
import re
from functools import cache
from importlib import resources
from typing import Any

from relay.web.sandbox.status import Violation

MAX_DEPTH = 100
"""Objects within objects that are read; Google's parser has the same bound."""

SCHEMA_FILE = "message_schema.json"


@cache
def schema() -> dict[str, dict[str, Any]]:
    """Return the types by name, each a dict of field name to field."""
    text = (resources.files(__package__) / SCHEMA_FILE).read_text("utf-8")
    types: dict[str, dict[str, Any]] = json.loads(text)
    return types


def snake(name: str) -> str:
    """Return a field's name as protocol buffers write it: `cards_v2` for `cardsV2`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


class Reader:
    """Reads one JSON value against the schema; `violations` gathers everything that does not fit."""

    def __init__(self) -> None:
        self.violations: list[Violation] = []

    def read(self, value: Any, kind: Any, path: str, depth: int = 0) -> Any:
        """Return `value` with field names in camelCase and unset fields left out; `None` where it does not fit."""
        match kind:
            case [element]:
                return self._list(value, element, path, depth)
            case {"enum": names}:
                return value if isinstance(value, str) and value in names else self._invalid(path, "TYPE_ENUM", value)
            case str() if kind in schema():
                return self._object(value, kind, path, depth)
            case _:
                return self._scalar(value, kind, path)

    def _list(self, value: Any, element: Any, path: str, depth: int) -> Any:
        if not isinstance(value, list):
            return self._invalid(path, "a list", value)
        return [self.read(item, element, f"{path}[{index}]", depth) for index, item in enumerate(value)]

    def _object(self, value: Any, kind: str, path: str, depth: int) -> Any:
        if isinstance(value, list):
            parent, _, name = path.rpartition(".")
            return self._unknown(name, parent, "Proto field is not repeating, cannot start list.")
        if not isinstance(value, dict):
            return self._invalid(path, kind, value)
        if depth >= MAX_DEPTH:
            return self._say(path, f"Message too deep. Max recursion depth reached for '{path[:80]}'.")
        names = {spelling: name for name in schema()[kind] for spelling in (name, snake(name))}
        fields = {}
        for spelling, item in value.items():
            if spelling not in names:
                self._unknown(spelling, path, "Cannot find field.")
            elif item is not None:
                name = names[spelling]
                fields[name] = self.read(item, schema()[kind][name], f"{path}.{snake(name)}", depth + 1)
        return fields

    def _scalar(self, value: Any, kind: str, path: str) -> Any:
        if isinstance(value, dict):
            return self._say(path, f"Invalid value at '{path}' ({_type(kind)}), Starting an object on a scalar field")
        if isinstance(value, list):
            parent, _, name = path.rpartition(".")
            return self._unknown(name, parent, "Proto field is not repeating, cannot start list.")
        return value if _fits(value, kind) else self._invalid(path, _type(kind), value)

    def _unknown(self, name: str, path: str, why: str) -> None:
        self._say(path, f"Invalid JSON payload received. Unknown name \"{name}\" at '{path}': {why}")

    def _invalid(self, path: str, kind: str, value: Any) -> None:
        self._say(path, f"Invalid value at '{path}' ({kind}), {json.dumps(value)[:200]}")

    def _say(self, path: str, description: str) -> None:
        self.violations.append(Violation(path, description))


def _type(kind: str) -> str:
    return "TYPE_BOOL" if kind == "boolean" else f"TYPE_{kind.upper()}"


def _fits(value: Any, kind: str) -> bool:
    match kind:
        case "string":
            return isinstance(value, str) and _is_text(value)
        case "boolean":
            return isinstance(value, bool)
        case "int32" | "int64":
            bits = int(kind[3:]) - 1
            return isinstance(number := _integer(value), int) and -(1 << bits) <= number < 1 << bits
        case _:
            return isinstance(value, int | float) and not isinstance(value, bool)


def _integer(value: Any) -> int | None:
    """Return a JSON number, or the decimal text that protocol buffers write 64-bit numbers as."""
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,19}", value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
