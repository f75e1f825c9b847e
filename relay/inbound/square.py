"""Square."""

from datetime import datetime
from typing import Any, ClassVar

from relay.domain.inbound import (
    Inbound,
    Provider,
    Reading,
    first_text,
    member,
    moment,
)
from relay.domain.signed import KeyedProvider
from relay.signing import base64_digest, require

SIGNATURE = "x-square-hmacsha256-signature"


class Square(KeyedProvider):
    """Webhooks of Square.

    `secret` is the subscription's signature key. Square signs its notification URL too: it must be the address under
    which the relay is reached. The event type is `square.` and the event's type, such as `square.payment.updated`. The
    subject is the id of what the event is about.
    """

    kind: ClassVar[str] = "square"

    def verify(self, request: Inbound, now: datetime) -> None:
        """Check the HMAC-SHA256 of address and body. Square signs no time: repeats are told by `event_id`."""
        content = request.url.encode() + request.body
        require((base64_digest(key, content) for key in self._keys), [request.proof(SIGNATURE)])

    def read(self, request: Inbound, data: Any) -> Reading:
        """Return the event that the body describes."""
        return Reading(
            type=f"{self.kind}.{first_text(data, 'type') or 'event'}",
            dedupe=first_text(data, "event_id"),
            subject=first_text(member(data, "data"), "id"),
            occurred_at=moment(first_text(data, "created_at")),
        )


PROVIDER: type[Provider] = Square
