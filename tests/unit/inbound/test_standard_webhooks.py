"""The `standard_webhooks` provider: several signatures, and keys of both kinds."""

from datetime import UTC, datetime
from typing import Any

import pytest

from relay.domain.inbound import Inbound
from relay.domain.standard import StandardOptions
from relay.errors import BadSignature
from relay.inbound.standard_webhooks import StandardWebhooks

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PUBLIC_KEY = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
V1 = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
V1A = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="
NOW = datetime.fromtimestamp(1614265330, UTC)


def provider(secret: Any) -> StandardWebhooks:
    """Return a provider with this secret or list of secrets."""
    fields = {"name": "sender", "verify": "standard_webhooks", "secret": secret}
    return StandardWebhooks(StandardOptions.model_validate(fields))


def request(signature: str) -> Inbound:
    """Return the specification's own example under another signature header."""
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": signature,
    }
    return Inbound("POST", "https://relay.example/in/sender", headers, b'{"test": 2432232314}')


@pytest.mark.parametrize("secret", [SECRET, PUBLIC_KEY, [SECRET, PUBLIC_KEY], SECRET.removeprefix("whsec_")])
@pytest.mark.parametrize("signature", [f"{V1} {V1A}", f"{V1A} {V1}", f"v2,unknown v1,AAAA {V1} {V1A}"])
def test_any_of_several_signatures_counts(secret: Any, signature: str) -> None:
    """A sender that rotates its keys signs with each: one that we know is enough, wherever it stands."""
    provider(secret).verify(request(signature), NOW)


@pytest.mark.parametrize(
    ("secret", "signature"),
    [
        (SECRET, V1A),
        (PUBLIC_KEY, V1),
        (SECRET, V1.replace("v1,", "v1a,")),
        (PUBLIC_KEY, V1A.replace("v1a,", "v1,")),
        (SECRET, V1.removeprefix("v1,")),
        (SECRET, f"{V1},{V1}"),
        (SECRET, f"{V1}, {V1}"),
        (PUBLIC_KEY, "v1a,not base64"),
        (PUBLIC_KEY, "v1a,"),
    ],
)
def test_a_signature_counts_for_its_own_kind_of_key(secret: str, signature: str) -> None:
    """A public key verifies `v1a` alone and a secret `v1` alone: neither can be played against the other."""
    with pytest.raises(BadSignature):
        provider(secret).verify(request(signature), NOW)


@pytest.mark.parametrize("secret", ["whsec_not base64", "whsec_", "whpk_AAAA", "whpk_!", [SECRET, "whpk_"]])
def test_unusable_secrets_are_refused(secret: Any) -> None:
    """A secret that could never verify anything is a mistake in the configuration, and is not shown in the message."""
    with pytest.raises(ValueError, match="base64"):
        provider(secret)
