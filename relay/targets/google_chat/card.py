"""The default card: what changed in a row, or the fields of any other event."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from relay.domain.change import Change, headline
from relay.domain.event import Event
from relay.domain.target import Message
from relay.domain.words import EMPTY, NOTHING, shown
from relay.targets.google_chat.text import escape, html, line, shorten

TITLE = 200
LABEL = 100
FALLBACK = 300
FALLBACK_ROWS = 3

Widget = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Room:
    """How much a card may hold: `rows`, and `value` characters in each value."""

    rows: int
    value: int


@dataclass(frozen=True, slots=True)
class Row:
    """A label and its value; `old` is set where the value replaces another."""

    label: str
    value: str
    old: str | None = None

    def widget(self, limit: int) -> Widget:
        """Return the row as a widget."""
        text = _value(self.value, limit)
        if self.old is not None:
            text = f"{_value(self.old, limit)} → <b>{text}</b>"
        return {"decoratedText": {"topLabel": line(self.label, LABEL) or NOTHING, "text": text, "wrapText": True}}

    def words(self) -> str:
        """Return the row as plain words."""
        return f"{self.label} {shorten(self.value, LABEL)}" if self.old is None else self._replaced()

    def _replaced(self) -> str:
        return f"{self.label} {shorten(self.old or '', LABEL)} → {shorten(self.value, LABEL)}"


def card_body(message: Message, room: Room) -> dict[str, Any]:
    """Return `cardsV2` and `fallbackText` for the message, with as many rows as there is room for."""
    event = message.event
    change = Change.of(event.data)
    title = headline(event.type, event.subject) if change else event.type
    names = _names(event, change)
    rows = list(islice(_rows(names, event, change), room.rows))
    header = {"title": line(title, TITLE) or NOTHING, "subtitle": line(_subtitle(event, change), TITLE)}
    widgets = [row.widget(room.value) for row in rows] + _notes(message, len(names) - len(rows), bool(rows))
    words = ", ".join(row.words() for row in rows[:FALLBACK_ROWS])
    return {
        "cardsV2": [{"cardId": "event", "card": {"header": header, "sections": [{"widgets": widgets}]}}],
        "fallbackText": escape(shorten(f"{title}: {words}" if words else title, FALLBACK)),
    }


def _subtitle(event: Event, change: Change | None) -> str:
    if change:
        return f"{event.source} · by {change.actor}" if change.actor else event.source
    return f"{event.source} · {event.subject}" if event.subject else event.source


def _names(event: Event, change: Change | None) -> list[str]:
    """Return the names of all rows; fields of one value come before lists and objects."""
    if change:
        if change.before is not None and change.after is not None:
            return list(change.changed)
        return list(change.after or change.before or ())
    data = event.data
    if isinstance(data, dict):
        return sorted(data, key=lambda name: isinstance(data[name], list | dict))
    return [] if data is None and event.body in (b"", b"null") else ["data"]


def _rows(names: list[str], event: Event, change: Change | None) -> Iterator[Row]:
    data = event.data
    if change and change.before is not None and change.after is not None:
        before, after = change.before, change.after
        yield from (Row(name, shown(after.get(name)), shown(before.get(name))) for name in names)
    elif change:
        values = change.after or change.before or {}
        yield from (Row(name, shown(values[name])) for name in names)
    elif isinstance(data, dict):
        yield from (Row(name, shown(data[name])) for name in names)
    elif names:
        yield _whole(event)


def _whole(event: Event) -> Row:
    """Return the one row of an event without fields: its value, or what its bytes are."""
    media = event.content_type.partition(";")[0].strip()
    readable = event.data is not None and (media.startswith("text/") or "json" in media)
    return Row(media, shown(event.data) if readable else f"{len(event.body):,} bytes")


def _notes(message: Message, hidden: int, rows: bool) -> list[Widget]:
    """Return what stands below the rows: what is missing, a notice, and the way to the event."""
    notes: list[Widget] = []
    if hidden:
        notes.append(_small(f"… {hidden:,} more fields"))
    if not rows:
        notes.append(_small("No data"))
    if message.notice:
        notes.append(_small(message.notice))
    if message.link:
        notes.append({"buttonList": {"buttons": [{"text": "Open", "onClick": {"openLink": {"url": message.link}}}]}})
    return notes


def _value(text: str, limit: int) -> str:
    """Return a value as card text; Chat refuses a widget without words."""
    words = html(text, limit)
    return words if words.strip() else EMPTY


def _small(text: str) -> Widget:
    return {"textParagraph": {"text": f"<i>{html(text, TITLE)}</i>"}}
