"""Google Cloud Pub/Sub."""

from base64 import b64decode
from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import Field

from relay.domain.card import Card, field_rows
from relay.domain.event import Event, parse_json
from relay.domain.idtoken import GOOGLE_ISSUERS, GOOGLE_KEYS, TokenOptions, need_of, require_email, require_token
from relay.domain.inbound import Inbound, Need, Provider, Reading, SourceOptions, first_text, member, moment
from relay.domain.news import Part, dotted, rows, titled
from relay.errors import Unreadable

NAMING_ATTRIBUTES = ("type", "eventType", "ce-type")


class PubSubOptions(TokenOptions):
    """Fields of a `pubsub` source: `email` is the service account that the push subscription authenticates as."""

    email: Annotated[str, Field(min_length=3, max_length=256)]


class PubSub(Provider):
    """Push subscriptions of Google Cloud Pub/Sub, with authentication enabled.

    `audience` is the subscription's (by default the address it pushes to), `email` its service account: the token that
    Google signs must name both. The event type is `pubsub.` and the message's attribute `type` or `eventType`, or
    `pubsub.message` where it has none. The subject is the ordering key, or else the subscription. The payload is in
    `data.message.data`, in base64.
    """

    kind: ClassVar[str] = "pubsub"
    Options: ClassVar[type[SourceOptions]] = PubSubOptions

    def __init__(self, options: PubSubOptions) -> None:
        self._options = options
        self._key_set = options.keys_at(GOOGLE_KEYS)

    def needs(self, request: Inbound) -> Need:
        """Return Google's keys."""
        return need_of(request, self._key_set)

    def verify(self, request: Inbound, now: datetime) -> None:
        """Check that Google signed the token, for this audience and service account, and that it holds now."""
        claims = require_token(request, self._options, self._key_set, GOOGLE_ISSUERS, now)
        require_email(claims, self._options.email)

    def read(self, request: Inbound, data: Any) -> Reading:
        """Return the message that the body wraps."""
        message = member(data, "message")
        name = first_text(member(message, "attributes"), *NAMING_ATTRIBUTES) or "message"
        return Reading(
            type=f"{self.kind}.{name}",
            dedupe=first_text(message, "messageId", "message_id"),
            subject=first_text(message, "orderingKey") or first_text(data, "subscription"),
            occurred_at=moment(first_text(message, "publishTime", "publish_time")),
        )

    @staticmethod
    def card(event: Event) -> Card | None:
        """Return what is worth reading of the event."""
        return card_of(event)


def card_of(event: Event) -> Card | None:
    """Return the card of the message inside, unpacked from its base64."""
    said = Part(event.data)
    message = said.at("message")
    payload = _payload(message.text("data"))
    if payload is None:
        return None
    name = first_text(message.at("attributes").value, *NAMING_ATTRIBUTES) or ""
    subtitle = dotted(event.source, said.text("subscription").rpartition("/")[2])
    attributes = field_rows(message.at("attributes").value)
    if isinstance(payload, dict):
        return Card(titled("Message", name), subtitle, rows=(*field_rows(payload), *attributes))
    return Card(
        titled("Message", name), subtitle, payload, rows=(*attributes, *rows(("Key", message.text("orderingKey"))))
    )


def _payload(text: str) -> dict[str, Any] | str | None:
    """Return the JSON object or the text that base64 stands for; `None` where it is neither."""
    try:
        raw = b64decode(text, validate=True)
        words = raw.decode()
    except ValueError:
        return None
    try:
        data = parse_json(raw)
    except Unreadable:
        return words
    return data if isinstance(data, dict) else words


PROVIDER: type[Provider] = PubSub
