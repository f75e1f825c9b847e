"""A message laid out for people, as far as every kind that shows cards does it alike."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

from relay.domain.card import Card, Row, Tone, web_link
from relay.domain.target import Message
from relay.domain.text import clean, fitted, fitted_line, shorten
from relay.domain.words import EMPTY, NOTHING, counted

_Shape = TypeVar("_Shape")

COLOURS: Mapping[Tone, int] = MappingProxyType({Tone.GOOD: 0x2EB67D, Tone.WARNING: 0xECB22E, Tone.BAD: 0xE01E5A})
"""The colour of a tone, as red, green and blue; news that is neutral has none."""

_ROWS_IN_WORDS = 3
_VALUE_IN_WORDS = 100


@dataclass(frozen=True, slots=True)
class Room:
    """How much a card may hold: `rows`, `value` characters in each value, and `text` in its paragraph."""

    rows: int
    value: int
    text: int


def roomiest(rooms: Iterable[Room], build: Callable[[Room], _Shape], fits: Callable[[_Shape], bool]) -> _Shape:
    """Return what is built in the first of the rooms in which it fits, or in the last; there is one at least."""
    *larger, last = rooms
    for room in larger:
        if fits(shape := build(room)):
            return shape
    return build(last)


def label(text: str, limit: int, escape: Callable[[str], str] = str) -> str:
    """Return a title or a label in one line of at most `limit` UTF-16 units, escaped; a sign for nothing if empty."""
    return fitted_line(text, limit, escape) or NOTHING


def value(text: str, limit: int, escape: Callable[[str], str] = str) -> str:
    """Return a value in at most `limit` UTF-16 units, escaped; a sign where there is nothing to see."""
    return paragraph(text, limit, escape) or EMPTY


def paragraph(text: str, limit: int, escape: Callable[[str], str] = str) -> str:
    """Return text in at most `limit` UTF-16 units, escaped; empty where there is nothing to see."""
    return fitted(text.strip(), limit, escape).strip()


def notes(message: Message, shown: int) -> list[str]:
    """Return what stands below `shown` rows: how many are missing, that there is nothing, and a notice."""
    card, told = message.card, []
    if len(card.rows) > shown:
        told.append(f"… {counted(len(card.rows) - shown, 'more field')}")
    if not card.rows and not clean(card.text).strip():
        told.append("No data")
    return [*told, message.notice] if message.notice else told


def links(message: Message) -> list[tuple[str, str]]:
    """Return the ways to the news and to the event, in words and address."""
    ways = (("Open", web_link(message.card.link)), ("Event", web_link(message.link)))
    return [(words, url) for words, url in ways if url]


def in_words(card: Card) -> str:
    """Return the card as one line of plain words, for notifications."""
    words = card.text.strip() or ", ".join(_row_in_words(row) for row in card.rows[:_ROWS_IN_WORDS])
    return f"{card.title}: {words}" if words else card.title


def _row_in_words(row: Row) -> str:
    value = shorten(row.value, _VALUE_IN_WORDS)
    return f"{row.label} {value}" if row.old is None else f"{row.label} {shorten(row.old, _VALUE_IN_WORDS)} → {value}"
