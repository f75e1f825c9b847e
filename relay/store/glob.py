"""Shell-style globs as conditions: in every database they mean what they mean in routes, `fnmatchcase`."""

import fnmatch
import re
from typing import Any

from sqlalchemy import ColumnElement, Dialect, String, bindparam
from sqlalchemy.types import TypeDecorator

_SPECIAL = frozenset("*?[")
_NOTHING = "(?!)"


def glob(column: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
    """Return the condition that a column fits a glob of `*`, `?`, `[...]` and `[!...]`; upper case is not lower."""
    if not _SPECIAL & set(pattern):
        return column == pattern
    return column.regexp_match(bindparam(None, pattern, _Glob))


class _Glob(TypeDecorator[str]):
    """A glob, sent as a regular expression of the language that the database has.

    SQLite's are Python's, in which `fnmatch` writes one that cannot backtrack for ever; PostgreSQL's never do.
    """

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str:
        pattern = value or ""
        return _posix(pattern) if dialect.name == "postgresql" else r"\A" + fnmatch.translate(pattern)


def _posix(pattern: str) -> str:
    """Return a glob as an advanced regular expression of PostgreSQL."""
    parts: list[str] = []
    place = 0
    while place < len(pattern):
        sign = pattern[place]
        place += 1
        # The end of a set is looked for behind its first member, which may be a bracket itself.
        first = place + (pattern[place : place + 1] == "!")
        end = pattern.find("]", first + 1) if sign == "[" else -1
        if end != -1:
            parts.append(_set(pattern[first:end], negated=first > place))
            place = end + 1
        elif sign != "*":
            parts.append("." if sign == "?" else re.escape(sign))
        elif parts[-1:] != [".*"]:
            parts.append(".*")
    return r"\A" + "".join(parts) + r"\Z"


def _set(members: str, *, negated: bool) -> str:
    """Return a set of characters and ranges; a range that runs backwards holds nothing."""
    ranges = [found.groups() for found in re.finditer(r"(.)-(.)|(.)", members, re.DOTALL)]
    held = [
        re.escape(single) if single else f"{re.escape(low)}-{re.escape(high)}"
        for low, high, single in ranges
        if single or low <= high
    ]
    if not held:
        return "." if negated else _NOTHING
    return f"[{'^' * negated}{''.join(held)}]"
