"""A card as Google Chat shows it, in as much room as the message has."""

from dataclasses import dataclass
from typing import Any

from relay.domain.card import Card, Row
from relay.domain.target import Message
from relay.domain.words import EMPTY, NOTHING
from relay.targets.google_chat.text import escape, html, line, shorten

TITLE = 200
LABEL = 100
FALLBACK = 300
FALLBACK_ROWS = 3

Widget = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Room:
    """How much a card may hold: `rows`, `value` characters in each value, and `text` in its paragraph."""

    rows: int
    value: int
    text: int


def card_body(message: Message, room: Room) -> dict[str, Any]:
    """Return `cardsV2` and `fallbackText` for the message, with as many rows as there is room for."""
    card = message.card
    header = {"title": line(card.title, TITLE) or NOTHING, "subtitle": line(card.subtitle, TITLE)}
    widgets: list[Widget] = []
    if card.text.strip():
        widgets.append({"textParagraph": {"text": html(card.text, room.text)}})
    widgets += [_widget(row, room.value) for row in card.rows[: room.rows]]
    widgets += _notes(message, len(card.rows) - room.rows, bool(widgets))
    return {
        "cardsV2": [{"cardId": "event", "card": {"header": header, "sections": [{"widgets": widgets}]}}],
        "fallbackText": escape(shorten(_in_words(card), FALLBACK)),
    }


def _widget(row: Row, limit: int) -> Widget:
    text = _value(row.value, limit)
    if row.old is not None:
        text = f"{_value(row.old, limit)} → <b>{text}</b>"
    return {"decoratedText": {"topLabel": line(row.label, LABEL) or NOTHING, "text": text, "wrapText": True}}


def _in_words(card: Card) -> str:
    """Return the card as one line of plain words, for notifications."""
    words = card.text.strip() or ", ".join(_row_in_words(row) for row in card.rows[:FALLBACK_ROWS])
    return f"{card.title}: {words}" if words else card.title


def _row_in_words(row: Row) -> str:
    value = shorten(row.value, LABEL)
    return f"{row.label} {value}" if row.old is None else f"{row.label} {shorten(row.old, LABEL)} → {value}"


def _notes(message: Message, hidden: int, told: bool) -> list[Widget]:
    """Return what stands below the rows: what is missing, a notice, and the ways to the news and to the event."""
    notes: list[Widget] = []
    if hidden > 0:
        notes.append(_small(f"… {hidden:,} more fields"))
    if not told:
        notes.append(_small("No data"))
    if message.notice:
        notes.append(_small(message.notice))
    links = (("Open", message.card.link), ("Event", message.link))
    if buttons := [_button(words, url) for words, url in links if url]:
        notes.append({"buttonList": {"buttons": buttons}})
    return notes


def _button(words: str, url: str) -> dict[str, Any]:
    return {"text": words, "onClick": {"openLink": {"url": url}}}


def _value(text: str, limit: int) -> str:
    """Return a value as card text; Chat refuses a widget without words."""
    words = html(text, limit)
    return words if words.strip() else EMPTY


def _small(text: str) -> Widget:
    return {"textParagraph": {"text": f"<i>{html(text, TITLE)}</i>"}}
