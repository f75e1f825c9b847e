"""Events as CloudEvents 1.0: in structured mode (one JSON document) and in binary mode (headers and body)."""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import quote

import orjson

from relay.domain.event import CLOUDEVENT, JSON, Event, encode
from relay.errors import Unreadable

SPECVERSION = "1.0"
UNKNOWN = "application/octet-stream"

_ATTRIBUTES = frozenset({"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data"})
_EXTENSION = re.compile(r"[a-z0-9]{1,64}")
_LINE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_URI = ":/?#[]@!$&'()*+,;=-._~%"
# HTTP protocol binding 1.0.2, section 3.1.3.2: printable ASCII stays, but for space, double quote and percent.
HEADER_SAFE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')
"""Characters that a header of an event holds as they are; all others are percent-encoded."""


class Payload(NamedTuple):
    """An event's own bytes, their content type, and the further attributes it had as a CloudEvent."""

    body: bytes
    content_type: str
    further: Mapping[str, Any] = MappingProxyType({})


def structured(event: Event) -> bytes:
    """Return the event as a JSON document of type `application/cloudevents+json`.

    JSON data is embedded byte for byte, other text as a string, anything else as `data_base64`.
    """
    payload = payload_of(event)
    head = {**payload.further, **attributes(event), "datacontenttype": payload.content_type}
    member, value = _data_member(payload)
    return _compact(head)[:-1] + b',"' + member + b'":' + value + b"}"


def binary_headers(event: Event, payload: Payload) -> dict[str, str]:
    """Return the `ce-` headers and the content type of binary mode; values are percent-encoded."""
    known = {**payload.further, **attributes(event)}
    headers = {f"ce-{name}": _header_value(value) for name, value in known.items()}
    return headers | {"content-type": payload.content_type}


def attributes(event: Event) -> dict[str, str]:
    """Return the context attributes; `source` is a URI reference, as the specification asks."""
    known = {
        "specversion": SPECVERSION,
        "id": event.id,
        "source": _reference(event.source),
        "type": event.type,
        "time": event.occurred_at.isoformat(),
    }
    if event.subject:
        known["subject"] = event.subject
    return known


@lru_cache(maxsize=1024)
def _reference(source: str) -> str:
    return quote(source, safe=_URI, errors="replace")


def sendable(content_type: Any) -> str:
    """Return a content type that may stand in a header: itself, or that of bytes unknown."""
    return content_type if isinstance(content_type, str) and _is_line(content_type) else UNKNOWN


@lru_cache(maxsize=1024)
def _is_line(text: str) -> bool:
    return _LINE.fullmatch(text) is not None


def payload_of(event: Event) -> Payload:
    """Return what the event carries: its bytes as they arrived, or what a structured CloudEvent held."""
    if _media(event.content_type) != CLOUDEVENT:
        return Payload(event.body, sendable(event.content_type))
    try:
        return _unwrapped(json.loads(event.body))
    except (ValueError, RecursionError, Unreadable):
        return Payload(event.body, UNKNOWN)


def _unwrapped(envelope: Any) -> Payload:
    if not isinstance(envelope, dict):
        raise Unreadable("a CloudEvent is a JSON object")
    kept = {
        name: _sound(value) if isinstance(value, str) else value
        for name, value in envelope.items()
        if _EXTENSION.fullmatch(name) and name not in _ATTRIBUTES and isinstance(value, str | int)
    }
    content_type = sendable(envelope.get("datacontenttype") or JSON)
    if isinstance(packed := envelope.get("data_base64"), str):
        return Payload(b64decode(packed, validate=True), content_type, kept)
    data = envelope.get("data")
    if isinstance(data, str) and not _is_json(content_type):
        return Payload(data.encode(), content_type, kept)
    return Payload(encode(data), content_type, kept)


def _data_member(payload: Payload) -> tuple[bytes, bytes]:
    if _is_json(payload.content_type):
        if _embeddable(payload.body):
            return b"data", payload.body
    elif _media(payload.content_type).startswith("text/") or _media(payload.content_type).endswith("urlencoded"):
        try:
            return b"data", encode(payload.body.decode())
        except UnicodeDecodeError:
            pass
    return b"data_base64", encode(b64encode(payload.body).decode())


def _embeddable(body: bytes) -> bool:
    """Say whether the bytes are JSON in UTF-8: no other encoding, no mark in front, no NaN."""
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        return _is_odd_json(body)
    return True


def _is_odd_json(body: bytes) -> bool:
    """Say whether it is JSON with numbers that are too large for most readers."""
    try:
        json.loads(body.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse(name: str) -> Any:
    raise ValueError(name)


def _compact(head: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(head)
    except TypeError:
        # A whole number beyond 64 bits, or text that UTF-8 cannot hold.
        return encode({name: _sound(value) if isinstance(value, str) else value for name, value in head.items()})


def _sound(text: str) -> str:
    """Return text that UTF-8 can hold: a lone surrogate becomes a question mark."""
    return text.encode(errors="replace").decode()


@lru_cache(maxsize=1024)
def _media(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _is_json(content_type: str) -> bool:
    media = _media(content_type)
    return media == JSON or media.endswith("+json")


def _header_value(value: Any) -> str:
    return quote(value if isinstance(value, str) else json.dumps(value), safe=HEADER_SAFE, errors="replace")
