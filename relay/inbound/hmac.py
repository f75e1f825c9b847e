"""An HMAC of the sender's own design."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from relay.domain.inbound import (
    EVENT_TYPE,
    IDEMPOTENCY_KEY,
    Inbound,
    Provider,
    Reading,
    SourceOptions,
    TimedOptions,
    read_plain,
)
from relay.signing import base64_digest, hex_digest, require, require_timely

UNTIMED = "{body}"
TIMED = "{timestamp}.{body}"
PLACE = re.compile(r"\{(body|timestamp|id|url)\}")

Header = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$", to_lower=True)]


class HmacOptions(TimedOptions):
    """Fields of an `hmac` source; `template` says what is signed, and is complete without being given."""

    header: Header = "x-signature"
    algorithm: Literal["sha1", "sha256", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: Annotated[str, Field(max_length=64)] = ""
    template: Annotated[str, Field(max_length=256)] = ""
    timestamp_header: Header | None = None
    id_header: Header = IDEMPOTENCY_KEY
    type_header: Header = EVENT_TYPE

    @property
    def content(self) -> str:
        """The template of what is signed: the one given, else the body, after its timestamp where there is one."""
        return self.template or (TIMED if self.timestamp_header else UNTIMED)

    @model_validator(mode="after")
    def _covers_what_it_says(self) -> Self:
        places = set(PLACE.findall(self.content))
        if "body" not in places:
            raise ValueError("the template signs no {body}: anybody could change it")
        if "timestamp" in places and self.timestamp_header is None:
            raise ValueError("the template has a {timestamp}: timestamp_header must say where it comes from")
        if self.timestamp_header is not None and "timestamp" not in places:
            raise ValueError("the template has no {timestamp}: unsigned, anybody could change it")
        return self


class Hmac(Provider):
    """Webhooks of a sender that signs with an HMAC in a way of its own.

    `header` holds the signature, `algorithm` is `sha1`, `sha256` or `sha512`, `encoding` is `hex` or `base64`, `prefix`
    is what stands before it, such as `sha256=`. With `timestamp_header` (Unix seconds) the time is signed too, must be
    within `tolerance`, and `{timestamp}.{body}` is what is signed; `template` says it differently, with `{body}`,
    `{timestamp}`, `{id}` and `{url}` in it.

    The event type is the header `type_header`, else the body's `type`, else `<source>.received`. Repeats are told by
    `id_header`.
    """

    kind: ClassVar[str] = "hmac"
    Options: ClassVar[type[SourceOptions]] = HmacOptions

    def __init__(self, options: HmacOptions) -> None:
        self._options = options

    def verify(self, request: Inbound, now: datetime) -> None:
        """Check the HMAC of what the template makes of the request, and the time where it is signed."""
        options = self._options
        given = request.proof(options.header)
        content = self._signed(request, now)
        spell = hex_digest if options.encoding == "hex" else base64_digest
        if options.encoding == "hex" and given.startswith(options.prefix):
            # Some senders write their digits in capitals; the prefix they must write as told.
            given = options.prefix + given.removeprefix(options.prefix).lower()
        require((options.prefix + spell(key, content, options.algorithm) for key in options.keys), [given])

    def read(self, request: Inbound, data: Any) -> Reading:
        """Return what the headers name."""
        options = self._options
        return read_plain(request, data, options.name, event_type=options.type_header, dedupe=options.id_header)

    def _signed(self, request: Inbound, now: datetime) -> bytes:
        values: dict[str, bytes] = {"body": request.body, "url": request.url.encode()}
        if self._options.timestamp_header is not None:
            timestamp = request.proof(self._options.timestamp_header)
            require_timely(timestamp, now, self._options.tolerance)
            values["timestamp"] = timestamp.encode()
        if "{id}" in self._options.content:
            values["id"] = request.proof(self._options.id_header).encode()
        return _fill(self._options.content, values)


def _fill(template: str, values: Mapping[str, bytes]) -> bytes:
    # Splitting by a pattern with a group gives literal text at even places and names at odd ones.
    parts = PLACE.split(template)
    return b"".join(values[part] if index % 2 else part.encode() for index, part in enumerate(parts))


PROVIDER: type[Provider] = Hmac
