"""Sentry."""

from datetime import datetime
from typing import Any, ClassVar

from relay.domain.inbound import Inbound, Provider, Reading, SignedOptions, SourceOptions, first_text, member
from relay.errors import Unreadable
from relay.signing import hex_digest, require

SIGNATURE = "sentry-hook-signature"
RESOURCE = "sentry-hook-resource"
DELIVERY = "request-id"


class Sentry(Provider):
    """Webhooks of a Sentry integration.

    `secret` is the integration's client secret. The event type is `sentry.` and the resource, such as `sentry.issue`,
    `sentry.event_alert` or `sentry.metric_alert`; what happened to it is `data.action`. The subject is the issue's
    short id, or else its number.
    """

    kind: ClassVar[str] = "sentry"
    Options: ClassVar[type[SourceOptions]] = SignedOptions

    def __init__(self, options: SignedOptions) -> None:
        self._keys = options.keys

    def verify(self, request: Inbound, now: datetime) -> None:
        """Check the HMAC-SHA256 of the body. Sentry signs no time: repeats are told by `Request-ID`."""
        require((hex_digest(key, request.body) for key in self._keys), [request.proof(SIGNATURE)])

    def read(self, request: Inbound, data: Any) -> Reading:
        """Return the resource that the headers name, and the issue in the body."""
        resource = request.headers.get(RESOURCE)
        if not resource:
            raise Unreadable(f"the header {RESOURCE} is missing")
        return Reading(
            type=f"{self.kind}.{resource}",
            dedupe=request.headers.get(DELIVERY) or None,
            subject=first_text(member(data, "data", "issue"), "shortId", "id")
            or first_text(member(data, "data", "event"), "issue_id")
            or first_text(member(data, "data", "metric_alert"), "id"),
        )


PROVIDER: type[Provider] = Sentry
