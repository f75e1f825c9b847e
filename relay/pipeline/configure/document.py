"""A TOML file with the line of everything in it."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relay.errors import InvalidConfiguration, Problem
from relay.pipeline.configure.positions import Key, positions

_WHERE = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)$")


@dataclass(frozen=True, slots=True)
class Document:
    """What a TOML file says, and the line on which it says it. `file` is its name as its reader wrote it."""

    file: str
    content: Mapping[str, Any]
    lines: Mapping[Key, int]

    def line(self, key: Key) -> int:
        """Return the line of a key, or that of the nearest thing around it; 1 for the whole file."""
        while key and key not in self.lines:
            key = key[:-1]
        return self.lines.get(key, 1)


def read(path: Path) -> Document:
    """Return a TOML file. Raises `InvalidConfiguration` when it cannot be read or is no TOML, with the line."""
    file = str(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise _invalid(file, line, "not UTF-8") from None
    except OSError as error:
        reason = (error.strerror or "no such file").lower()
        raise _invalid(file, 0, f"cannot be read: {reason}") from None
    return parse(text, file)


def template_file(file: str, name: Any) -> str:
    """Return the template that a file beside the configuration `file` holds. Raises `ValueError`, in one line."""
    if not isinstance(name, str) or not name:
        raise ValueError("should be the name of a file")
    try:
        return (Path(file).parent / name).read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{name} is not UTF-8") from None
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or "no such file").lower()
        raise ValueError(f"{name} cannot be read: {reason}") from None


def parse(text: str, file: str) -> Document:
    """Return what TOML text says. Raises `InvalidConfiguration` with the line on which it is no TOML."""
    try:
        return Document(file, tomllib.loads(text), positions(text))
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        where = _WHERE.search(message)
        line = int(where[1]) if where and where[1] else text.rstrip().count("\n") + 1
        raise _invalid(file, line, "not TOML: " + _WHERE.sub("", message)) from None
    except RecursionError:
        raise _invalid(file, 0, "nested too deeply") from None


def _invalid(file: str, line: int, message: str) -> InvalidConfiguration:
    return InvalidConfiguration(problems=[Problem(file, line, "", message)])
