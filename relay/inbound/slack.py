"""Slack."""

from datetime import datetime
from typing import Any, ClassVar

from relay.domain.event import decode
from relay.domain.inbound import (
    Answer,
    Inbound,
    Provider,
    Reading,
    SourceOptions,
    TimedOptions,
    epoch,
    first_text,
    member,
)
from relay.errors import Unreadable
from relay.signing import hex_digest, require, require_timely

SIGNATURE = "x-slack-signature"
TIMESTAMP = "x-slack-request-timestamp"
VERSION = "v0"
HANDSHAKE = "url_verification"
COMMAND = "command"
INTERACTION = "payload"


class Slack(Provider):
    """Events, slash commands and interactions of a Slack app.

    `secret` is the app's signing secret. The event type is `slack.` and the type of the inner event, such as
    `slack.message` or `slack.app_mention`; `slack.command` for a slash command, `slack.interaction` for a button. The
    subject is the channel. Slack's `url_verification` is answered and is no event.
    """

    kind: ClassVar[str] = "slack"
    Options: ClassVar[type[SourceOptions]] = TimedOptions

    def __init__(self, options: TimedOptions) -> None:
        self._keys = options.keys
        self._tolerance = options.tolerance

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


def _named(data: Any, event: Any) -> str:
    if member(data, COMMAND) is not None:
        return "command"
    if member(data, INTERACTION) is not None:
        return "interaction"
    return first_text(event, "type") or first_text(data, "type") or "event"


PROVIDER: type[Provider] = Slack
