"""Whole cards that a route's template makes: what Google Chat would refuse is found before it is sent."""

from collections.abc import Iterator
from typing import Any

import orjson

from relay.domain.card import web_link
from relay.domain.markup import no_brackets
from relay.domain.style import Cards
from relay.domain.text import clean, units
from relay.targets.google_chat.limits import MESSAGE_BYTES, TEXT_UNITS

FIELDS = frozenset({"text", "cardsV2", "fallbackText"})
CARD_FIELDS = frozenset({"header", "sections", "sectionDividerStyle", "name", "fixedFooter", "peekCardHeader"})
WIDGETS = frozenset(
    {"textParagraph", "image", "decoratedText", "buttonList", "grid", "divider", "columns", "chipList", "carousel"}
    | {"textInput", "selectionInput", "dateTimePicker", "horizontalAlignment", "visibility", "id"}
)
MOST_WIDGETS = 100
"""Widgets of a card: past them, sections vanish without a word (Google Chat docs, "Cards v2")."""

ROOM_FOR_THREAD = 5_000
"""Bytes that the thread's key may take."""


def escape(text: str) -> str:
    """Return a value within a card's text, which is HTML in some places and not in others: safe in both."""
    return no_brackets(clean(text))


def check(message: Any) -> str | None:
    """Return what is wrong with a message made by a template, `None` where Chat takes it."""
    try:
        return next(_problems(message), None)
    except TypeError:
        return "it holds text that is no Unicode"


def _problems(message: Any) -> Iterator[str]:
    if not isinstance(message, dict) or not message.keys() & {"text", "cardsV2"}:
        yield 'it is no message: {"cardsV2": [...]} or {"text": "..."}'
        return
    if unknown := message.keys() - FIELDS:
        yield f"Google Chat knows no {min(unknown)} here"
    text, cards = message.get("text", ""), message.get("cardsV2", [])
    if not isinstance(text, str) or units(text) > TEXT_UNITS:
        yield f"its text has more than {TEXT_UNITS:,} characters, or is none"
    if not isinstance(cards, list):
        yield "cardsV2 is no list"
        return
    for card in cards:
        yield from _card_problems(card)
    if len(orjson.dumps(message)) > MESSAGE_BYTES - ROOM_FOR_THREAD:
        yield f"it has more than {MESSAGE_BYTES - ROOM_FOR_THREAD:,} bytes"


def _card_problems(item: Any) -> Iterator[str]:
    card = item.get("card") if isinstance(item, dict) else None
    sections = card.get("sections", []) if isinstance(card, dict) else None
    if not isinstance(card, dict) or not isinstance(sections, list) or item.keys() - {"cardId", "card"}:
        yield 'a card is {"cardId": "...", "card": {"header": ..., "sections": [...]}}'
        return
    if unknown := card.keys() - CARD_FIELDS:
        yield f"a card has no {min(unknown)}"
    header = card.get("header")
    if header is not None and not (isinstance(header, dict) and isinstance(header.get("title"), str)):
        yield "a header has a title"
    widgets = [widget for section in sections for widget in _widgets(section)]
    if not all(widgets) or len(widgets) > MOST_WIDGETS:
        yield f"each section has widgets, a card at most {MOST_WIDGETS} of them"
    for widget in widgets:
        if not isinstance(widget, dict):
            yield "a widget is an object"
        elif unknown := widget.keys() - WIDGETS:
            yield f"there is no widget {min(unknown)}"
    if not all(web_link(url) for url in _addresses(card)):
        yield "a link or an image has no http or https address"


def _widgets(section: Any) -> list[Any]:
    widgets = section.get("widgets") if isinstance(section, dict) else None
    return widgets if isinstance(widgets, list) and widgets else [None]


def _addresses(part: Any) -> Iterator[Any]:
    """Yield every address in a part of a card."""
    if isinstance(part, dict):
        for name, inner in part.items():
            if name in ("url", "imageUrl", "iconUrl"):
                yield inner
            else:
                yield from _addresses(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _addresses(inner)


CARDS = Cards(escape, check)
