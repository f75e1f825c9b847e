"""Stripe."""

from typing import Any, ClassVar

from relay.domain.card import Card
from relay.domain.event import Event
from relay.domain.inbound import (
    Inbound,
    Provider,
    Reading,
    epoch,
    first_text,
    member,
)
from relay.domain.signed import StampedProvider
from relay.inbound.stripe.news import card_of


class Stripe(StampedProvider):
    """Webhooks of Stripe.

    `secret` is the endpoint's own, `whsec_...`, as the dashboard shows it. The event type is `stripe.` and the event's
    type, such as `stripe.invoice.paid`. The subject is the id of the object that the event is about.
    """

    kind: ClassVar[str] = "stripe"
    header: ClassVar[str] = "stripe-signature"
    between: ClassVar[str] = ","
    time: ClassVar[str] = "t"
    scheme: ClassVar[str] = "v1"
    joint: ClassVar[bytes] = b"."

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
