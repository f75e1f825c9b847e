"""A message in plain words, for kinds without any markup."""

from relay.domain.card import Row
from relay.domain.layout import Room, links, notes
from relay.domain.target import Message
from relay.domain.text import clean, one_line, shorten
from relay.domain.words import EMPTY

LINE = 250
"""Characters of a title or a label."""


def title_of(message: Message) -> str:
    """Return the news' title in one line, which may be empty."""
    return one_line(message.card.title, LINE)


def words_of(message: Message, limit: int) -> str:
    """Return the route's words, at most so many characters and how many are missing; empty where there are none."""
    return shorten(message.text or "", limit).strip()


def plain(message: Message, room: Room, *, headed: bool = True) -> str:
    """Return the message in plain words, in as much room as there is; without a title of its own if not `headed`."""
    words = words_of(message, room.text)
    blocks = [words, message.notice or ""] if words else _card(message, room, headed=headed)
    blocks += [f"{name}: {url}" for name, url in links(message)]
    return "\n\n".join(block for block in map(clean, blocks) if block)


def shown_value(value: str, room: Room) -> str:
    """Return a value, a sign where there is nothing to see."""
    return shorten(value, room.value).strip() or EMPTY


def _card(message: Message, room: Room, *, headed: bool) -> list[str]:
    card, rows = message.card, message.card.rows[: room.rows]
    head = "\n".join(filter(None, [title_of(message) if headed else "", one_line(card.subtitle, LINE)]))
    told = "\n".join(f"{one_line(row.label, LINE)}: {_change(row, room)}" for row in rows)
    return [head, shorten(card.text, room.text).strip(), told, *notes(message, len(rows))]


def _change(row: Row, room: Room) -> str:
    value = shown_value(row.value, room)
    return value if row.old is None else f"{shown_value(row.old, room)} → {value}"
