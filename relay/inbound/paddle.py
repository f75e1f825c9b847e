"""Paddle."""

from typing import Any, ClassVar

from relay.domain.inbound import (
    Inbound,
    Provider,
    Reading,
    first_text,
    member,
    moment,
)
from relay.domain.signed import StampedProvider


class Paddle(StampedProvider):
    """Webhooks of Paddle Billing.

    `secret` is the notification destination's, `pdl_ntfset_...`. The event type is `paddle.` and the event's type, such
    as `paddle.transaction.completed`. The subject is the id of what the event is about.
    """

    kind: ClassVar[str] = "paddle"
    header: ClassVar[str] = "paddle-signature"
    between: ClassVar[str] = ";"
    time: ClassVar[str] = "ts"
    scheme: ClassVar[str] = "h1"
    joint: ClassVar[bytes] = b":"

    def read(self, request: Inbound, data: Any) -> Reading:
        """Return the event that the body describes."""
        return Reading(
            type=f"{self.kind}.{first_text(data, 'event_type') or 'event'}",
            dedupe=first_text(data, "event_id"),
            subject=first_text(member(data, "data"), "id"),
            occurred_at=moment(first_text(data, "occurred_at")),
        )


PROVIDER: type[Provider] = Paddle
