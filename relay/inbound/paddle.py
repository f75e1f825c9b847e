"""Paddle."""

from datetime import datetime
from typing import Any, ClassVar

from relay.domain.inbound import (
    Inbound,
    Provider,
    Reading,
    SourceOptions,
    TimedOptions,
    first_text,
    member,
    moment,
)
from relay.errors import BadSignature
from relay.signing import hex_digest, require, require_timely

SIGNATURE = "paddle-signature"
TIMESTAMP = "ts"
SCHEME = "h1"


class Paddle(Provider):
    """Webhooks of Paddle Billing.

    `secret` is the notification destination's, `pdl_ntfset_...`. The event type is `paddle.` and the event's type, such
    as `paddle.transaction.completed`. The subject is the id of what the event is about.
    """

    kind: ClassVar[str] = "paddle"
    Options: ClassVar[type[SourceOptions]] = TimedOptions

    def __init__(self, options: TimedOptions) -> None:
        self._keys = options.keys
        self._tolerance = options.tolerance

    def verify(self, request: Inbound, now: datetime) -> None:
        """Check that one of the `h1` signatures covers the time and the body, and that the time is near."""
        pairs = [item.partition("=")[::2] for item in request.proof(SIGNATURE).split(";")]
        times = [value for name, value in pairs if name == TIMESTAMP]
        if len(times) != 1:
            raise BadSignature(f"the header {SIGNATURE} names no time, or several")
        require_timely(times[0], now, self._tolerance)
        content = times[0].encode() + b":" + request.body
        given = [value for name, value in pairs if name == SCHEME]
        require((hex_digest(key, content) for key in self._keys), given)

    def read(self, request: Inbound, data: Any) -> Reading:
        """Return the event that the body describes."""
        return Reading(
            type=f"{self.kind}.{first_text(data, 'event_type') or 'event'}",
            dedupe=first_text(data, "event_id"),
            subject=first_text(member(data, "data"), "id"),
            occurred_at=moment(first_text(data, "occurred_at")),
        )


PROVIDER: type[Provider] = Paddle
