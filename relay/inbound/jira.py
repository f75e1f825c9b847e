"""Jira."""

from datetime import datetime
from typing import Any, ClassVar

from relay.domain.inbound import (
    Inbound,
    Provider,
    Reading,
    SignedOptions,
    SourceOptions,
    epoch,
    first_text,
    member,
)
from relay.signing import hex_digest, require

SIGNATURE = "x-hub-signature"
PREFIX = "sha256="
DELIVERY = "x-atlassian-webhook-identifier"
NAMESPACE = "jira:"


class Jira(Provider):
    """Webhooks of Jira Cloud and Data Center.

    The event type is `jira.` and the name of the event without a `jira:` before it, such as `jira.issue_updated` or
    `jira.comment_created`. The subject is the issue's key.
    """

    kind: ClassVar[str] = "jira"
    Options: ClassVar[type[SourceOptions]] = SignedOptions

    def __init__(self, options: SignedOptions) -> None:
        self._keys = options.keys

    def verify(self, request: Inbound, now: datetime) -> None:
        """Check the HMAC-SHA256 of the body. Jira signs no time: repeats are told by its webhook identifier."""
        require((PREFIX + hex_digest(key, request.body) for key in self._keys), [request.proof(SIGNATURE)])

    def read(self, request: Inbound, data: Any) -> Reading:
        """Return the event that the body describes."""
        name = (first_text(data, "webhookEvent") or "event").removeprefix(NAMESPACE)
        return Reading(
            type=f"{self.kind}.{name}",
            dedupe=request.headers.get(DELIVERY) or None,
            subject=first_text(member(data, "issue"), "key"),
            occurred_at=epoch(member(data, "timestamp"), per_second=1000),
        )


PROVIDER: type[Provider] = Jira
