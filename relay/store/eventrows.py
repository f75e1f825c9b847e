"""Events as rows: which columns they have, how one is made, and how it is read."""

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, select

from relay.domain.event import Event
from relay.store.batch import any_of
from relay.store.tables import events

COLUMNS = (
    "id",
    "source",
    "type",
    "subject",
    "content_type",
    "body",
    "dedupe",
    "occurred_at",
    "received_at",
    "traceparent",
)
"""What is stored of an event."""

row_of: Callable[[Event], tuple[Any, ...]] = attrgetter(*COLUMNS)
"""Returns what is stored of an event, in the order of `COLUMNS`."""

EVENT_COLUMNS = tuple(events.c[name] for name in ("seq", *COLUMNS))


def load_events(connection: Connection, seqs: Iterable[int]) -> dict[int, Event]:
    """Return the events with these sequence numbers, by number."""
    found = connection.execute(select(*EVENT_COLUMNS).where(any_of(connection, events.c.seq, seqs)))
    return {row.seq: to_event(row) for row in found}


def to_event(row: Sequence[Any]) -> Event:
    """Return the event of a row of `EVENT_COLUMNS`."""
    seq, event_id, source, kind, subject, content_type, body, dedupe, occurred_at, received_at, trace = row
    content = bytes(body)
    return Event(event_id, source, kind, occurred_at, received_at, content, content_type, subject, dedupe, seq, trace)
