"""The lines of a TOML document, which its parser keeps to itself."""

import re
import tomllib
from collections.abc import Mapping

Key = tuple[str | int, ...]
"""Where something is in a document: `("targets", 2, "retry")`."""

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_PART = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*'""")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})'
    r"|'''.*?'''(?:'{0,2})"
    r'|"(?:[^"\\]|\\.)*"'
    r"|'[^']*'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}#\n]+")


def positions(text: str) -> Mapping[Key, int]:
    """Return the line, from 1, of every table, key and element of an array. `text` is TOML that a parser has taken."""
    scanner = _Scanner(text)
    scanner.document()
    return scanner.lines


class _Scanner:
    """Walks through valid TOML. What is invalid has been refused before, so it looks at nothing but structure."""

    def __init__(self, text: str) -> None:
        self.lines: dict[Key, int] = {}
        self._text = text
        self._at = 0
        self._counted = 0
        self._line = 1
        self._lengths: dict[Key, int] = {}

    def document(self) -> None:
        """Record every line of the document."""
        table: Key = ()
        self._take(_BLANK)
        while self._at < len(self._text):
            if self._next("[["):
                table = self._header(2, repeated=True)
            elif self._next("["):
                table = self._header(1, repeated=False)
            else:
                self._pair(table)
            self._take(_BLANK)

    def _header(self, brackets: int, *, repeated: bool) -> Key:
        line = self._here()
        self._at += brackets
        table: Key = ()
        names = self._key()
        self._at += brackets
        for number, name in enumerate(names, 1):
            table = (*table, name)
            self.lines.setdefault(table, line)
            if repeated and number == len(names):
                self._lengths[table] = self._lengths.get(table, 0) + 1
            if table in self._lengths:
                # Inside an array of tables, every name means its latest element.
                table = (*table, self._lengths[table] - 1)
                self.lines.setdefault(table, line)
        # `[a]` may come after `[a.b]` has named it: what counts is where it is written.
        self.lines[table] = line
        return table

    def _pair(self, table: Key) -> None:
        line = self._here()
        for name in self._key():
            table = (*table, name)
            self.lines.setdefault(table, line)
        self._at += len("=")
        self._take(_BLANK)
        self._value(table)

    def _value(self, key: Key) -> None:
        if self._next("["):
            self._array(key)
        elif self._next("{"):
            self._inline_table(key)
        elif self._next('"') or self._next("'"):
            self._take(_STRING)
        else:
            self._take(_SCALAR)

    def _array(self, key: Key) -> None:
        index = 0
        self._step()
        while not self._next("]"):
            self.lines[(*key, index)] = self._here()
            self._value((*key, index))
            self._comma()
            index += 1
        self._at += 1

    def _inline_table(self, key: Key) -> None:
        self._step()
        while not self._next("}"):
            self._pair(key)
            self._comma()
        self._at += 1

    def _comma(self) -> None:
        self._take(_BLANK)
        if self._next(","):
            self._step()

    def _step(self) -> None:
        self._at += 1
        self._take(_BLANK)

    def _key(self) -> list[str]:
        names: list[str] = []
        while True:
            self._take(_SPACE)
            names.append(_plain(self._take(_PART)))
            self._take(_SPACE)
            if not self._next("."):
                return names
            self._at += 1

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise AssertionError(f"not the TOML that was parsed, at character {self._at}")
        self._at = match.end()
        return match[0]

    def _next(self, text: str) -> bool:
        return self._text.startswith(text, self._at)

    def _here(self) -> int:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line


def _plain(name: str) -> str:
    if name[0] in "\"'":
        return next(iter(tomllib.loads(f"{name} = 0")))
    return name
