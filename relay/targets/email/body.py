"""A message as the two parts of a mail: plain words, and the same in HTML."""

from html import escape

from relay.domain.card import Card, Row
from relay.domain.layout import COLOURS, Room, links, notes
from relay.domain.plain import LINE, shown_value, title_of, words_of
from relay.domain.target import Message
from relay.domain.text import one_line, shorten

_PAGE = '<!doctype html><html><head><meta charset="utf-8"></head><body style="font-family: sans-serif">{}</body></html>'
_CELL = '<td style="white-space: pre-wrap; vertical-align: top">{}</td>'
_NEUTRAL = 0x888888


def markup(message: Message, room: Room) -> str:
    """Return the part in HTML; whatever is a value is escaped."""
    words = words_of(message, room.text)
    if words:
        inner = f'<div style="white-space: pre-wrap">{escape(words)}</div>' + _small(message.notice)
    else:
        inner = _card(message, room)
    ways = " · ".join(f'<a href="{escape(url)}">{name}</a>' for name, url in links(message))
    return _PAGE.format(inner + (f"<p>{ways}</p>" if ways else ""))


def _card(message: Message, room: Room) -> str:
    card, rows = message.card, message.card.rows[: room.rows]
    parts = [_head(message, card)]
    if card.text.strip():
        parts.append(f'<p style="white-space: pre-wrap">{escape(shorten(card.text, room.text).strip())}</p>')
    if rows:
        parts.append(f'<table cellpadding="4">{"".join(_row(row, room) for row in rows)}</table>')
    return "".join(parts) + "".join(_small(note) for note in notes(message, len(rows)))


def _head(message: Message, card: Card) -> str:
    colour = COLOURS.get(card.tone, _NEUTRAL)
    title, subtitle = escape(title_of(message)), escape(one_line(card.subtitle, LINE))
    style = f"border-left: 4px solid #{colour:06x}; padding-left: 8px"
    return f'<div style="{style}"><b>{title}</b><br><small>{subtitle}</small></div>'


def _row(row: Row, room: Room) -> str:
    value = escape(shown_value(row.value, room))
    if row.old is not None:
        value = f"{escape(shown_value(row.old, room))} → <b>{value}</b>"
    label = f"<small>{escape(one_line(row.label, LINE))}</small>"
    return f"<tr>{_CELL.format(label)}{_CELL.format(value)}</tr>"


def _small(note: str | None) -> str:
    return f"<p><small><i>{escape(shorten(note, LINE))}</i></small></p>" if note else ""
