"""A bearer token."""

from datetime import datetime
from typing import ClassVar

from relay.domain.credentials import require_bearer
from relay.domain.inbound import Inbound, PlainProvider, Provider, SignedOptions, SourceOptions


class Bearer(PlainProvider):
    """Anybody who sends `Authorization: Bearer <secret>`.

    The token proves who sends, not that the body is unchanged: use it over TLS. The event type is the header
    `X-Event-Type`, else the body's `type`, else `<source>.received`. Repeats are told by `Idempotency-Key`.
    """

    kind: ClassVar[str] = "bearer"
    Options: ClassVar[type[SourceOptions]] = SignedOptions

    def verify(self, request: Inbound, now: datetime) -> None:
        """Check the token."""
        require_bearer(request, self._options.secrets)


PROVIDER: type[Provider] = Bearer
