"""Providers whose header holds a list of signatures: while a sender rotates its secret, it signs with both."""

from datetime import UTC, datetime
from typing import Any

import pytest

from relay.domain.inbound import Inbound
from relay.errors import BadSignature
from relay.plugins import discover
from relay.signing import hex_digest

NOW = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
BODY = b'{"id": "1"}'
AFTER_DOT = hex_digest(b"right", b"1700000000." + BODY)
AFTER_COLON = hex_digest(b"right", b"1700000000:" + BODY)
BARE = hex_digest(b"right", BODY)
WRONG = hex_digest(b"wrong", BODY)


def verify(kind: str, header: str, value: str) -> None:
    """Verify the body under a header of signatures."""
    provider: Any = discover().providers[kind]
    options = provider.Options.model_validate({"name": "sender", "verify": kind, "secret": "right"})
    request = Inbound("POST", "https://relay.example/in/sender", {header: value}, BODY)
    provider(options).verify(request, NOW)


GOOD = [
    ("stripe", "stripe-signature", f"t=1700000000,v1={WRONG},v1={AFTER_DOT},v0=old"),
    ("stripe", "stripe-signature", f"v1={AFTER_DOT},t=1700000000"),
    ("paddle", "paddle-signature", f"ts=1700000000;h1={WRONG};h1={AFTER_COLON}"),
    ("pagerduty", "x-pagerduty-signature", f"v1={WRONG},v1={BARE}"),
]
BAD = [
    ("stripe", "stripe-signature", f"t=1700000000,t=1700000000,v1={AFTER_DOT}"),
    ("stripe", "stripe-signature", f"t=1700000000,v1={AFTER_DOT}, t=1700000000,v1={AFTER_DOT}"),
    ("stripe", "stripe-signature", f"t=1700000000,v0={AFTER_DOT}"),
    ("stripe", "stripe-signature", f"v1={AFTER_DOT}"),
    ("stripe", "stripe-signature", "t=1700000000,v1="),
    ("stripe", "stripe-signature", f"t=١٧٠٠٠٠٠٠٠٠,v1={AFTER_DOT}"),
    ("stripe", "stripe-signature", f"t={'9' * 5000},v1={AFTER_DOT}"),
    ("stripe", "stripe-signature", f"t=-1700000000,v1={AFTER_DOT}"),
    ("paddle", "paddle-signature", f"ts=1700000000;ts=1;h1={AFTER_COLON}"),
    ("paddle", "paddle-signature", f"ts=1700000000,h1={AFTER_COLON}"),
    ("pagerduty", "x-pagerduty-signature", f"v1={BARE}, v1={BARE}"),
    ("pagerduty", "x-pagerduty-signature", f"v2={BARE}"),
]


@pytest.mark.parametrize(("kind", "header", "value"), GOOD)
def test_one_good_signature_is_enough(kind: str, header: str, value: str) -> None:
    """Any of the signatures may be the one we can check; other schemes are passed over."""
    verify(kind, header, value)


@pytest.mark.parametrize(("kind", "header", "value"), BAD)
def test_a_list_is_not_a_way_around(kind: str, header: str, value: str) -> None:
    """Two times, two headers, a time that is no number, or the right digits under another scheme prove nothing."""
    with pytest.raises(BadSignature):
        verify(kind, header, value)
