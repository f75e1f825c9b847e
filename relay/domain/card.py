"""What is worth reading of an event, before any kind of target gives it a shape.

All of it is plain text as it stands in the event: each kind escapes, cuts and lays it out in its own way.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from relay.domain.change import Change, headline
from relay.domain.event import Event
from relay.domain.words import counted, shown

_LINK = re.compile(r"https?://[^\s<>\"'|\\^`{}]{1,2000}", re.IGNORECASE)


class Tone(StrEnum):
    """How news sounds, for kinds that have a colour for it."""

    NEUTRAL = "neutral"
    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Row:
    """A label and its value; `old` is set where the value replaces another."""

    label: str
    value: str
    old: str | None = None


@dataclass(frozen=True, slots=True)
class Card:
    """One piece of news: a `title` that tells it by itself, where it comes from, and what there is to know.

    `text` is a paragraph in words, such as a commit's message. `link` is an address at the sender where it can be
    read in full: what `web_link` returned. `thread` names what it belongs to: a resolved alert has that of its firing.
    """

    title: str
    subtitle: str = ""
    text: str = ""
    rows: tuple[Row, ...] = ()
    tone: Tone = Tone.NEUTRAL
    link: str | None = None
    thread: str | None = None


def web_link(value: Any) -> str | None:
    """Return a value if it is an http or https address that is safe to show as a link, else `None`."""
    return value if isinstance(value, str) and value.isprintable() and _LINK.fullmatch(value) else None


def event_card(event: Event) -> Card:
    """Return the card of any event: what changed in a row, or the fields of its data."""
    change = Change.of(event.data)
    if change is None:
        subtitle = f"{event.source} · {event.subject}" if event.subject else event.source
        return Card(event.type, subtitle, rows=_fields(event))
    return Card(
        title=headline(event.type, event.subject),
        subtitle=f"{event.source} · by {change.actor}" if change.actor else event.source,
        rows=_columns(change),
        thread=default_thread(event),
    )


def data_rows(data: Any) -> tuple[Row, ...]:
    """Return what changed in a row, or the values of one that is new or gone; the fields of other data."""
    change = Change.of(data)
    return field_rows(data) if change is None else _columns(change)


def field_rows(data: Any) -> tuple[Row, ...]:
    """Return a row for each member of a JSON object, those of one value before lists and objects."""
    if not isinstance(data, Mapping):
        return ()
    names = sorted(data, key=lambda name: isinstance(data[name], list | dict))
    return tuple(Row(name, shown(data[name])) for name in names)


def default_thread(event: Event) -> str | None:
    """Return one thread a row for database changes, none for other events."""
    if event.subject is None or Change.of(event.data) is None:
        return None
    return f"{event.source}/{event.subject}"


def _columns(change: Change) -> tuple[Row, ...]:
    before, after = change.before, change.after
    if before is not None and after is not None:
        return tuple(
            Row(change.label(name), change.value(name, after.get(name)), change.value(name, before.get(name)))
            for name in change.changed
        )
    values = after or before or {}
    return tuple(Row(change.label(name), change.value(name, value)) for name, value in values.items())


def _fields(event: Event) -> tuple[Row, ...]:
    data = event.data
    if isinstance(data, Mapping):
        return field_rows(data)
    if data is None and event.body in (b"", b"null"):
        return ()
    return (_whole(event),)


def _whole(event: Event) -> Row:
    """Return the one row of an event without fields: its value, or what its bytes are."""
    media = event.content_type.partition(";")[0].strip()
    readable = event.data is not None and (media.startswith("text/") or "json" in media)
    return Row(media, shown(event.data) if readable else counted(len(event.body), "byte"))
