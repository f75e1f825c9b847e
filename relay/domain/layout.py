"""A message laid out for people, as far as every kind that shows cards does it alike."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from relay.domain.card import Card, Row, Tone, web_link
from relay.domain.target import Message
from relay.domain.text import shorten

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


def roomiest(rooms: Iterable[Room], build: Callable[[Room], bytes], limit: int) -> bytes:
    """Return what is built in the first of the rooms in which it takes at most `limit` bytes, or in the last."""
    body = b""
    for room in rooms:
        body = build(room)
        if len(body) <= limit:
            break
    return body


def notes(message: Message, shown: int) -> list[str]:
    """Return what stands below `shown` rows: how many are missing, that there is nothing, and a notice."""
    card, told = message.card, []
    if len(card.rows) > shown:
        told.append(f"… {len(card.rows) - shown:,} more fields")
    if not card.rows and not card.text.strip():
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
