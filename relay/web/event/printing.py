"""What an event holds, as people read JSON."""

import json

from relay.domain.event import Event
from relay.domain.words import counted

MOST = 100_000
"""Characters of an event's data that the page shows."""


def pretty(event: Event) -> str:
    """Return the event's data as indented JSON, or its text as it is; cut where it is very long."""
    try:
        text = event.data if isinstance(event.data, str) else json.dumps(event.data, ensure_ascii=False, indent=2)
    except (RecursionError, ValueError):
        text = event.body.decode(errors="replace")
    clean = text.encode(errors="replace").decode()
    return clean if len(clean) <= MOST else f"{clean[:MOST]}\n… {counted(len(clean) - MOST, 'more character')}"
