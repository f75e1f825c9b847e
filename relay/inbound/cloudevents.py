"""CloudEvents over HTTP."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import Any, ClassVar

from relay.domain.credentials import require_bearer
from relay.domain.envelope import attribute, envelopes, reading_of
from relay.domain.inbound import DEDUPE_LENGTH, Answer, Inbound, Provider, Reading, SourceOptions
from relay.errors import Unreadable

ORIGIN = "webhook-request-origin"
RATE = "webhook-request-rate"
ALLOWED_ORIGIN = "WebHook-Allowed-Origin"
ALLOWED_RATE = "WebHook-Allowed-Rate"
ORIGIN_LENGTH = 256


class CloudEvents(Provider):
    """Anybody who sends CloudEvents 1.0, structured, in batches or in binary mode.

    With a `secret`, `Authorization: Bearer <secret>` must come with them; without one, nothing is checked. The OPTIONS
    with which a sender asks for permission is answered. Each event is stored as the CloudEvent it is, with its own type
    and subject; its `source` and `id` tell a repeat. `event.source` is the name of this source.
    """

    kind: ClassVar[str] = "cloudevents"
    Options: ClassVar[type[SourceOptions]] = SourceOptions

    def __init__(self, options: SourceOptions) -> None:
        self._options = options

    def verify(self, request: Inbound, now: datetime) -> None:
        """Check the token, where there is one to check."""
        if self._options.secret is not None:
            require_bearer(request, self._options.secrets)

    def read(self, request: Inbound, data: Any) -> Reading:
        """Return the first event."""
        first = next(iter(self.readings(request, data)), None)
        if first is None:
            raise Unreadable("the batch is empty")
        return first

    def readings(self, request: Inbound, data: Any) -> Sequence[Reading]:
        """Return every event of the request, in its order."""
        found = envelopes(request.content_type, request.headers, request.body)
        if found is None:
            raise Unreadable("the body is no CloudEvent, nor a batch of them, and there are no ce- headers")
        return [_reading(envelope) for envelope in found]

    def greet(self, request: Inbound) -> Answer | None:
        """Return the permission that a sender asks for (HTTP 1.1 Web Hooks for Event Delivery, section 4)."""
        origin = request.headers.get(ORIGIN, "")
        if request.method != "OPTIONS" or not origin:
            return None
        if len(origin) > ORIGIN_LENGTH or not (origin.isascii() and origin.isprintable()):
            return None
        rate = self._options.rate
        per_minute = "*" if rate is None else str(max(1, int(rate * 60)))
        granted = {ALLOWED_RATE: per_minute} if RATE in request.headers else {}
        return Answer(200, headers={"Allow": "POST", ALLOWED_ORIGIN: origin, **granted})


def _reading(envelope: Any) -> Reading:
    reading = reading_of(envelope)
    identity = f"{attribute(envelope, 'source')} {reading.dedupe}"
    if len(identity) > DEDUPE_LENGTH:
        identity = sha256(identity.encode()).hexdigest()
    return replace(reading, dedupe=identity)


PROVIDER: type[Provider] = CloudEvents
