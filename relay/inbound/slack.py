"""Slack."""

from datetime import datetime
from typing import Any, ClassVar

from relay.domain.card import Card
from relay.domain.event import Event, decode
from relay.domain.inbound import (
    Answer,
    Inbound,
    Provider,
    Reading,
    epoch,
    first_text,
    member,
)
from relay.domain.news import Part, by, dotted, phrase, rows
from relay.domain.signed import TimedProvider
from relay.errors import Unreadable
from relay.signing import hex_digest, require, require_timely

SIGNATURE = "x-slack-signature"
TIMESTAMP = "x-slack-request-timestamp"
VERSION = "v0"
HANDSHAKE = "url_verification"
COMMAND = "command"
INTERACTION = "payload"
MESSAGES = {"slack.message": "Message", "slack.app_mention": "Mentioned"}


class Slack(TimedProvider):
    """Events, slash commands and interactions of a Slack app.

    `secret` is the app's signing secret. The event type is `slack.` and the type of the inner event, such as
    `slack.message` or `slack.app_mention`; `slack.command` for a slash command, `slack.interaction` for a button. The
    subject is the channel. Slack's `url_verification` is answered and is no event.
    """

    kind: ClassVar[str] = "slack"

    def verify(self, request: Inbound, now: datetime) -> None:
        """Check the HMAC-SHA256 of version, time and body, and that the time is near."""
        timestamp = request.proof(TIMESTAMP)
        require_timely(timestamp, now, self._tolerance)
        content = b":".join((VERSION.encode(), timestamp.encode(), request.body))
        expected = (f"{VERSION}={hex_digest(key, content)}" for key in self._keys)
        require(expected, [request.proof(SIGNATURE)])

    def read(self, request: Inbound, data: Any) -> Reading:
        """Return the inner event of the body, or what its form says a person did."""
        event = member(data, "event")
        return Reading(
            type=f"{self.kind}.{_named(data, event)}",
            dedupe=first_text(data, "event_id"),
            subject=first_text(event, "channel") or first_text(data, "channel_id"),
            occurred_at=epoch(member(data, "event_time")),
        )

    def handshake(self, request: Inbound) -> Answer | None:
        """Return the challenge of a `url_verification`, with which Slack makes sure whom it talks to."""
        try:
            data = decode(request.content_type, request.body)
        except Unreadable:
            return None
        challenge = first_text(data, "challenge")
        if first_text(data, "type") != HANDSHAKE or challenge is None:
            return None
        return Answer(200, challenge.encode(errors="replace"))

    @staticmethod
    def card(event: Event) -> Card | None:
        """Return what is worth reading of the event."""
        return card_of(event)


def _named(data: Any, event: Any) -> str:
    if member(data, COMMAND) is not None:
        return "command"
    if member(data, INTERACTION) is not None:
        return "interaction"
    return first_text(event, "type") or first_text(data, "type") or "event"


def card_of(event: Event) -> Card | None:
    """Return the card of what somebody wrote, `None` for the rest."""
    said = Part(event.data)
    if event.type == "slack.command" and said.text(COMMAND):
        return Card(
            title=phrase(said.text(COMMAND), said.text("text")),
            subtitle=dotted(f"#{said.text('channel_name')}".rstrip("#"), by(said.text("user_name"))) or event.source,
        )
    message = said.at("event")
    if event.type not in MESSAGES or not message.text("text"):
        return None
    who, room = message.text("user") or message.text("username"), message.text("channel")
    return Card(
        title=phrase(MESSAGES[event.type], f"in {room}" if room else ""),
        subtitle=dotted(event.source, by(who)),
        text=message.text("text"),
        rows=rows(("Files", message.names("files", by="name"))),
        thread=_thread(event, message),
    )


def _thread(event: Event, message: Part) -> str | None:
    root = message.text("thread_ts") or message.text("ts")
    return f"{event.source}/{message.text('channel')}/{root}" if root else None


PROVIDER: type[Provider] = Slack
