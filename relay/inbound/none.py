"""Nothing is checked."""

from datetime import datetime
from typing import Any, ClassVar

from pydantic import field_validator

from relay.domain.inbound import Inbound, Provider, Reading, Secrets, SourceOptions, read_plain


class NoneOptions(SourceOptions):
    """Fields of a `none` source: without a check, there is no secret."""

    @field_validator("secret")
    @classmethod
    def _no_secret(cls, secret: Secrets | None) -> Secrets | None:
        if secret is not None:
            raise ValueError('nothing is checked: leave the secret out, or let verify be "bearer"')
        return secret


class Unverified(Provider):
    """Anybody who can reach the relay.

    For senders that sign nothing, behind a network that only they can reach. The event type is the header
    `X-Event-Type`, else the body's `type`, else `<source>.received`. Repeats are told by `Idempotency-Key`.
    """

    kind: ClassVar[str] = "none"
    Options: ClassVar[type[SourceOptions]] = NoneOptions

    def __init__(self, options: NoneOptions) -> None:
        self._options = options

    def verify(self, request: Inbound, now: datetime) -> None:
        """Take every request."""

    def read(self, request: Inbound, data: Any) -> Reading:
        """Return what the headers name."""
        return read_plain(request, data, self._options.name)


PROVIDER: type[Provider] = Unverified
