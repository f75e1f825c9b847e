"""PagerDuty."""

from datetime import datetime
from typing import Any, ClassVar

from relay.domain.card import Card, Tone
from relay.domain.event import Event
from relay.domain.inbound import (
    Inbound,
    Provider,
    Reading,
    first_text,
    member,
    moment,
)
from relay.domain.news import Part, by, dotted, phrase, rows, spaced, thread_of, titled
from relay.domain.signed import KeyedProvider
from relay.signing import hex_digest, require

SIGNATURE = "x-pagerduty-signature"
PREFIX = "v1="
DELIVERY = "x-webhook-id"
ALARMING = ("triggered", "reopened", "escalated", "unacknowledged")


class PagerDuty(KeyedProvider):
    """Webhooks of PagerDuty, version 3.

    `secret` is the one shown when the subscription was made. The event type is `pagerduty.` and the event's type, such
    as `pagerduty.incident.triggered`. The subject is the id of the incident or service that the event is about.
    """

    kind: ClassVar[str] = "pagerduty"

    def verify(self, request: Inbound, now: datetime) -> None:
        """Check that one of the `v1` signatures is the HMAC-SHA256 of the body."""
        given = request.proof(SIGNATURE).split(",")
        require((PREFIX + hex_digest(key, request.body) for key in self._keys), given)

    def read(self, request: Inbound, data: Any) -> Reading:
        """Return the event that the body describes."""
        event = member(data, "event")
        return Reading(
            type=f"{self.kind}.{first_text(event, 'event_type') or 'event'}",
            dedupe=request.headers.get(DELIVERY) or first_text(event, "id"),
            subject=first_text(member(event, "data"), "id"),
            occurred_at=moment(first_text(event, "occurred_at")),
        )

    @staticmethod
    def card(event: Event) -> Card | None:
        """Return what is worth reading of the event."""
        return card_of(event)


def card_of(event: Event) -> Card | None:
    """Return the card of what happened to an incident, `None` for services and the rest."""
    kind, _, verb = event.type.partition(".")[2].partition(".")
    said = Part(event.data).at("event")
    if kind != "incident" or not isinstance(said.value, dict):
        return None
    # A note or a status update names its incident inside; the other events are about the incident itself.
    inner = said.at("data", "incident")
    incident = inner if isinstance(inner.value, dict) else said.at("data")
    number, title = incident.number("number"), incident.text("title") or incident.text("summary")
    head = phrase("Incident", f"#{number}" if number is not None else "", _word(verb))
    return Card(
        title=titled(head, title),
        subtitle=dotted(incident.text("service", "summary") or event.source, by(said.text("agent", "summary"))),
        text=said.text("data", "content") or said.text("data", "message"),
        rows=rows(
            ("Urgency", incident.text("urgency")),
            ("Priority", incident.text("priority", "summary")),
            ("Assigned to", incident.names("assignees", by="summary")),
            ("Escalation policy", incident.text("escalation_policy", "summary")),
            ("Resolved because", incident.text("resolve_reason", "type")),
        ),
        tone=_tone(verb, incident.text("urgency")),
        link=incident.link("html_url"),
        thread=thread_of(event, incident.text("id") or None),
    )


def _word(verb: str) -> str:
    return {"annotated": "noted", "status_update_published": "status"}.get(verb) or spaced(verb).replace(".", " ")


def _tone(verb: str, urgency: str) -> Tone:
    if verb in ALARMING:
        return Tone.WARNING if urgency == "low" else Tone.BAD
    return {"resolved": Tone.GOOD, "acknowledged": Tone.WARNING}.get(verb, Tone.NEUTRAL)


PROVIDER: type[Provider] = PagerDuty
