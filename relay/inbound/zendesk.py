"""Zendesk."""

from datetime import datetime
from typing import Any, ClassVar

from relay.domain.inbound import Inbound, Provider, Reading, SourceOptions, TimedOptions, first_text, moment
from relay.errors import BadSignature
from relay.signing import base64_digest, require

SIGNATURE = "x-zendesk-webhook-signature"
TIMESTAMP = "x-zendesk-webhook-signature-timestamp"
DELIVERY = "x-zendesk-webhook-invocation-id"
NAMESPACE = "zen:event-type:"


class Zendesk(Provider):
    """Webhooks of Zendesk, for its events and for triggers.

    `secret` is the webhook's signing secret. The event type is `zendesk.` and the event's own without
    `zen:event-type:`, such as `zendesk.ticket.created`; a trigger's body names none and is `zendesk.event`. The subject
    is Zendesk's own, such as `zen:ticket:35`.
    """

    kind: ClassVar[str] = "zendesk"
    Options: ClassVar[type[SourceOptions]] = TimedOptions

    def __init__(self, options: TimedOptions) -> None:
        self._keys = options.keys
        self._tolerance = options.tolerance

    def verify(self, request: Inbound, now: datetime) -> None:
        """Check the HMAC-SHA256 of time and body, and that the time, in ISO 8601, is near."""
        timestamp = request.proof(TIMESTAMP)
        content = timestamp.encode() + request.body
        require((base64_digest(key, content) for key in self._keys), [request.proof(SIGNATURE)])
        sent = moment(timestamp)
        if sent is None or abs((now - sent).total_seconds()) > self._tolerance:
            raise BadSignature("the timestamp is outside the time window")

    def read(self, request: Inbound, data: Any) -> Reading:
        """Return the event that the body describes."""
        return Reading(
            type=f"{self.kind}.{(first_text(data, 'type') or 'event').removeprefix(NAMESPACE) or 'event'}",
            dedupe=request.headers.get(DELIVERY) or None,
            subject=first_text(data, "subject"),
            occurred_at=moment(first_text(data, "time")),
        )


PROVIDER: type[Provider] = Zendesk
