"""Linear."""

from datetime import datetime
from typing import Any, ClassVar

from relay.domain.card import Card, Row, Tone
from relay.domain.durations import Duration
from relay.domain.event import Event, parse_json
from relay.domain.inbound import Inbound, Provider, Reading, SourceOptions, TimedOptions, epoch, first_text, member
from relay.domain.news import Part, by, dotted, first_line, phrase, rows, spaced, thread_of, titled
from relay.domain.signed import TimedProvider
from relay.domain.words import NOTHING
from relay.errors import BadSignature, Unreadable
from relay.signing import hex_digest, require, require_near

SIGNATURE = "linear-signature"
DELIVERY = "linear-delivery"
TIME = "webhookTimestamp"
MILLISECONDS = 1000
VERBS = {"create": "created", "update": "updated", "remove": "removed"}
TOLD = {"title": "Title", "dueDate": "Due", "estimate": "Estimate"}


class LinearOptions(TimedOptions):
    """Fields of a `linear` source."""

    tolerance: Duration = 60.0


class Linear(TimedProvider):
    """Webhooks of Linear.

    `secret` is the webhook's signing secret. The event type is `linear.`, what it is about and what was done, such as
    `linear.issue.create` or `linear.comment.update`. The subject is the issue's identifier, `ENG-12`, or else the id.
    """

    kind: ClassVar[str] = "linear"
    Options: ClassVar[type[SourceOptions]] = LinearOptions

    def verify(self, request: Inbound, now: datetime) -> None:
        """Check the HMAC-SHA256 of the body, and that the time inside it is near."""
        require((hex_digest(key, request.body) for key in self._keys), [request.proof(SIGNATURE)])
        require_near(epoch(_time(request.body), MILLISECONDS), now, self._tolerance)

    def read(self, request: Inbound, data: Any) -> Reading:
        """Return the event that the body describes."""
        words = (first_text(data, "type"), first_text(data, "action"))
        about = member(data, "data")
        return Reading(
            type=".".join((self.kind, *(word.lower() for word in words if word))),
            dedupe=request.headers.get(DELIVERY) or None,
            subject=first_text(about, "identifier", "id"),
            occurred_at=epoch(member(data, TIME), MILLISECONDS),
        )

    @staticmethod
    def card(event: Event) -> Card | None:
        """Return what is worth reading of the event."""
        return card_of(event)


def _time(body: bytes) -> Any:
    try:
        return member(parse_json(body), TIME)
    except Unreadable:
        raise BadSignature("the timestamp is missing: the body is not Linear's") from None


def card_of(event: Event) -> Card | None:
    """Return the card of what was done to an issue, a comment, a project or the like."""
    said = Part(event.data)
    about = said.at("data")
    if not isinstance(about.value, dict):
        return None
    verb = VERBS.get(said.text("action")) or spaced(said.text("action"))
    issue = about.at("issue") if said.text("type") == "Comment" else about
    head = phrase(said.text("type") or "Something", issue.text("identifier"), verb)
    state = about.text("state", "type")
    return Card(
        title=titled(head, first_line(issue.text("title") or about.text("name"))),
        subtitle=dotted(about.text("team", "name") or event.source, by(said.text("actor", "name"))),
        text=about.text("body") or (about.text("description") if verb == "created" else ""),
        rows=(
            *_changed(about, said.at("updatedFrom")),
            *rows(
                ("State", about.text("state", "name")),
                ("Priority", about.text("priorityLabel")),
                ("Assignee", about.text("assignee", "name")),
                ("Labels", about.names("labels", by="name")),
                ("Project", about.text("project", "name")),
            ),
        ),
        tone={"completed": Tone.GOOD, "canceled": Tone.WARNING}.get(state, Tone.NEUTRAL),
        link=said.link("url") or about.link("url"),
        thread=thread_of(event, issue.text("identifier") or None),
    )


def _changed(about: Part, before: Part) -> tuple[Row, ...]:
    """Return the changed members that are told in words: of a state or a person only the number before is known."""
    return tuple(
        Row(label, about.said(name) or NOTHING, before.said(name) or NOTHING)
        for name, label in TOLD.items()
        if isinstance(before.value, dict) and name in before.value
    )


PROVIDER: type[Provider] = Linear
