"""Linear."""

from datetime import datetime
from typing import Any, ClassVar

from relay.domain.durations import Duration
from relay.domain.event import parse_json
from relay.domain.inbound import Inbound, Provider, Reading, SourceOptions, TimedOptions, epoch, first_text, member
from relay.errors import BadSignature, Unreadable
from relay.signing import hex_digest, require

SIGNATURE = "linear-signature"
DELIVERY = "linear-delivery"
TIME = "webhookTimestamp"
MILLISECONDS = 1000


class LinearOptions(TimedOptions):
    """Fields of a `linear` source."""

    tolerance: Duration = 60.0


class Linear(Provider):
    """Webhooks of Linear.

    `secret` is the webhook's signing secret. The event type is `linear.`, what it is about and what was done, such as
    `linear.issue.create` or `linear.comment.update`. The subject is the issue's identifier, `ENG-12`, or else the id.
    """

    kind: ClassVar[str] = "linear"
    Options: ClassVar[type[SourceOptions]] = LinearOptions

    def __init__(self, options: LinearOptions) -> None:
        self._keys = options.keys
        self._tolerance = options.tolerance

    def verify(self, request: Inbound, now: datetime) -> None:
        """Check the HMAC-SHA256 of the body, and that the time inside it is near."""
        require((hex_digest(key, request.body) for key in self._keys), [request.proof(SIGNATURE)])
        sent = epoch(_time(request.body), MILLISECONDS)
        if sent is None or abs((now - sent).total_seconds()) > self._tolerance:
            raise BadSignature("the timestamp is missing or outside the time window")

    def read(self, request: Inbound, data: Any) -> Reading:
        """Return the event that the body describes."""
        words = (first_text(data, "type"), first_text(data, "action"))
        about = member(data, "data")
        return Reading(
            type=".".join((self.kind, *(word.lower() for word in words if word))),
            dedupe=request.headers.get(DELIVERY) or None,
            subject=first_text(about, "identifier", "id"),
            occurred_at=epoch(member(data, TIME), MILLISECONDS),
        )


def _time(body: bytes) -> Any:
    try:
        return member(parse_json(body), TIME)
    except Unreadable:
        raise BadSignature("the timestamp is missing: the body is not Linear's") from None


PROVIDER: type[Provider] = Linear
