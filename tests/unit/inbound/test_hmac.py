"""The `hmac` provider: what its options mean beyond the fixtures."""

from datetime import UTC, datetime
from typing import Any

import pytest

from relay.domain.inbound import Inbound, Reading
from relay.errors import BadSignature, Unreadable
from relay.inbound.hmac import Hmac, HmacOptions
from relay.signing import hex_digest

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def provider(**fields: Any) -> Hmac:
    """Return a provider whose secret is `secret`."""
    return Hmac(HmacOptions.model_validate({"name": "till", "verify": "hmac", "secret": "secret", **fields}))


def request(body: bytes, **headers: str) -> Inbound:
    """Return a request with these headers, an underscore for a hyphen."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Inbound("POST", "https://relay.example/in/till", named, body)


def test_digits_in_capitals_are_the_same() -> None:
    """A sender may write hexadecimal digits in capitals."""
    signature = "sha256=" + hex_digest(b"secret", b"hello").upper()
    provider(prefix="sha256=").verify(request(b"hello", x_signature=signature), NOW)


def test_prefix_is_part_of_the_signature() -> None:
    """A signature without the prefix that was agreed on is none."""
    with pytest.raises(BadSignature):
        provider(prefix="sha256=").verify(request(b"hello", x_signature=hex_digest(b"secret", b"hello")), NOW)


def test_template_text_stands_for_itself() -> None:
    """Braces that name nothing known, and braces in the body, are signed as they are."""
    signature = hex_digest(b"secret", b"{v1}:{timestamp}")
    provider(template="{v1}:{body}").verify(request(b"{timestamp}", x_signature=signature), NOW)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"template": "{id}"}, "signs no {body}"),
        ({"template": "{timestamp}.{body}"}, "timestamp_header must say"),
        ({"template": "{body}", "timestamp_header": "x-time"}, "has no {timestamp}"),
        ({"algorithm": "md5"}, "sha1"),
        ({"header": "x signature"}, "header"),
    ],
)
def test_options_that_sign_too_little_are_refused(fields: dict[str, str], message: str) -> None:
    """A template without the body, or a time that is read but not signed, is a mistake in the configuration."""
    with pytest.raises(ValueError, match=message):
        provider(**fields)


def test_header_names_are_compared_without_case() -> None:
    """Header names are written in any case in relay.toml."""
    options = HmacOptions.model_validate({"name": "a", "verify": "hmac", "secret": "s", "type_header": "X-Topic"})
    assert Hmac(options).read(request(b"{}", x_topic="made"), {}) == Reading(type="made")


@pytest.mark.parametrize(
    "reading",
    [
        {"type": ""},
        {"type": "a" * 257},
        {"type": "a\x00b"},
        {"type": "a\nb"},
        {"type": "\ud800"},
        {"type": "a", "dedupe": "a\x00"},
        {"type": "a", "dedupe": "a" * 257},
        {"type": "a", "dedupe": ""},
        {"type": "a", "subject": "\x1b[2J"},
        {"type": "a", "subject": "a" * 513},
    ],
)
def test_what_cannot_be_stored_is_unreadable(reading: dict[str, str]) -> None:
    """Names that are empty, overlong or hold control characters are refused before they reach the store."""
    with pytest.raises(Unreadable):
        Reading(**reading)
