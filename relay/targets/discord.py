"""Discord, through a channel's webhook."""

from datetime import datetime
from typing import Annotated, Any, ClassVar

import requests
from pydantic import Field

from relay.domain.card import Row
from relay.domain.chat import WebhookOptions, WebhookTarget
from relay.domain.durations import Rate
from relay.domain.judgement import judge_status, retry_after
from relay.domain.layout import COLOURS, Room, label, links, notes, paragraph, roomiest, value
from relay.domain.markup import MARKDOWN, escape_markdown, markdown_link
from relay.domain.replies import document, member, safe_words, wait_until
from relay.domain.style import Style, in_markdown
from relay.domain.target import Message, Outcome, TargetOptions, TryLater
from relay.domain.text import clean, fitted_line, units

TEXT_UNITS = 2_000
"""Longest text of a message (Discord docs, "Create Message")."""

EMBED_UNITS, TITLE, FIELDS, NAME, VALUE, FOOTER = 6_000, 256, 25, 256, 1_024, 2_048
"""Characters of an embed, fields in it, and characters of its parts (Discord docs, "Embed Limits")."""

PER_MINUTE = 30 / 60
"""Messages a second that a webhook takes for longer: 30 a minute."""

ROOMS = (Room(FIELDS, 450, 2_000), Room(FIELDS, 150, 800), Room(FIELDS, 60, 300), Room(10, 60, 300))

SMALL = 200
SHORT = 40
"""Characters of a value that stands beside others."""

NO_PREVIEWS = 1 << 2
"""Flag of a message whose links are not fetched and shown (Discord docs, "Message Flags")."""


class DiscordOptions(WebhookOptions):
    """Fields of a `discord` target: `url` is the webhook's; `thread_id` is a thread of its channel to write in."""

    rate: Rate | None = PER_MINUTE
    thread_id: Annotated[str, Field(pattern=r"^[0-9]{1,20}$")] | None = None


class DiscordTarget(WebhookTarget):
    """Posts each event to a Discord channel, through the channel's webhook.

    A route's `text` becomes the message, in Discord's Markdown. Without it an embed in the colour of the news shows
    what changed in a row, or the fields of any other event. Nobody is ever mentioned, not even by a template; values
    can neither link nor format. `thread_id` names the one thread of the channel that messages go to; a route's `thread`
    does nothing here.

    What is too long is cut and says how much is missing. Each webhook is paced at 30 a minute. 429 is tried again, not
    before `retry_after`, and so is 5xx; other errors are final, among them 10015: the webhook is gone.
    """

    kind: ClassVar[str] = "discord"
    Options: ClassVar[type[TargetOptions]] = DiscordOptions
    style: ClassVar[Style] = in_markdown(lambda name: escape_markdown(f"@{name}"))

    def __init__(self, options: DiscordOptions) -> None:
        super().__init__(options)
        # Without `wait` Discord takes what it will not show, and says nothing.
        self._params = {"wait": "true"} | ({"thread_id": options.thread_id} if options.thread_id else {})

    @staticmethod
    def escape(value: str) -> str:
        """Return a value that neither links nor formats."""
        return escape_markdown(value)

    def render(self, message: Message) -> requests.Request:
        """Return the request that posts the message, its text if it has one and else the event's card."""
        body: dict[str, Any] = {"allowed_mentions": {"parse": []}}
        if words := clean(message.text or "").strip():
            body |= {"content": MARKDOWN.cut(words, TEXT_UNITS), "flags": NO_PREVIEWS}
        else:
            body["embeds"] = [roomiest(ROOMS, lambda room: _embed(message, room), _fits)]
        return self._post(body, **self._params)

    def judge(self, response: requests.Response, now: datetime) -> Outcome:
        """Return what the status says, with Discord's words and code, and the wait that it asks for."""
        said = document(response)
        words, code = safe_words(member(said, "message"), self._secrets), member(said, "code")
        detail = f"{words} (code {code})" if words and isinstance(code, int) and code else words
        outcome = judge_status(response, now, detail)
        reset = response.headers.get("x-ratelimit-reset-after")
        wait = wait_until(member(said, "retry_after"), now) or retry_after(reset, now)
        return TryLater(outcome.reason, wait) if isinstance(outcome, TryLater) and wait else outcome


def _embed(message: Message, room: Room) -> dict[str, Any]:
    card = message.card
    fields = [_field(row, room.value) for row in card.rows[: room.rows]]
    (_, url), *others = links(message) or [("", "")]
    small = [
        f"*{escaped}*" for note in notes(message, len(fields)) if (escaped := fitted_line(note, SMALL, escape_markdown))
    ]
    words = [paragraph(card.text, room.text, escape_markdown), *small, *(markdown_link(*way) for way in others)]
    optional = {
        "url": url,
        "description": "\n".join(text for text in words if text),
        "color": COLOURS.get(card.tone),
        "footer": {"text": footer} if (footer := fitted_line(card.subtitle, SMALL)) else None,
        "fields": fields,
    }
    return {"title": label(card.title, TITLE, escape_markdown)} | {
        name: part for name, part in optional.items() if part
    }


def _field(row: Row, limit: int) -> dict[str, Any]:
    text = value(row.value, limit, escape_markdown)
    if row.old is not None:
        text = f"{value(row.old, limit, escape_markdown)} → **{text}**"
    return {"name": label(row.label, min(limit, NAME), escape_markdown), "value": text, "inline": len(text) <= SHORT}


def _fits(embed: dict[str, Any]) -> bool:
    """Say whether an embed is within the limit of all its characters; those of addresses do not count."""
    fields = [field[part] for field in embed.get("fields", ()) for part in ("name", "value")]
    texts = [embed["title"], embed.get("description", ""), embed.get("footer", {}).get("text", ""), *fields]
    return sum(map(units, texts)) <= EMBED_UNITS


TARGET = DiscordTarget
