"""Shopify."""

from datetime import datetime
from typing import Any, ClassVar

from relay.domain.inbound import Inbound, Provider, Reading, SignedOptions, SourceOptions, moment
from relay.errors import Unreadable
from relay.signing import base64_digest, require

SIGNATURE = "x-shopify-hmac-sha256"
TOPIC = "x-shopify-topic"
DELIVERY = "x-shopify-webhook-id"
TRIGGERED_AT = "x-shopify-triggered-at"


class Shopify(Provider):
    """Webhooks of Shopify.

    `secret` is the app's client secret, or for webhooks made in the admin the key shown there. The event type is
    `shopify.` and the topic, such as `shopify.orders/create`.
    """

    kind: ClassVar[str] = "shopify"
    Options: ClassVar[type[SourceOptions]] = SignedOptions

    def __init__(self, options: SignedOptions) -> None:
        self._keys = options.keys

    def verify(self, request: Inbound, now: datetime) -> None:
        """Check the HMAC-SHA256 of the body. Shopify signs no time: repeats are told by `X-Shopify-Webhook-Id`."""
        require((base64_digest(key, request.body) for key in self._keys), [request.proof(SIGNATURE)])

    def read(self, request: Inbound, data: Any) -> Reading:
        """Return the topic that the headers name."""
        topic = request.headers.get(TOPIC)
        if not topic:
            raise Unreadable(f"the header {TOPIC} is missing")
        return Reading(
            type=f"{self.kind}.{topic}",
            dedupe=request.headers.get(DELIVERY) or None,
            occurred_at=moment(request.headers.get(TRIGGERED_AT)),
        )


PROVIDER: type[Provider] = Shopify
