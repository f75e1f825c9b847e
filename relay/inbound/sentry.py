"""Sentry."""

from datetime import datetime
from typing import Any, ClassVar

from relay.domain.card import Card, Tone
from relay.domain.event import Event
from relay.domain.inbound import Inbound, Provider, Reading, first_text, member
from relay.domain.news import Part, by, dotted, rows, spaced, thread_of, titled, tone_of
from relay.domain.signed import KeyedProvider
from relay.errors import Unreadable
from relay.signing import hex_digest, require

SIGNATURE = "sentry-hook-signature"
RESOURCE = "sentry-hook-resource"
DELIVERY = "request-id"
QUIET = ("assigned", "archived", "ignored")


class Sentry(KeyedProvider):
    """Webhooks of a Sentry integration.

    `secret` is the integration's client secret. The event type is `sentry.` and the resource, such as `sentry.issue`,
    `sentry.event_alert` or `sentry.metric_alert`; what happened to it is `data.action`. The subject is the issue's
    short id, or else its number.
    """

    kind: ClassVar[str] = "sentry"

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

    @staticmethod
    def card(event: Event) -> Card | None:
        """Return what is worth reading of the event."""
        return card_of(event)


def card_of(event: Event) -> Card | None:
    """Return the card of an issue or an alert, `None` for other resources."""
    tell = {"issue": _issue, "event_alert": _event_alert, "metric_alert": _metric_alert}.get(
        event.type.partition(".")[2]
    )
    return tell(event, Part(event.data)) if tell and isinstance(event.data, dict) else None


def _issue(event: Event, said: Part) -> Card:
    issue, action = said.at("data", "issue"), said.text("action")
    head = "New issue" if action == "created" else f"Issue {spaced(action) or 'changed'}"
    return Card(
        title=titled(head, issue.text("title")),
        subtitle=dotted(issue.text("project", "name") or event.source, by(said.text("actor", "name"))),
        text=issue.text("metadata", "value"),
        rows=rows(
            ("Where", issue.text("culprit")),
            ("Issue", issue.text("shortId")),
            ("Level", issue.text("level")),
            ("Events", issue.said("count")),
            ("Users", issue.said("userCount")),
            ("Assigned to", issue.text("assignedTo", "name")),
        ),
        tone=Tone.GOOD if action == "resolved" else Tone.NEUTRAL if action in QUIET else _level(issue),
        link=issue.link("web_url") or issue.link("permalink"),
        thread=_thread(event, issue.said("id")),
    )


def _event_alert(event: Event, said: Part) -> Card:
    error = said.at("data", "event")
    return Card(
        title=titled(said.text("data", "triggered_rule") or "Alert", error.text("title") or error.text("message")),
        subtitle=dotted(event.source, error.text("environment")),
        text=error.text("metadata", "value"),
        rows=rows(
            ("Where", error.text("culprit") or error.text("location")),
            ("Level", error.text("level")),
            ("Release", error.text("release")),
            ("Platform", error.text("platform")),
        ),
        tone=_level(error),
        link=error.link("web_url"),
        thread=_thread(event, error.said("issue_id")),
    )


def _metric_alert(event: Event, said: Part) -> Card:
    alert, action = said.at("data", "metric_alert"), said.text("action")
    name = alert.text("alert_rule", "name") or alert.text("title")
    projects = ", ".join(project.text() for project in alert.each("projects") if project.text())
    return Card(
        title=said.text("data", "description_title") or titled(spaced(action).capitalize() or "Alert", name),
        subtitle=dotted(event.source, projects),
        text=said.text("data", "description_text").replace("\\n", "\n"),
        rows=rows(("Measured", alert.text("alert_rule", "aggregate")), ("Where", alert.text("alert_rule", "query"))),
        tone=tone_of(action, good=("resolved",), warning=("warning",), bad=("critical",)),
        link=said.link("data", "web_url"),
        thread=_thread(event, alert.said("id"), "alert"),
    )


def _level(thing: Part) -> Tone:
    return tone_of(thing.text("level") or "error", warning=("warning",), bad=("error", "fatal"))


def _thread(event: Event, number: str, kind: str = "issue") -> str | None:
    return thread_of(event, f"{kind}/{number}" if number else None)


PROVIDER: type[Provider] = Sentry
