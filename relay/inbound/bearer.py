"""A bearer token."""

from datetime import datetime
from typing import Any, ClassVar

from relay.domain.credentials import require_bearer
from relay.domain.inbound import Inbound, Provider, Reading, SignedOptions, SourceOptions, read_plain


class Bearer(Provider):
    """Anybody who sends `Authorization: Bearer <secret>`.

    The token proves who sends, not that the body is unchanged: use it over TLS. The event type is the header
    `X-Event-Type`, else the body's `type`, else `<source>.received`. Repeats are told by `Idempotency-Key`.
    """

    kind: ClassVar[str] = "bearer"
    Options: ClassVar[type[SourceOptions]] = SignedOptions

    def __init__(self, options: SignedOptions) -> None:
        self._options = options

    def verify(self, request: Inbound, now: datetime) -> None:
        """Check the token."""
        require_bearer(request, self._options.secrets)

    def read(self, request: Inbound, data: Any) -> Reading:
        """Return what the headers name."""
        return read_plain(request, data, self._options.name)


PROVIDER: type[Provider] = Bearer
