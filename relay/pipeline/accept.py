"""Accept: a request of another service becomes an event, or a clear no."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import Any

from relay.domain.envelope import attribute, reading_of
from relay.domain.event import CLOUDEVENT, JSON, Event, decode, encode, new_id
from relay.domain.inbound import DEDUPE_LENGTH, IDEMPOTENCY_KEY, Answer, Inbound, Reading, require_shallow
from relay.domain.packing import unpack
from relay.domain.trace import HEADER, traceparent
from relay.errors import Unreadable
from relay.pipeline.conditions import Facts
from relay.pipeline.live import LiveSource
from relay.pipeline.ports import EventStore, Nudge

ENCODING = "content-encoding"


def read(source: LiveSource, request: Inbound, now: datetime) -> list[Event] | Answer:
    """Return the events that a verified request brings, or the answer to its handshake.

    Raises `TooLarge`, `Unsupported`, `Unreadable`, and `BadSignature` for a handshake that leads elsewhere.
    """
    packing = request.headers.get(ENCODING, "")
    request = replace(request, body=unpack(packing, request.body, source.options.max_body)) if packing else request
    answer = source.provider.handshake(request)
    return answer if answer is not None else _events(source, request, now)


def read_cloudevent(envelope: Any, now: datetime, trace: str | None = None) -> Event:
    """Return the event of a structured CloudEvent; it is stored whole. Raises `Unreadable`, naming the attribute.

    `trace` is the `traceparent` of the request that brought it, for an event that names none itself.
    """
    reading = reading_of(envelope)
    event = _event(attribute(envelope, "source"), reading, CLOUDEVENT, b"", now)
    trace = traceparent(envelope.get(HEADER)) or traceparent(trace)
    return event if trace is None else replace(event, traceparent=trace)


def record(event_type: str, source: str, subject: str | None, data: Any, now: datetime) -> Event:
    """Return an event that the relay's own operator records. Raises `Unreadable` for what cannot be stored."""
    if not 0 < len(source) <= DEDUPE_LENGTH or not source.isprintable():
        raise Unreadable(f"the source has 1 to {DEDUPE_LENGTH} printable characters")
    return _event(source, Reading(type=event_type, subject=subject), JSON, encode(data), now)


class Accept:
    """Stores what was read, a group at a time; what is stored is announced."""

    def __init__(self, events: EventStore, nudge: Nudge) -> None:
        self._events = events
        self._nudge = nudge

    def store(self, batch: Sequence[Event]) -> list[str]:
        """Store events in one transaction; return the id each is known by. Raises `StoreUnavailable`."""
        return self._events.add(batch)

    def announce(self) -> None:
        """Nudge whoever routes. May take seconds while the broker is frozen: nobody should wait for it."""
        self._nudge.fan_out()


def _events(source: LiveSource, request: Inbound, now: datetime) -> list[Event]:
    content_type = _content_type(request.content_type)
    data = decode(content_type, request.body)
    require_shallow(data, request.body)
    key = request.headers.get(IDEMPOTENCY_KEY) or None
    trace = traceparent(request.headers.get(HEADER))
    events = []
    for reading in source.provider.readings(request, data):
        event = _event(source.options.name, reading, content_type, request.body, now)
        identity = source.identity.of(Facts(event)) if source.identity is not None else None
        if identity is not None:
            event = replace(event, dedupe=_storable(identity))
        elif event.dedupe is None and key is not None:
            event = replace(event, dedupe=_storable(key))
        events.append(event if trace is None else replace(event, traceparent=trace))
    return events


def _storable(identity: str) -> str:
    """Return an identity as it can be stored: one that is long or odd by its digest."""
    if len(identity) <= DEDUPE_LENGTH and identity.isprintable():
        return identity
    return sha256(identity.encode(errors="surrogatepass")).hexdigest()


def _event(source: str, reading: Reading, content_type: str, body: bytes, now: datetime) -> Event:
    return Event(
        id=new_id(),
        source=source,
        type=reading.type,
        subject=reading.subject,
        dedupe=reading.dedupe,
        occurred_at=reading.occurred_at or now,
        received_at=now,
        content_type=reading.content_type or content_type,
        body=body if reading.body is None else reading.body,
    )


def _content_type(value: str) -> str:
    if len(value) > 256 or not value.isprintable():
        raise Unreadable("the content type is not one")
    return value
