"""PagerDuty."""

from datetime import datetime
from typing import Any, ClassVar

from relay.domain.inbound import (
    Inbound,
    Provider,
    Reading,
    SignedOptions,
    SourceOptions,
    first_text,
    member,
    moment,
)
from relay.signing import hex_digest, require

SIGNATURE = "x-pagerduty-signature"
PREFIX = "v1="
DELIVERY = "x-webhook-id"


class PagerDuty(Provider):
    """Webhooks of PagerDuty, version 3.

    `secret` is the one shown when the subscription was made. The event type is `pagerduty.` and the event's type, such
    as `pagerduty.incident.triggered`. The subject is the id of the incident or service that the event is about.
    """

    kind: ClassVar[str] = "pagerduty"
    Options: ClassVar[type[SourceOptions]] = SignedOptions

    def __init__(self, options: SignedOptions) -> None:
        self._keys = options.keys

    def verify(self, request: Inbound, now: datetime) -> None:
        """Check that one of the `v1` signatures is the HMAC-SHA256 of the body."""
        given = request.proof(SIGNATURE).split(",")
        require((PREFIX + hex_digest(key, request.body) for key in self._keys), given)

    def read(self, request: Inbound, data: Any) -> Reading:
        """Return the event that the body describes."""
        event = member(data, "event")
        return Reading(
            type=f"{self.kind}.{first_text(event, 'event_type') or 'event'}",
            dedupe=request.headers.get(DELIVERY) or first_text(event, "id"),
            subject=first_text(member(event, "data"), "id"),
            occurred_at=moment(first_text(event, "occurred_at")),
        )


PROVIDER: type[Provider] = PagerDuty
