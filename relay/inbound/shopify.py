"""Shopify."""

from datetime import datetime
from typing import Any, ClassVar

from relay.domain.card import Card
from relay.domain.event import Event
from relay.domain.inbound import Inbound, Provider, Reading, moment
from relay.domain.money import money
from relay.domain.news import Part, listed, phrase, rows, spaced, thread_of, tone_of
from relay.domain.signed import KeyedProvider
from relay.domain.words import counted
from relay.errors import Unreadable
from relay.signing import base64_digest, require

SIGNATURE = "x-shopify-hmac-sha256"
TOPIC = "x-shopify-topic"
DELIVERY = "x-shopify-webhook-id"
TRIGGERED_AT = "x-shopify-triggered-at"
WORDS = {"create": "placed", "updated": "changed", "delete": "deleted", "edited": "edited"}


class Shopify(KeyedProvider):
    """Webhooks of Shopify.

    `secret` is the app's client secret, or for webhooks made in the admin the key shown there. The event type is
    `shopify.` and the topic, such as `shopify.orders/create`.
    """

    kind: ClassVar[str] = "shopify"

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

    @staticmethod
    def card(event: Event) -> Card | None:
        """Return what is worth reading of the event."""
        return card_of(event)


def card_of(event: Event) -> Card | None:
    """Return the card of an order, `None` for what else a shop tells."""
    kind, _, verb = event.type.partition(".")[2].partition("/")
    order = Part(event.data)
    name = order.text("name") or order.said("order_number")
    if kind != "orders" or not name:
        return None
    items = order.each("line_items")
    word = WORDS.get(verb) or spaced(verb)
    total, currency = order.at("total_price").value, order.text("currency")
    return Card(
        title=phrase("Order", name, word),
        subtitle=event.source,
        text=listed(_item(item) for item in items),
        rows=rows(
            ("Total", money(total, currency) if total is not None else ""),
            ("Customer", _customer(order)),
            ("Items", counted(sum(item.number("quantity") or 0 for item in items), "item") if items else ""),
            ("Payment", spaced(order.text("financial_status"))),
            ("Fulfillment", spaced(order.text("fulfillment_status"))),
            ("Cancelled because", spaced(order.text("cancel_reason"))),
            ("Note", order.text("note")),
        ),
        tone=tone_of(verb, good=("paid", "fulfilled"), warning=("cancelled",)),
        thread=thread_of(event, f"order/{order.said('id') or name}"),
    )


def _item(item: Part) -> str:
    title = item.text("name") or item.text("title")
    return f"{item.number('quantity') or 1:,} × {title}" if title else ""


def _customer(order: Part) -> str:
    names = (order.text("customer", "first_name"), order.text("customer", "last_name"))
    return " ".join(name for name in names if name) or order.text("email")


PROVIDER: type[Provider] = Shopify
