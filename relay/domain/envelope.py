"""CloudEvents 1.0 as they come in: structured, in batches, and in binary mode."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from relay.domain.event import BATCH, CLOUDEVENT, JSON, decode, encode, parse_json
from relay.domain.inbound import DEDUPE_LENGTH, Reading, moment, require_shallow
from relay.errors import Unreadable

BATCH_AT_MOST = 1000
VERSION_HEADER = "ce-specversion"


def envelopes(content_type: str, headers: Mapping[str, str], body: bytes) -> list[Any] | None:
    """Return the CloudEvents of a request, as the JSON values they stand for; `None` when it holds none.

    Raises `Unreadable` for what is not JSON, nested too deeply, or too large a batch.
    """
    media = content_type.partition(";")[0].strip().lower()
    if media == CLOUDEVENT:
        return [_json(body)]
    if media == BATCH:
        batch = _json(body)
        if not isinstance(batch, list) or len(batch) > BATCH_AT_MOST:
            raise Unreadable(f"a batch is a JSON array of at most {BATCH_AT_MOST} CloudEvents")
        return batch
    return [_from_headers(content_type, headers, body)] if VERSION_HEADER in headers else None


def reading_of(envelope: Any) -> Reading:
    """Return what a CloudEvent says of itself; it is kept whole. Raises `Unreadable`, naming the attribute.

    `dedupe` is its id, which is unique within its source alone.
    """
    if not isinstance(envelope, dict):
        raise Unreadable("a CloudEvent is a JSON object")
    if envelope.get("specversion") != "1.0":
        raise Unreadable("specversion: this relay reads CloudEvents 1.0")
    subject, time = envelope.get("subject"), envelope.get("time")
    if not isinstance(subject, str | None):
        raise Unreadable("subject: it is text")
    occurred_at = moment(time)
    if time is not None and occurred_at is None:
        raise Unreadable("time: it is an RFC 3339 time")
    return Reading(
        type=attribute(envelope, "type"),
        dedupe=attribute(envelope, "id"),
        subject=subject,
        occurred_at=occurred_at,
        body=encode(envelope),
        content_type=CLOUDEVENT,
    )


def attribute(envelope: Mapping[str, Any], name: str) -> str:
    """Return an attribute that every CloudEvent has. Raises `Unreadable`."""
    value = envelope.get(name)
    if not isinstance(value, str) or not value or len(value) > DEDUPE_LENGTH or not value.isprintable():
        raise Unreadable(f"{name}: a CloudEvent has one, of 1 to {DEDUPE_LENGTH} printable characters")
    return value


def _json(body: bytes) -> Any:
    value = parse_json(body)
    require_shallow(value, body)
    return value


def _from_headers(content_type: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """Return a CloudEvent in binary mode, `ce-` headers around the data, as the structured one it stands for."""
    attributes = {name[3:]: unquote(value) for name, value in headers.items() if name.startswith("ce-")}
    media = content_type.partition(";")[0].strip().lower()
    envelope: dict[str, Any] = {**attributes, "datacontenttype": content_type}
    if not body:
        return envelope
    if media == JSON or media.endswith("+json"):
        return envelope | {"data": _json(body)}
    if media.startswith("text/"):
        return envelope | {"data": decode(content_type, body)}
    return envelope | {"data_base64": b64encode(body).decode()}
