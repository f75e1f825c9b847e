"""A user's name and password."""

from datetime import datetime
from typing import ClassVar

from relay.domain.credentials import Username, require_basic
from relay.domain.inbound import Inbound, PlainProvider, Provider, SignedOptions, SourceOptions


class BasicOptions(SignedOptions):
    """Fields of a `basic` source: `secret` is the password."""

    username: Username


class Basic(PlainProvider):
    """Anybody who sends `Authorization: Basic` with this `username` and, as the password, the `secret`.

    The password proves who sends, not that the body is unchanged: use it over TLS. The event type is the header
    `X-Event-Type`, else the body's `type`, else `<source>.received`. Repeats are told by `Idempotency-Key`.
    """

    kind: ClassVar[str] = "basic"
    Options: ClassVar[type[SourceOptions]] = BasicOptions

    _options: BasicOptions

    def verify(self, request: Inbound, now: datetime) -> None:
        """Check name and password."""
        require_basic(request, self._options.username, self._options.secrets)


PROVIDER: type[Provider] = Basic
