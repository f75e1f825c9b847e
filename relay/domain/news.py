"""Reading what is worth telling out of what a sender wrote: whatever it holds, nothing here raises."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from relay.domain.card import Row, Tone, web_link
from relay.domain.event import Event

LISTED = 10
"""Commits, alerts and the like that a card lists before it counts the rest."""

SHORT_HASH = 8

_PLAIN = re.compile(r"[A-Za-z0-9_.-]{1,255}")


class Part:
    """A part of a sender's JSON. What is not there, or of another kind than asked for, is empty."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def at(self, *path: str) -> "Part":
        """Return the part at `path` of nested objects."""
        value = self.value
        for name in path:
            if not isinstance(value, Mapping):
                return NOWHERE
            value = value.get(name)
        return Part(value)

    def text(self, *path: str) -> str:
        """Return the text at `path` without the space around it."""
        value = self.at(*path).value
        return value.strip() if isinstance(value, str) else ""

    def said(self, *path: str) -> str:
        """Return the text or number at `path`."""
        value = self.at(*path).value
        if isinstance(value, str):
            return value.strip()
        return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""

    def number(self, *path: str) -> int | None:
        """Return the whole number at `path`."""
        value = self.at(*path).value
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def is_true(self, *path: str) -> bool:
        """Say whether `true` stands at `path`."""
        return self.at(*path).value is True

    def link(self, *path: str) -> str | None:
        """Return the web address at `path`, if it is one that is safe to show."""
        return web_link(self.at(*path).value)

    def plain(self, *path: str) -> str:
        """Return the text at `path` if it can be part of an address as it is: letters, digits, `_`, `.` and `-`."""
        value = self.at(*path).value
        return value if isinstance(value, str) and _PLAIN.fullmatch(value) else ""

    def each(self, *path: str) -> list["Part"]:
        """Return the parts of the list at `path`."""
        value = self.at(*path).value
        return [Part(item) for item in value] if isinstance(value, list) else []

    def names(self, *path: str, by: str) -> str:
        """Return the texts that the objects of the list at `path` have under `by`, joined by commas."""
        return ", ".join(name for item in self.each(*path) if (name := item.text(by)))


NOWHERE = Part(None)


def rows(*pairs: tuple[str, str]) -> tuple[Row, ...]:
    """Return a row for each label and value that has a value."""
    return tuple(Row(label, value) for label, value in pairs if value)


def dotted(*words: str) -> str:
    """Return the words that say something, with a dot between them: a subtitle."""
    return " · ".join(word for word in words if word)


def phrase(*words: str) -> str:
    """Return the words that say something, with a space between them."""
    return " ".join(word for word in words if word)


def titled(head: str, title: str) -> str:
    """Return `head: title`, or `head` alone where there is no title."""
    return f"{head}: {title}" if title else head


def by(name: str) -> str:
    """Return `by ana` for a name, nothing for none."""
    return f"by {name}" if name else ""


def spaced(word: str) -> str:
    """Return a program's word as people write it: `review_requested` is `review requested`."""
    return word.replace("_", " ").strip()


def first_line(text: str) -> str:
    """Return the first line of a text."""
    return text.strip().partition("\n")[0].rstrip()


def listed(lines: Iterable[str], total: int | None = None) -> str:
    """Return the first lines as one text, and how many there are beyond them; `total` where not all are at hand."""
    known = [line for line in lines if line]
    shown = known[:LISTED]
    beyond = max(total or 0, len(known)) - len(shown)
    return "\n".join(shown if beyond <= 0 else [*shown, f"… and {beyond:,} more"])


def commit_line(name: str, message: str) -> str:
    """Return the line of one commit: the beginning of its hash, and the first line of its message."""
    return phrase(name[:SHORT_HASH], first_line(message))


def thread_of(event: Event, about: str | None = None) -> str | None:
    """Return the thread of what the event is about: its subject, where nothing else is named."""
    name = about or event.subject
    return f"{event.source}/{name}" if name else None


def tone_of(word: str, good: Iterable[str] = (), warning: Iterable[str] = (), bad: Iterable[str] = ()) -> Tone:
    """Return how a sender's word for a state sounds."""
    for tone, words in ((Tone.GOOD, good), (Tone.WARNING, warning), (Tone.BAD, bad)):
        if word in words:
            return tone
    return Tone.NEUTRAL
