"""The event: something that happened, named, dated and kept as the bytes that arrived.

Standard library only: `relay.capture` runs inside other people's applications and imports this module.
"""

import json
import math
import os
import random
import re
import time
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

from relay.errors import Unreadable

JSON = "application/json"
CLOUDEVENT = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"

# What people write in; Python knows further names, some of which stand for programs rather than for alphabets.
_CHARSET = re.compile(
    r"utf-?8|utf-?(16|32)([bl]e)?|us-ascii|ascii|latin-?1|iso-?8859-[0-9]{1,2}|windows-125[0-8]|cp125[0-8]"
    r"|shift[_-]jis|euc-(jp|kr)|iso-2022-jp|gb2312|gbk|gb18030|big5|koi8-[ru]"
)

# Of its own: whoever seeds the module's would make ids repeat. And anew in each process that is forked.
_noise = random.Random()  # noqa: S311  an id is no secret
os.register_at_fork(after_in_child=_noise.seed)


def new_id() -> str:
    """Return a UUIDv7 (RFC 9562, section 5.7): sortable by the time it was made, to a quarter of a microsecond."""
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    fraction = (rest << 12) // 1_000_000
    digits = f"{milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | _noise.getrandbits(62):032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


@dataclass(frozen=True)
class Event:
    """What happened, once: immutable from the moment it is stored.

    `body` and `content_type` are the very bytes that arrived; `data` is what they mean. `dedupe` is the sender's own
    id of the event, unique within `source`. `seq` is the order in which the relay stored it; 0 before that.
    `traceparent` is the trace that it belongs to (W3C Trace Context), if its sender named one.
    """

    id: str
    source: str
    type: str
    occurred_at: datetime
    received_at: datetime
    body: bytes = b"null"
    content_type: str = JSON
    subject: str | None = None
    dedupe: str | None = None
    seq: int = field(default=0, compare=False)
    traceparent: str | None = None

    @cached_property
    def data(self) -> Any:
        """The meaning of `body`: parsed JSON, a form's fields, or text. A body that cannot be read is `None`."""
        try:
            return decode(self.content_type, self.body)
        except Unreadable:
            return None

    @property
    def facts(self) -> dict[str, Any]:
        """What conditions and templates know as `event`."""
        return {
            "id": self.id,
            "source": self.source,
            "type": self.type,
            "subject": self.subject,
            "time": self.occurred_at.isoformat(),
        }


def fitting(text: str | None, limit: int) -> str | None:
    """Return text as every database stores it: without NUL, cut at `limit` characters."""
    return text.replace("\0", "")[:limit] if text else None


def decode(content_type: str, body: bytes) -> Any:
    """Return what `body` means under `content_type`: JSON values, a form's fields as a dict, text as a string.

    A repeated form field becomes a list. A structured CloudEvent means its `data`. Bytes that are no text come as
    base64, so that every event can be shown. Forms and text are read in their `charset`, UTF-8 if they name none.
    Raises `Unreadable` for JSON or text that is not.
    """
    media, _, parameters = content_type.partition(";")
    media = media.strip().lower()
    if media == CLOUDEVENT:
        return cloudevent_data(parse_json(body))
    if media == JSON or media.endswith("+json"):
        return parse_json(body)
    if media == "application/x-www-form-urlencoded":
        return _form(body, _charset(parameters))
    if media.startswith("text/"):
        return _text(body, _charset(parameters))
    return b64encode(body).decode()


def encode(data: Any) -> bytes:
    """Return `data` as compact UTF-8 JSON. Raises `TypeError` or `ValueError` for what JSON cannot hold."""
    try:
        return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        # UTF-8 has no lone surrogates; JSON's escapes do, and a sender may have used one.
        return json.dumps(data, allow_nan=False, separators=(",", ":")).encode()


def cloudevent_data(envelope: Any) -> Any:
    """Return the `data` of a structured CloudEvent. Raises `Unreadable` when it is no JSON object."""
    if not isinstance(envelope, dict):
        raise Unreadable("a CloudEvent is a JSON object")
    return envelope.get("data", envelope.get("data_base64"))


def parse_json(body: bytes) -> Any:
    """Return the value that JSON in UTF-8 (or UTF-16 or UTF-32) stands for. Raises `Unreadable`.

    Whole numbers keep every digit, up to 4300; of a name that comes twice in an object the last counts.
    """
    try:
        return _decoder.decode(body.decode(json.detect_encoding(body), "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"not JSON: {_brief(error)}") from None


def _brief(error: Exception) -> str:
    match error:
        case UnicodeDecodeError():
            # Not its object: that is the body itself.
            return f"{error.reason} at byte {error.start}"
        case json.JSONDecodeError():
            return f"{error.msg} (line {error.lineno}, column {error.colno})"
        case RecursionError():
            return "it is nested too deeply"
        case _:
            return "a number or a field is more than can be read"


def _refuse_constant(name: str) -> Any:
    raise Unreadable(f"not JSON: {name} is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise Unreadable("not JSON that can be read: a number is too large")
    return number


_decoder = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)


def _charset(parameters: str) -> str:
    named = [value for name, _, value in (part.partition("=") for part in parameters.split(";")) if _is_charset(name)]
    charset = named[0].strip(' "').lower() if named else "utf-8"
    if not _CHARSET.fullmatch(charset):
        raise Unreadable("the charset is not one that is read here: send UTF-8")
    return charset


def _is_charset(name: str) -> bool:
    return name.strip().lower() == "charset"


def _form(body: bytes, charset: str) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    try:
        pairs = parse_qsl(_text(body, charset), keep_blank_values=True, max_num_fields=1000, encoding=charset)
    except (ValueError, LookupError) as error:
        raise Unreadable(f"not a form: {_brief(error)}") from None
    for name, value in pairs:
        if name in fields:
            earlier = fields[name]
            fields[name] = [*earlier, value] if isinstance(earlier, list) else [earlier, value]
        else:
            fields[name] = value
    return fields


def _text(body: bytes, charset: str) -> str:
    try:
        return body.decode(charset)
    except UnicodeDecodeError as error:
        raise Unreadable(f"not {charset.upper()}: {_brief(error)}") from None
    except LookupError:
        raise Unreadable("the charset is not one that is read here: send UTF-8") from None
