"""The `twilio` provider: what its signature leaves open, and how that is closed."""

from datetime import UTC, datetime
from hashlib import sha256

import pytest

from relay.domain.inbound import Inbound, SignedOptions
from relay.errors import BadSignature
from relay.inbound.twilio import FORM, SIGNATURE, Twilio
from relay.signing import base64_digest

NOW = datetime(2026, 1, 1, tzinfo=UTC)
URL = "https://relay.example/in/twilio"


def verify(url: str, body: bytes, content_type: str, signed: str) -> None:
    """Verify a request whose signature covers the text `signed`."""
    headers = {"content-type": content_type, SIGNATURE: base64_digest(b"12345", signed.encode(), "sha1")}
    options = SignedOptions.model_validate({"name": "twilio", "verify": "twilio", "secret": "12345"})
    Twilio(options).verify(Inbound("POST", url, headers, body), NOW)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [(b'{"a": 1}', "application/json"), (b"hello", "text/plain"), (b"a=1", "application/json")],
)
def test_a_body_beside_the_signature_is_refused(body: bytes, content_type: str) -> None:
    """A signature of the bare address says nothing of a body: it cannot be lent to one."""
    verify(URL, b"", content_type, URL)
    with pytest.raises(BadSignature, match="not signed"):
        verify(URL, body, content_type, URL)


def test_a_digest_counts_for_forms_too() -> None:
    """Once the address holds a digest, calling the body a form does not lead around it."""
    url = f"{URL}?bodySHA256={sha256(b'{}').hexdigest()}"
    verify(url, b"{}", "application/json", url)
    for body in (b"&&&", b"", b"{ }"):
        with pytest.raises(BadSignature, match="not the one"):
            verify(url, body, FORM, url)


@pytest.mark.parametrize(
    ("url", "signed"),
    [
        (URL, URL),
        (URL, "https://relay.example:443/in/twilio"),
        ("https://relay.example:443/in/twilio", URL),
        ("http://relay.example/in/twilio", "http://relay.example:80/in/twilio"),
        ("https://relay.example:8443/in/twilio", "https://relay.example:8443/in/twilio"),
    ],
)
def test_the_default_port_may_be_there_or_not(url: str, signed: str) -> None:
    """Twilio writes the port of https or leaves it out; both are the same address."""
    verify(url, b"A=1", FORM, f"{signed}A1")


def test_another_port_is_another_address() -> None:
    """Only a default port may be left out."""
    with pytest.raises(BadSignature):
        verify("https://relay.example:8443/in/twilio", b"A=1", FORM, f"{URL}A1")


@pytest.mark.parametrize(("url", "body"), [("https://[/", b""), (URL, b"\xff=1"), (URL, b"&".join([b"a=1"] * 1001))])
def test_what_cannot_be_read_is_not_signed(url: str, body: bytes) -> None:
    """An address or a form that makes no sense is a bad signature, never an accident."""
    with pytest.raises(BadSignature):
        verify(url, body, FORM, url)
