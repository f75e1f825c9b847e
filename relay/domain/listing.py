"""How listings are filtered, and how things are shown: the same in the API and on the command line."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from relay.domain.delivery import Attempt, Delivery, State
from relay.domain.durations import format_rate, parse_duration
from relay.domain.event import Event
from relay.domain.inbound import moment
from relay.domain.replay import SHOWN, Replay
from relay.errors import UsageError

LIMIT_DEFAULT = 50
LIMIT_MOST = 200

_DELIVERY_FIELDS = (
    *("id", "event_id", "route", "target", "subject", "state", "attempts", "next_attempt_at"),
    *("last_status", "last_error", "created_at", "finished_at", "folded_into"),
)

FILTERS = ("state", "target", "route", "source", "type", "subject", "since", "until", "q")
DELIVERY_FILTERS = (*FILTERS, "folded_into")

LONGEST_GLOB = 1000
"""Characters of a glob: several times what a type or a source may have, and no burden to any database."""


def filters_of(given: Mapping[str, str | None]) -> dict[str, Any]:
    """Return filters as the store takes them. Raises `UsageError`, naming the one that cannot be read."""
    filters: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    for name in ("since", "until"):
        if name in filters:
            filters[name] = _moment(name, filters[name])
    if "state" in filters and filters["state"] not in set(State):
        raise UsageError(f"state: one of {', '.join(State)}")
    if "folded_into" in filters and not is_id(filters["folded_into"]):
        raise UsageError("folded_into: the id of a delivery")
    for name in ("source", "type"):
        if len(filters.get(name, "")) > LONGEST_GLOB:
            raise UsageError(f"{name}: a glob of at most {LONGEST_GLOB} characters")
    text = "".join(map(str, filters.values()))
    # Python stands in lone surrogates for bytes of the command line that are no text.
    if "\0" in text or text != text.encode(errors="replace").decode():
        raise UsageError("a filter is text, without a NUL character")
    return filters


def is_id(text: str) -> bool:
    """Say whether text is an id of the relay's own."""
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


def show_event(event: Event) -> dict[str, Any]:
    """Return an event as JSON shows it."""
    return {
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "subject": event.subject,
        "occurred_at": shown(event.occurred_at),
        "received_at": shown(event.received_at),
        "content_type": event.content_type,
        "traceparent": event.traceparent,
        "data": event.data,
    }


def show_delivery(delivery: Delivery) -> dict[str, Any]:
    """Return a delivery as JSON shows it."""
    fields = {name: shown(getattr(delivery, name)) for name in _DELIVERY_FIELDS}
    if delivery.state is not State.PENDING:
        fields["next_attempt_at"] = None
    return fields


def show_attempt(attempt: Attempt) -> dict[str, Any]:
    """Return an attempt as JSON shows it."""
    fields = {name: shown(value) for name, value in attempt._asdict().items()}
    del fields["delivery_id"]
    return fields


def show_replay(replay: Replay) -> dict[str, Any]:
    """Return a replay and how far it is, as JSON shows it."""
    return {
        "id": replay.id,
        "created_at": shown(replay.created_at),
        "state": replay.state,
        "rate": None if replay.rate is None else format_rate(replay.rate),
        "count": replay.count,
        **{state.value: replay.states.get(state, 0) for state in SHOWN},
        "cancelled_at": shown(replay.cancelled_at),
        "filter": replay.filter,
    }


def shown(value: Any) -> Any:
    """Return a time as JSON shows it, in UTC and RFC 3339; any other value as it is."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value


def _moment(name: str, text: str) -> datetime:
    """Return a time given as RFC 3339, or as how long ago it was: `15m`, `2h`."""
    try:
        return datetime.now(UTC) - timedelta(seconds=parse_duration(text))
    except ValueError:
        pass
    if (named := moment(text)) is None:
        raise UsageError(f"{name}: a time such as 2026-01-31T09:00:00Z, or how long ago: 15m, 2h, 7d")
    return named
