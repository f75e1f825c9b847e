"""A message as the two parts of a mail: plain words, and the same in HTML."""

from html import escape

from relay.domain.card import Card, Row
from relay.domain.layout import COLOURS, Room, links, notes
from relay.domain.target import Message
from relay.domain.text import clean, one_line, shorten
from relay.domain.words import EMPTY

TEXT = 100_000
"""Characters of a route's text that are sent."""

LINE = 250
"""Characters of a title or a label."""

_PAGE = (
    '<!doctype html><html><head><meta charset="utf-8"></head><body style="font-family: sans-serif">{}</body></html>\n'
)
_CELL = '<td style="white-space: pre-wrap; vertical-align: top">{}</td>'
_NEUTRAL = 0x888888


def words_of(message: Message) -> str:
    """Return the route's words fit to be shown, empty where there are none."""
    return shorten(message.text or "", TEXT).strip()


def plain(message: Message, room: Room) -> str:
    """Return the part in plain words."""
    words = words_of(message)
    blocks = [words, message.notice or ""] if words else _plain_card(message, room)
    blocks += [f"{name}: {url}" for name, url in links(message)]
    return "\n\n".join(block for block in map(clean, blocks) if block) + "\n"


def _plain_card(message: Message, room: Room) -> list[str]:
    card, rows = message.card, message.card.rows[: room.rows]
    head = "\n".join(line for line in (one_line(card.title, LINE), one_line(card.subtitle, LINE)) if line)
    told = "\n".join(f"{one_line(row.label, LINE)}: {_plain_value(row, room)}" for row in rows)
    return [head, shorten(card.text, room.text).strip(), told, *notes(message, len(rows))]


def _plain_value(row: Row, room: Room) -> str:
    value = _shown(row.value, room)
    return value if row.old is None else f"{_shown(row.old, room)} → {value}"


def markup(message: Message, room: Room) -> str:
    """Return the part in HTML; whatever is a value is escaped."""
    words = words_of(message)
    if words:
        inner = f'<div style="white-space: pre-wrap">{escape(words)}</div>' + _small(message.notice)
    else:
        inner = _card(message, room)
    ways = " · ".join(f'<a href="{escape(url)}">{name}</a>' for name, url in links(message))
    return _PAGE.format(inner + (f"<p>{ways}</p>" if ways else ""))


def _card(message: Message, room: Room) -> str:
    card, rows = message.card, message.card.rows[: room.rows]
    parts = [_head(card)]
    if card.text.strip():
        parts.append(f'<p style="white-space: pre-wrap">{escape(shorten(card.text, room.text).strip())}</p>')
    if rows:
        parts.append(f'<table cellpadding="4">{"".join(_row(row, room) for row in rows)}</table>')
    return "".join(parts) + "".join(_small(note) for note in notes(message, len(rows)))


def _head(card: Card) -> str:
    colour = COLOURS.get(card.tone, _NEUTRAL)
    title, subtitle = escape(one_line(card.title, LINE)), escape(one_line(card.subtitle, LINE))
    style = f"border-left: 4px solid #{colour:06x}; padding-left: 8px"
    return f'<div style="{style}"><b>{title}</b><br><small>{subtitle}</small></div>'


def _row(row: Row, room: Room) -> str:
    value = escape(_shown(row.value, room))
    if row.old is not None:
        value = f"{escape(_shown(row.old, room))} → <b>{value}</b>"
    label = f"<small>{escape(one_line(row.label, LINE))}</small>"
    return f"<tr>{_CELL.format(label)}{_CELL.format(value)}</tr>"


def _shown(value: str, room: Room) -> str:
    return shorten(value, room.value).strip() or EMPTY


def _small(note: str | None) -> str:
    return f"<p><small><i>{escape(shorten(note, LINE))}</i></small></p>" if note else ""
