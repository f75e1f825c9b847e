"""Stripe."""

from datetime import datetime
from typing import Any, ClassVar

from relay.domain.card import Card
from relay.domain.event import Event
from relay.domain.inbound import (
    Inbound,
    Provider,
    Reading,
    SourceOptions,
    TimedOptions,
    epoch,
    first_text,
    member,
)
from relay.errors import BadSignature
from relay.inbound.stripe.news import card_of
from relay.signing import hex_digest, require, require_timely

SIGNATURE = "stripe-signature"
TIMESTAMP = "t"
SCHEME = "v1"


class Stripe(Provider):
    """Webhooks of Stripe.

    `secret` is the endpoint's own, `whsec_...`, as the dashboard shows it. The event type is `stripe.` and the event's
    type, such as `stripe.invoice.paid`. The subject is the id of the object that the event is about.
    """

    kind: ClassVar[str] = "stripe"
    Options: ClassVar[type[SourceOptions]] = TimedOptions

    def __init__(self, options: TimedOptions) -> None:
        self._keys = options.keys
        self._tolerance = options.tolerance

    def verify(self, request: Inbound, now: datetime) -> None:
        """Check that one of the `v1` signatures covers the time and the body, and that the time is near."""
        pairs = [item.partition("=")[::2] for item in request.proof(SIGNATURE).split(",")]
        times = [value for name, value in pairs if name == TIMESTAMP]
        if len(times) != 1:
            raise BadSignature(f"the header {SIGNATURE} names no time, or several")
        require_timely(times[0], now, self._tolerance)
        content = times[0].encode() + b"." + request.body
        given = [value for name, value in pairs if name == SCHEME]
        require((hex_digest(key, content) for key in self._keys), given)

    def read(self, request: Inbound, data: Any) -> Reading:
        """Return the event that the body describes."""
        return Reading(
            type=f"{self.kind}.{first_text(data, 'type') or 'event'}",
            dedupe=first_text(data, "id"),
            subject=first_text(member(data, "data", "object"), "id"),
            occurred_at=epoch(member(data, "created")),
        )

    @staticmethod
    def card(event: Event) -> Card | None:
        """Return what is worth reading of the event."""
        return card_of(event)


PROVIDER: type[Provider] = Stripe
