"""Accept: a request of another service becomes an event, or a clear no."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from relay.domain.event import CLOUDEVENT, JSON, Event, decode, encode, new_id
from relay.domain.inbound import DEDUPE_LENGTH, Answer, Inbound, Reading
from relay.errors import Unreadable
from relay.pipeline.live import LiveSource
from relay.pipeline.ports import EventStore, Nudge


def read(source: LiveSource, request: Inbound, now: datetime) -> Event | Answer:
    """Return the event a request brings, or the answer to its handshake. Bytes first: verified, then read.

    Raises `BadSignature` and `Unreadable`.
    """
    source.provider.verify(request, now)
    answer = source.provider.handshake(request)
    if answer is not None:
        return answer
    content_type = _content_type(request.content_type)
    reading = source.provider.read(request, decode(content_type, request.body))
    return _event(source.options.name, reading, content_type, request.body, now)


def read_cloudevent(envelope: Any, now: datetime) -> Event:
    """Return the event of a structured CloudEvent; it is stored whole. Raises `Unreadable`, naming the attribute."""
    if not isinstance(envelope, dict):
        raise Unreadable("a CloudEvent is a JSON object")
    if envelope.get("specversion") != "1.0":
        raise Unreadable("specversion: this relay reads CloudEvents 1.0")
    return _event(_attribute(envelope, "source"), _reading(envelope), CLOUDEVENT, encode(envelope), now)


def envelope_of(headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """Return a CloudEvent in binary mode, `ce-` headers around the data, as the structured one it stands for.

    Raises `Unreadable` for data that is not what its content type says.
    """
    attributes = {name[3:]: unquote(value) for name, value in headers.items() if name.startswith("ce-")}
    content_type = headers.get("content-type", JSON)
    media = content_type.partition(";")[0].strip().lower()
    envelope: dict[str, Any] = {**attributes, "datacontenttype": content_type}
    if not body:
        return envelope
    if media == JSON or media.endswith("+json"):
        return envelope | {"data": decode(content_type, body)}
    if media.startswith("text/"):
        return envelope | {"data": decode("text/plain", body)}
    return envelope | {"data_base64": b64encode(body).decode()}


def record(event_type: str, source: str, subject: str | None, data: Any, now: datetime) -> Event:
    """Return an event that the relay's own operator records. Raises `Unreadable`."""
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


def _attribute(envelope: dict[str, Any], name: str) -> str:
    value = envelope.get(name)
    if not isinstance(value, str) or not value or len(value) > DEDUPE_LENGTH or not value.isprintable():
        raise Unreadable(f"{name}: a CloudEvent has one, of 1 to {DEDUPE_LENGTH} printable characters")
    return value


def _reading(envelope: dict[str, Any]) -> Reading:
    subject, time = envelope.get("subject"), envelope.get("time")
    if not isinstance(subject, str | None):
        raise Unreadable("subject: it is text")
    return Reading(
        type=_attribute(envelope, "type"),
        dedupe=_attribute(envelope, "id"),
        subject=subject,
        occurred_at=None if time is None else _time(time),
    )


def _time(value: Any) -> datetime:
    try:
        time = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise Unreadable("time: it is an RFC 3339 time") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _event(source: str, reading: Reading, content_type: str, body: bytes, now: datetime) -> Event:
    return Event(
        id=new_id(),
        source=source,
        type=reading.type,
        subject=reading.subject,
        dedupe=reading.dedupe,
        occurred_at=reading.occurred_at or now,
        received_at=now,
        content_type=content_type,
        body=body,
    )


def _content_type(value: str) -> str:
    if len(value) > 256 or not value.isprintable():
        raise Unreadable("the content type is not one")
    return value
