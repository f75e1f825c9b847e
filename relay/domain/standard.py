"""Standard Webhooks as they come in: one way of signing under several names."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar

from pydantic import field_validator

from relay.domain.inbound import Inbound, Provider, Reading, Secrets, SourceOptions, TimedOptions, first_text, moment
from relay.signing import StandardKey, require_standard, require_timely, standard_verifier

PREFIX = "whsec_"
"""How a signing secret begins."""

FAMILIES = ("webhook-", "svix-")
"""What the three headers begin with: the specification's own names, and those of Svix, where they come from."""


class StandardOptions(TimedOptions):
    """Fields of a source that signs so: every secret is `whsec_...` or a public key, `whpk_...`."""

    @field_validator("secret")
    @classmethod
    def _usable(cls, secrets: Secrets) -> Secrets:
        for secret in secrets:
            cls.check_secret(secret.get_secret_value())
        return secrets

    @classmethod
    def check_secret(cls, secret: str) -> None:
        """Return if the secret can verify anything. Raises `ValueError`."""
        standard_verifier(secret)


def require_signed(request: Inbound, keys: Iterable[StandardKey], now: datetime, tolerance: float) -> None:
    """Return if one of the signatures covers id, timestamp and body, and the time is near. Raises `BadSignature`."""
    family = _family(request)
    timestamp = request.proof(family + "timestamp")
    require_timely(timestamp, now, tolerance)
    signatures = request.proof(family + "signature").split(" ")
    require_standard(keys, request.proof(family + "id"), timestamp, request.body, signatures)


class StandardProvider(Provider):
    """What providers of Standard Webhooks share; each has a `kind` of its own."""

    Options: ClassVar[type[SourceOptions]] = StandardOptions

    def __init__(self, options: StandardOptions) -> None:
        self._keys = [standard_verifier(secret) for secret in options.secrets]
        self._tolerance = options.tolerance

    def verify(self, request: Inbound, now: datetime) -> None:
        """Check that one of the signatures covers id, timestamp and body, and that the time is near."""
        require_signed(request, self._keys, now, self._tolerance)

    def read(self, request: Inbound, data: Any) -> Reading:
        """Return what the body says of itself; the id is the sender's."""
        return Reading(
            type=first_text(data, "type") or f"{self.kind}.event",
            dedupe=request.headers[_family(request) + "id"],
            occurred_at=moment(first_text(data, "timestamp")),
        )


def _family(request: Inbound) -> str:
    for family in FAMILIES:
        if family + "signature" in request.headers:
            return family
    return FAMILIES[0]
