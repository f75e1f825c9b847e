"""The `sendgrid` provider: keys that are none."""

import pytest

from relay.inbound.sendgrid import SendGridOptions

ED25519 = "MCowBQYDK2VwAyEA1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="


@pytest.mark.parametrize("secret", ["not base64!", "AAAA", ED25519])
def test_only_a_verification_key_will_do(secret: str) -> None:
    """A secret that is no elliptic-curve public key is a mistake in the configuration."""
    with pytest.raises(ValueError, match="verification key"):
        SendGridOptions.model_validate({"name": "mail", "verify": "sendgrid", "secret": secret})
