"""A card as Google Chat shows it, in as much room as the message has."""

from typing import Any

from relay.domain.card import Row
from relay.domain.layout import Room, in_words, links, notes
from relay.domain.target import Message
from relay.domain.text import shorten
from relay.domain.words import EMPTY, NOTHING
from relay.targets.google_chat.text import escape, html, line

TITLE = 200
LABEL = 100
FALLBACK = 300

Widget = dict[str, Any]


def card_body(message: Message, room: Room) -> dict[str, Any]:
    """Return `cardsV2` and `fallbackText` for the message, with as many rows as there is room for."""
    card = message.card
    rows = card.rows[: room.rows]
    header = {"title": line(card.title, TITLE) or NOTHING, "subtitle": line(card.subtitle, TITLE)}
    widgets: list[Widget] = []
    if text := html(card.text, room.text).strip():
        widgets.append({"textParagraph": {"text": text}})
    widgets += [_widget(row, room.value) for row in rows]
    widgets += [_small(note) for note in notes(message, len(rows))]
    if buttons := [_button(words, url) for words, url in links(message)]:
        widgets.append({"buttonList": {"buttons": buttons}})
    return {
        "cardsV2": [{"cardId": "event", "card": {"header": header, "sections": [{"widgets": widgets}]}}],
        "fallbackText": escape(shorten(in_words(card), FALLBACK)),
    }


def _widget(row: Row, limit: int) -> Widget:
    text = _value(row.value, limit)
    if row.old is not None:
        text = f"{_value(row.old, limit)} → <b>{text}</b>"
    return {"decoratedText": {"topLabel": line(row.label, LABEL) or NOTHING, "text": text, "wrapText": True}}


def _button(words: str, url: str) -> dict[str, Any]:
    return {"text": words, "onClick": {"openLink": {"url": url}}}


def _value(text: str, limit: int) -> str:
    """Return a value as card text; Chat refuses a widget without words."""
    words = html(text, limit)
    return words if words.strip() else EMPTY


def _small(text: str) -> Widget:
    return {"textParagraph": {"text": f"<i>{html(text, TITLE)}</i>"}}
