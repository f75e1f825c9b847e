"""Mattermost, through an incoming webhook."""

from datetime import datetime
from typing import Annotated, Any, ClassVar

import requests
from pydantic import Field

from relay.domain.card import Row
from relay.domain.chat import WebhookOptions, WebhookTarget
from relay.domain.durations import Rate
from relay.domain.judgement import judge_status
from relay.domain.layout import COLOURS, Room, in_words, label, links, notes, paragraph, roomiest, value
from relay.domain.markup import MARKDOWN, escape_markdown, markdown_link, no_mention
from relay.domain.replies import document, member, safe_words
from relay.domain.style import Style, in_markdown
from relay.domain.target import Message, Outcome, TargetOptions
from relay.domain.text import clean, fitted_line

TEXT_UNITS = 16_000
"""Longest text: a post holds 16,383 characters, and Mattermost makes several posts of more."""

ATTACHMENT_UNITS = 7_000
"""Longest attachment as JSON: servers before version 5 refuse 7,900 characters."""

PER_SECOND = 10.0
"""Requests a second that a server takes where its rate limits are switched on and not changed."""

ROOMS = (Room(40, 500, 4_000), Room(40, 150, 1_500), Room(30, 80, 800), Room(10, 60, 400))

LABEL = 100
SMALL = 300
SHORT = 40
"""Characters of a value that stands beside others."""

GREY = 0x8B8F94


class MattermostOptions(WebhookOptions):
    """Fields of a `mattermost` target: `url` is the webhook's; `channel` another channel than the webhook's own."""

    rate: Rate | None = PER_SECOND
    channel: Annotated[str, Field(pattern=r"^@?[a-z0-9._-]{1,64}$")] | None = None


class MattermostTarget(WebhookTarget):
    """Posts each event to a Mattermost channel, through an incoming webhook.

    A route's `text` becomes the message, in Mattermost's Markdown, `@channel` included if the template itself says so.
    Values inside it can neither mention, link nor format. Without `text` an attachment in the colour of the news shows
    what changed in a row, or the fields of any other event. A webhook cannot answer in a thread: a route's `thread`
    does nothing here.

    What is too long is cut and says how much is missing. Each webhook is paced at 10 a second. 429 is tried again, not
    before `Retry-After`, and so is 5xx; other errors are final.
    """

    kind: ClassVar[str] = "mattermost"
    Options: ClassVar[type[TargetOptions]] = MattermostOptions
    style: ClassVar[Style] = in_markdown(lambda name: f"@{name.removeprefix('@')}")

    def __init__(self, options: MattermostOptions) -> None:
        super().__init__(options)
        self._where = {"channel": options.channel} if options.channel else {}

    @staticmethod
    def escape(value: str) -> str:
        """Return a value that neither mentions, links nor formats."""
        # An escaped `@` mentions all the same.
        return no_mention(escape_markdown(value))

    def render(self, message: Message) -> requests.Request:
        """Return the request that posts the message, its text if it has one and else the event's card."""
        if words := clean(message.text or "").strip():
            return self._post({"text": MARKDOWN.cut(words, TEXT_UNITS), **self._where})
        attachment = roomiest(ROOMS, lambda room: _attachment(message, room), _fits)
        return self._post({"attachments": [attachment], **self._where})

    def judge(self, response: requests.Response, now: datetime) -> Outcome:
        """Return what the status says, with the server's words."""
        return judge_status(response, now, safe_words(member(document(response), "message"), self._secrets))


def _attachment(message: Message, room: Room) -> dict[str, Any]:
    card, escape = message.card, MattermostTarget.escape
    fields = [_field(row, room.value) for row in card.rows[: room.rows]]
    small = [fitted_line(note, SMALL, escape) for note in notes(message, len(fields))]
    ways = " · ".join(markdown_link(words, url) for words, url in links(message))
    texts = (paragraph(card.text, room.text, escape), *(f"*{text}*" for text in small if text), ways)
    attachment: dict[str, Any] = {
        "fallback": label(in_words(card), SMALL, escape),
        "color": f"#{COLOURS.get(card.tone, GREY):06x}",
        "title": label(card.title, SMALL, escape),
        "text": "\n\n".join(text for text in texts if text),
        "fields": fields,
        "footer": fitted_line(card.subtitle, SMALL, escape),
    }
    return {name: part for name, part in attachment.items() if part}


def _field(row: Row, limit: int) -> dict[str, Any]:
    text = value(row.value, limit, MattermostTarget.escape)
    if row.old is not None:
        text = f"{value(row.old, limit, MattermostTarget.escape)} → **{text}**"
    return {"title": label(row.label, LABEL, MattermostTarget.escape), "value": text, "short": len(text) <= SHORT}


def _fits(attachment: dict[str, Any]) -> bool:
    return len(str(attachment)) <= ATTACHMENT_UNITS


TARGET = MattermostTarget
