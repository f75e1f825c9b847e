"""Values of an event in words, for people."""

import json
import re
from typing import Any

NOTHING = "—"
"""Shown for null: the word itself could be a value."""

EMPTY = '""'
"""Shown for text in which there is nothing to see."""

_LINK = re.compile(r"<https?://[^<>|]*\|([^<>]*)>")
_MARK = re.compile(r"(?<![^\W_])[*_~`]+|[*_~`]+(?![^\W_])")


def shown(value: Any) -> str:
    """Return a JSON value as people read it: text as it is, lists and objects as compact JSON."""
    match value:
        case None:
            return NOTHING
        case str():
            return value or EMPTY
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case _:
            return _compact(value)


def counted(number: int, one: str, more: str | None = None) -> str:
    """Return `1 commit`, `2 commits`; `more` is said of several where an s does not make it so."""
    return f"{number:,} {one if number == 1 else more or f'{one}s'}"


def unmarked(text: str) -> str:
    """Return a message's text without the markup that chats share: marks around words, and links' addresses."""
    return _MARK.sub("", _LINK.sub(r"\1", text))


def _compact(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, separators=(", ", ": "), default=str)
    except (RecursionError, ValueError):
        return "…"
