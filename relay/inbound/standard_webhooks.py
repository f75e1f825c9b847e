"""Standard Webhooks."""

from typing import ClassVar

from relay.domain.inbound import Provider
from relay.domain.standard import StandardProvider


class StandardWebhooks(StandardProvider):
    """Webhooks of everybody who signs as standardwebhooks.com describes.

    `secret` is `whsec_...` or a public key, `whpk_...`; a list may mix them. The headers are `webhook-id`,
    `webhook-timestamp` and `webhook-signature`, or those of Svix. The event type is the body's `type`, and
    `standard_webhooks.event` where it has none; the time is the body's `timestamp`.
    """

    kind: ClassVar[str] = "standard_webhooks"


PROVIDER: type[Provider] = StandardWebhooks
