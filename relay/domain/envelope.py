"""CloudEvents 1.0 as they come in: structured, in batches, and in binary mode."""

import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from relay.domain.event import BATCH, CLOUDEVENT, JSON, decode, encode, parse_json
from relay.domain.inbound import DEDUPE_LENGTH, Reading, moment, require_shallow
from relay.errors import Unreadable

BATCH_AT_MOST = 1000
VERSION_HEADER = "ce-specversion"
DATA = frozenset({"data", "data_base64"})

# CloudEvents 1.0.2, "Naming conventions".
_NAME = re.compile(r"[a-z0-9]+")


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
    _require_attributes(envelope)
    _require_data(envelope)
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


def _require_attributes(envelope: Mapping[str, Any]) -> None:
    """Return if every attribute, extensions included, has a name and a value that one may have."""
    for name, value in envelope.items():
        if name in DATA:
            continue
        if not _NAME.fullmatch(name):
            raise Unreadable(f"{_shown(name)}: the name of an attribute is lower-case letters and digits")
        if not isinstance(value, str | int | None):
            raise Unreadable(f"{_shown(name)}: an attribute is text, a whole number, true or false")


def _require_data(envelope: Mapping[str, Any]) -> None:
    """Return if the data is given once, and can be read."""
    if all(envelope.get(name) is not None for name in DATA):
        raise Unreadable("data, data_base64: a CloudEvent has one of them")
    packed, media = envelope.get("data_base64"), envelope.get("datacontenttype")
    if not isinstance(media, str | None):
        raise Unreadable("datacontenttype: it is text")
    if packed is None:
        return
    try:
        b64decode(packed, validate=True)
    except (ValueError, TypeError):
        raise Unreadable("data_base64: it is not base64") from None


def _shown(name: str) -> str:
    """Return a name that a sender made up as an answer can show it."""
    return name if len(name) <= 64 and name.isprintable() else "an attribute"


def _json(body: bytes) -> Any:
    value = parse_json(body)
    require_shallow(value, body)
    return value


def _from_headers(content_type: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """Return a CloudEvent in binary mode, `ce-` headers around the data, as the structured one it stands for."""
    attributes = {name[3:]: unquote(value) for name, value in headers.items() if name.startswith("ce-")}
    if attributes.keys() & DATA:
        raise Unreadable("ce-data: the data of a CloudEvent in binary mode is the body")
    media = content_type.partition(";")[0].strip().lower()
    envelope: dict[str, Any] = {**attributes, "datacontenttype": content_type}
    if not body:
        return envelope
    if media == JSON or media.endswith("+json"):
        return envelope | {"data": _json(body)}
    if media.startswith("text/"):
        return envelope | {"data": decode(content_type, body)}
    return envelope | {"data_base64": b64encode(body).decode()}
