"""The fields of an `http` target, and what is wrong with them."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from relay.domain.credentials import Basic
from relay.domain.grants import OAuth2
from relay.domain.target import TargetOptions
from relay.domain.templates import Template, TemplateText
from relay.domain.tls import Certificates, PrivateKey, tls_of
from relay.domain.url import HttpUrl
from relay.secrets import SecretText
from relay.signing import PRIVATE_KEY, standard_key, standard_signer

KEY_BYTES = range(24, 65)
"""Lengths of a signing key, in bytes (Standard Webhooks specification, "Signature scheme")."""

RESERVED = re.compile(
    r"host|content-length|content-type|connection|keep-alive|transfer-encoding|te|trailer|upgrade|expect"
    r"|webhook-.*|ce-.*|proxy-.*"
)
"""Headers that the relay, the connection or the body's format decide."""

JSON = "application/json"

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}")
_VALUE = re.compile(r"[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?")
_TEMPLATE = re.compile(r"\{\{|\{%")


def _signing(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    standard_signer(text)
    if not text.startswith(PRIVATE_KEY) and len(standard_key(text)) not in KEY_BYTES:
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
        _check_value(known, value.get_secret_value())
        checked[known] = value
    return checked


def _check_value(name: str, value: str) -> None:
    if not _VALUE.fullmatch(value):
        raise ValueError(f"the value of the header {name} is not one line of printable ASCII")
    if is_template(value):
        try:
            Template(value)
        except ValueError as error:
            raise ValueError(f"the header {name} is a template that does not compile: {error}") from None


def is_template(value: str) -> bool:
    """Say whether a header's value is to be filled in."""
    return _TEMPLATE.search(value) is not None


def _one_line(text: str) -> str:
    if not _VALUE.fullmatch(text):
        raise ValueError("should be one line of printable ASCII")
    return text


def _one_line_secret(secret: SecretStr) -> SecretStr:
    _one_line(secret.get_secret_value())
    return secret


SigningSecret = Annotated[SecretText, AfterValidator(_signing)]


class HttpOptions(TargetOptions):
    """Fields of an `http` target. `secret` takes a list during rotation: every one of them signs."""

    url: HttpUrl
    method: Literal["POST", "PUT", "PATCH", "DELETE", "GET"] = "POST"
    format: Literal["cloudevents", "binary", "raw"] = "cloudevents"
    body: TemplateText | None = None
    content_type: Annotated[str, AfterValidator(_one_line)] = JSON
    headers: Annotated[dict[str, SecretText], AfterValidator(_sendable)] = Field(default_factory=dict)
    secret: Annotated[tuple[SigningSecret, ...], Field(min_length=1), BeforeValidator(_listed)] | None = None
    basic: Basic | None = None
    bearer: Annotated[SecretText, AfterValidator(_one_line_secret)] | None = None
    oauth2: OAuth2 | None = None
    client_cert: Certificates | None = None
    client_key: PrivateKey | None = None
    ca: Certificates | None = None

    @model_validator(mode="after")
    def _fit_together(self) -> "HttpOptions":
        self._check_body()
        shown = [name for name in ("basic", "bearer", "oauth2") if getattr(self, name) is not None]
        shown += ["headers.authorization"] if "authorization" in self.headers else []
        if len(shown) > 1:
            raise ValueError(f"{' and '.join(shown)} exclude one another: each sets the header authorization")
        over_tls = self.url.get_secret_value().lower().startswith("https:")
        if tls_of(self.client_cert, self.client_key, self.ca) is not None and not over_tls:
            raise ValueError("client_cert and ca need a url that begins with https://")
        return self

    def _check_body(self) -> None:
        if self.body is not None and "format" in self.model_fields_set:
            raise ValueError("body and format exclude one another")
        if self.body is None and "content_type" in self.model_fields_set:
            raise ValueError("content_type is that of a body: give one")
        if self.method == "GET" and self.body is not None:
            raise ValueError("a GET has no body")
