"""Any HTTP endpoint."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

import requests
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from relay.domain.cloudevents import binary_headers, payload_of, sendable, structured
from relay.domain.event import CLOUDEVENT
from relay.domain.judgement import judge_status
from relay.domain.target import Message, Outcome, TargetOptions
from relay.domain.url import HttpUrl
from relay.secrets import SecretText
from relay.signing import StandardWebhooks, standard_key

KEY_BYTES = range(24, 65)
"""Lengths of a signing key, in bytes (Standard Webhooks specification, "Signature scheme")."""

RESERVED = re.compile(
    r"host|content-length|content-type|connection|keep-alive|transfer-encoding|te|trailer|upgrade|expect"
    r"|webhook-.*|ce-.*|proxy-.*"
)
"""Headers that the relay, the connection or the body's format decide."""

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}")
_VALUE = re.compile(r"[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?")


def _long_enough(secret: SecretStr) -> SecretStr:
    if len(standard_key(secret.get_secret_value())) not in KEY_BYTES:
        raise ValueError("a signing secret is `whsec_` and the base64 of 24 to 64 bytes")
    return secret


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, str | SecretStr) else value


def _sendable(headers: Mapping[str, SecretStr]) -> dict[str, SecretStr]:
    checked: dict[str, SecretStr] = {}
    for name, value in headers.items():
        known = name.lower()
        if not _NAME.fullmatch(name):
            raise ValueError("a header's name is letters, digits and hyphens")
        if RESERVED.fullmatch(known):
            raise ValueError(f"the header {known} is set by the relay")
        if known in checked:
            raise ValueError(f"the header {known} is named twice")
        if not _VALUE.fullmatch(value.get_secret_value()):
            raise ValueError(f"the value of the header {known} is not one line of printable ASCII")
        checked[known] = value
    return checked


SigningSecret = Annotated[SecretText, AfterValidator(_long_enough)]


class HttpOptions(TargetOptions):
    """Fields of an `http` target. `secret` takes a list during rotation: every one of them signs."""

    url: HttpUrl
    secret: Annotated[tuple[SigningSecret, ...], Field(min_length=1), BeforeValidator(_listed)] | None = None
    format: Literal["cloudevents", "binary", "raw"] = "cloudevents"
    headers: Annotated[dict[str, SecretText], AfterValidator(_sendable)] = Field(default_factory=dict)
    method: Literal["POST", "PUT", "PATCH"] = "POST"


class HttpTarget:
    """Sends each event to any HTTP endpoint.

    Every request carries `webhook-id` (the same for every retry and replay, so that the receiver can tell a repeat),
    `webhook-timestamp` and, with a `secret`, `webhook-signature`, as Standard Webhooks describes them.

    `format` says what the body is: `cloudevents`, one CloudEvents 1.0 JSON document; `binary`, the event's own bytes
    with `ce-` headers; `raw`, the bytes and the content type that arrived, and nothing else.

    2xx is success. 408, 425, 429, 5xx and network errors are tried again, not before a `Retry-After`. 410 pauses the
    target. Redirects and other client errors are final.
    """

    kind: ClassVar[str] = "http"
    Options: ClassVar[type[TargetOptions]] = HttpOptions
    words: ClassVar[bool] = False

    def __init__(self, options: HttpOptions) -> None:
        self._options = options
        self._headers = {name: value.get_secret_value() for name, value in options.headers.items()}
        self._keys = tuple(standard_key(secret.get_secret_value()) for secret in options.secret or ())

    @property
    def pace(self) -> str:
        """The target itself: endpoints share no quota that the relay could know of."""
        return f"{self.kind}:{self._options.name}"

    @staticmethod
    def escape(value: str) -> str:
        """Return `value` as it is: an endpoint receives data, not markup."""
        return value

    def render(self, message: Message) -> requests.Request:
        """Return the event in the chosen format, to be signed once its headers and body stand."""
        body, headers = self._content(message)
        return requests.Request(
            self._options.method,
            self._options.url.get_secret_value(),
            headers=self._headers | headers,
            data=body,
            auth=StandardWebhooks(message.id, int(message.sent_at.timestamp()), self._keys),
        )

    def judge(self, response: requests.Response, now: datetime) -> Outcome:
        """Return what the status says."""
        return judge_status(response, now)

    def _content(self, message: Message) -> tuple[bytes, dict[str, str]]:
        event = message.event
        if self._options.format == "cloudevents":
            return structured(event), {"content-type": CLOUDEVENT}
        if self._options.format == "binary":
            payload = payload_of(event)
            return payload.body, binary_headers(event, payload)
        return event.body, {"content-type": sendable(event.content_type)}


TARGET = HttpTarget
