"""Zendesk."""

from datetime import datetime
from typing import Any, ClassVar

from relay.domain.card import Card, Row, Tone
from relay.domain.event import Event
from relay.domain.inbound import Inbound, Provider, Reading, first_text, moment
from relay.domain.news import Part, by, dotted, first_line, rows, spaced, thread_of, titled
from relay.domain.signed import TimedProvider
from relay.domain.words import NOTHING
from relay.signing import base64_digest, require, require_near

SIGNATURE = "x-zendesk-webhook-signature"
TIMESTAMP = "x-zendesk-webhook-signature-timestamp"
DELIVERY = "x-zendesk-webhook-invocation-id"
NAMESPACE = "zen:event-type:"


class Zendesk(TimedProvider):
    """Webhooks of Zendesk, for its events and for triggers.

    `secret` is the webhook's signing secret. The event type is `zendesk.` and the event's own without
    `zen:event-type:`, such as `zendesk.ticket.created`; a trigger's body names none and is `zendesk.event`. The subject
    is Zendesk's own, such as `zen:ticket:35`.
    """

    kind: ClassVar[str] = "zendesk"

    def verify(self, request: Inbound, now: datetime) -> None:
        """Check the HMAC-SHA256 of time and body, and that the time, in ISO 8601, is near."""
        timestamp = request.proof(TIMESTAMP)
        content = timestamp.encode() + request.body
        require((base64_digest(key, content) for key in self._keys), [request.proof(SIGNATURE)])
        require_near(moment(timestamp), now, self._tolerance)

    def read(self, request: Inbound, data: Any) -> Reading:
        """Return the event that the body describes."""
        return Reading(
            type=f"{self.kind}.{(first_text(data, 'type') or 'event').removeprefix(NAMESPACE) or 'event'}",
            dedupe=request.headers.get(DELIVERY) or None,
            subject=first_text(data, "subject"),
            occurred_at=moment(first_text(data, "time")),
        )

    @staticmethod
    def card(event: Event) -> Card | None:
        """Return what is worth reading of the event."""
        return card_of(event)


def card_of(event: Event) -> Card | None:
    """Return the card of what happened to a ticket, `None` for users, articles and what triggers send."""
    kind, _, verb = event.type.partition(".")[2].partition(".")
    said = Part(event.data)
    ticket, news = said.at("detail"), said.at("event")
    if kind != "ticket" or not isinstance(ticket.value, dict):
        return None
    number = ticket.said("id")
    comment = news.text("comment", "body")
    return Card(
        title=titled(
            f"Ticket {f'#{number} ' if number else ''}{spaced(verb)}".strip(), first_line(ticket.text("subject"))
        ),
        subtitle=dotted(event.source, by(news.text("comment", "author", "name"))),
        text=comment or (ticket.text("description") if verb == "created" else ""),
        rows=(
            *_changed(verb, news),
            *rows(
                ("Status", _word(ticket, "status") if verb != "status_changed" else ""),
                ("Priority", _word(ticket, "priority") if verb != "priority_changed" else ""),
                ("Type", _word(ticket, "type")),
                ("Through", _word(ticket.at("via"), "channel")),
            ),
        ),
        tone=Tone.GOOD if _word(ticket, "status") in ("solved", "closed") else Tone.NEUTRAL,
        thread=thread_of(event),
    )


def _changed(verb: str, news: Part) -> tuple[Row, ...]:
    new, old = _word(news, "current"), _word(news, "previous")
    if not new and not old:
        return ()
    label = spaced(verb.removesuffix("_changed")).capitalize() or "Value"
    return (Row(label, new or NOTHING, old or NOTHING),)


def _word(part: Part, name: str) -> str:
    return spaced(part.said(name)).lower()


PROVIDER: type[Provider] = Zendesk
