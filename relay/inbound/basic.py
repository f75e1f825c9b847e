"""A user's name and password."""

from datetime import datetime
from typing import Any, ClassVar

from relay.domain.credentials import Username, require_basic
from relay.domain.inbound import Inbound, Provider, Reading, SignedOptions, SourceOptions, read_plain


class BasicOptions(SignedOptions):
    """Fields of a `basic` source: `secret` is the password."""

    username: Username


class Basic(Provider):
    """Anybody who sends `Authorization: Basic` with this `username` and, as the password, the `secret`.

    The password proves who sends, not that the body is unchanged: use it over TLS. The event type is the header
    `X-Event-Type`, else the body's `type`, else `<source>.received`. Repeats are told by `Idempotency-Key`.
    """

    kind: ClassVar[str] = "basic"
    Options: ClassVar[type[SourceOptions]] = BasicOptions

    def __init__(self, options: BasicOptions) -> None:
        self._options = options

    def verify(self, request: Inbound, now: datetime) -> None:
        """Check name and password."""
        require_basic(request, self._options.username, self._options.secrets)

    def read(self, request: Inbound, data: Any) -> Reading:
        """Return what the headers name."""
        return read_plain(request, data, self._options.name)


PROVIDER: type[Provider] = Basic
