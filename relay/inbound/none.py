"""Nothing is checked."""

from datetime import datetime
from typing import ClassVar

from pydantic import field_validator

from relay.domain.inbound import Inbound, PlainProvider, Provider, Secrets, SourceOptions


class NoneOptions(SourceOptions):
    """Fields of a `none` source: without a check, there is no secret."""

    @field_validator("secret")
    @classmethod
    def _no_secret(cls, secret: Secrets | None) -> Secrets | None:
        if secret is not None:
            raise ValueError('nothing is checked: leave the secret out, or let verify be "bearer"')
        return secret


class Unverified(PlainProvider):
    """Anybody who can reach the relay.

    For senders that sign nothing, behind a network that only they can reach. The event type is the header
    `X-Event-Type`, else the body's `type`, else `<source>.received`. Repeats are told by `Idempotency-Key`.
    """

    kind: ClassVar[str] = "none"
    Options: ClassVar[type[SourceOptions]] = NoneOptions

    def verify(self, request: Inbound, now: datetime) -> None:
        """Take every request."""


PROVIDER: type[Provider] = Unverified
