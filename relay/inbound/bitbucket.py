"""Bitbucket."""

from datetime import datetime
from typing import Any, ClassVar

from relay.domain.inbound import Inbound, Provider, Reading, SignedOptions, SourceOptions, first_text, member
from relay.errors import Unreadable
from relay.signing import hex_digest, require

SIGNATURE = "x-hub-signature"
PREFIX = "sha256="
EVENT = "x-event-key"
DELIVERY = "x-request-uuid"


class Bitbucket(Provider):
    """Webhooks of Bitbucket Cloud and Data Center.

    The event type is `bitbucket.` and the event's key, such as `bitbucket.repo:push`. The subject is
    `workspace/repository`, with `#12` for a pull request.
    """

    kind: ClassVar[str] = "bitbucket"
    Options: ClassVar[type[SourceOptions]] = SignedOptions

    def __init__(self, options: SignedOptions) -> None:
        self._keys = options.keys

    def verify(self, request: Inbound, now: datetime) -> None:
        """Check the HMAC-SHA256 of the body. Bitbucket signs no time: repeats are told by `X-Request-UUID`."""
        require((PREFIX + hex_digest(key, request.body) for key in self._keys), [request.proof(SIGNATURE)])

    def read(self, request: Inbound, data: Any) -> Reading:
        """Return the event that the headers name, about the repository and pull request in the body."""
        name = request.headers.get(EVENT)
        if not name:
            raise Unreadable(f"the header {EVENT} is missing")
        subject, number = first_text(member(data, "repository"), "full_name"), member(data, "pullrequest", "id")
        if subject and isinstance(number, int):
            subject = f"{subject}#{number}"
        return Reading(type=f"{self.kind}.{name}", dedupe=request.headers.get(DELIVERY) or None, subject=subject)


PROVIDER: type[Provider] = Bitbucket
