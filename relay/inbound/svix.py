"""Svix."""

from typing import ClassVar

from relay.domain.inbound import Provider
from relay.domain.standard import StandardProvider


class Svix(StandardProvider):
    """Webhooks that are sent through Svix, as many services do.

    `secret` is the endpoint's signing secret, `whsec_...`. The headers are `svix-id`, `svix-timestamp` and
    `svix-signature`, or those of Standard Webhooks, which are signed alike. The event type is the body's `type`, and
    `svix.event` where it has none; the time is the body's `timestamp`.
    """

    kind: ClassVar[str] = "svix"


PROVIDER: type[Provider] = Svix
