"""Microsoft Teams, through a workflow's webhook."""

import re
from datetime import datetime
from typing import Any, ClassVar

import orjson
import requests

from relay.domain.card import Row, Tone
from relay.domain.chat import WebhookOptions, WebhookTarget
from relay.domain.durations import Rate
from relay.domain.judgement import judge_code, judge_status
from relay.domain.layout import Room, in_words, label, links, notes, paragraph, roomiest, value
from relay.domain.markup import MARKDOWN, escape_markdown
from relay.domain.replies import document, member, safe_words
from relay.domain.style import Style, in_markdown
from relay.domain.target import Delivered, Message, Outcome, TargetOptions
from relay.domain.text import clean, fitted_line

MESSAGE_BYTES = 27_000
"""Largest message: Teams refuses cards of about 28 KB (Teams docs, "Create Incoming Webhooks")."""

TEXT_UNITS = 7_000
"""Longest text: within `MESSAGE_BYTES` in every script."""

PER_SECOND = 4.0
"""Messages a second that a webhook takes (Teams docs, "Rate limiting for connectors")."""

ROOMS = (Room(60, 500, 3_000), Room(60, 150, 1_500), Room(40, 60, 800), Room(20, 60, 400))

VERSION = "1.4"
"""Of Adaptive Cards: what Teams shows on every device."""

STYLES = {Tone.GOOD: "good", Tone.WARNING: "warning", Tone.BAD: "attention", Tone.NEUTRAL: "emphasis"}

LABEL = 100
SMALL = 300

_NEW_LINE = re.compile(r"\n(?![ \t]*(?:[-*+]|\d{1,9}[.)])[ \t])")
_ERROR = re.compile(rb"HTTP error ([1-5]\d\d)\b")
_LOOKED_AT = 4096

Element = dict[str, Any]


class TeamsOptions(WebhookOptions):
    """Fields of a `teams` target: `url` is the one that the workflow shows for its webhook, signature included."""

    rate: Rate | None = PER_SECOND


class TeamsTarget(WebhookTarget):
    """Posts each event to a Teams channel or chat, through a workflow "when a Teams webhook request is received".

    A route's `text` becomes the message, in what Teams reads of Markdown: `**bold**`, `_italic_`, lists,
    `[links](https://example.com)`. Values inside it can neither mention, link nor format. Without `text` an adaptive
    card in the colour of the news shows what changed in a row, or the fields of any other event. A workflow's webhook
    cannot answer in a thread: a route's `thread` does nothing here.

    What is too long is cut and says how much is missing. Each webhook is paced at 4 a second. 429 and 5xx are tried
    again, also where they come inside a reply that says it succeeded; other errors are final.
    """

    kind: ClassVar[str] = "teams"
    Options: ClassVar[type[TargetOptions]] = TeamsOptions
    style: ClassVar[Style] = in_markdown(escape_markdown)

    @staticmethod
    def escape(value: str) -> str:
        """Return a value that neither mentions, links nor formats."""
        return escape_markdown(value)

    def render(self, message: Message) -> requests.Request:
        """Return the request that posts the message, its text if it has one and else the event's card."""
        if words := clean(message.text or "").strip():
            # Elsewhere than in a list Teams begins a new line only after an empty one.
            text = MARKDOWN.cut(_NEW_LINE.sub("\n\n", words), TEXT_UNITS)
            return self._post(
                _envelope([{"type": "TextBlock", "text": text, "wrap": True}], [], MARKDOWN.cut(text, SMALL))
            )
        return self._post(roomiest(ROOMS, lambda room: _card(message, room), _fits))

    def judge(self, response: requests.Response, now: datetime) -> Outcome:
        """Return what the status says, or the one that a reply quotes of Teams, with the workflow's words."""
        words = safe_words(member(document(response), "error", "message"), self._secrets)
        outcome = judge_status(response, now, words)
        quoted = _ERROR.search(response.content[:_LOOKED_AT])
        return judge_code(int(quoted[1]), "said by Teams") if isinstance(outcome, Delivered) and quoted else outcome


def _card(message: Message, room: Room) -> dict[str, Any]:
    card = message.card
    rows = [_line(row, room.value) for row in card.rows[: room.rows]]
    head = [_text(label(card.title, SMALL), weight="Bolder", size="Medium")]
    if subtitle := fitted_line(card.subtitle, SMALL):
        head.append(_text(subtitle, isSubtle=True, size="Small"))
    body: list[Element] = [{"type": "Container", "style": STYLES[card.tone], "bleed": True, "items": head}]
    if text := paragraph(card.text, room.text):
        body.append(_text(text))
    body += rows
    small = [fitted_line(note, SMALL) for note in notes(message, len(rows))]
    body += [_text(note, italic=True) for note in small if note]
    actions = [{"type": "Action.OpenUrl", "title": words, "url": url} for words, url in links(message)]
    return _envelope(body, actions, label(in_words(card), SMALL, escape_markdown))


def _envelope(body: list[Element], actions: list[Element], fallback: str) -> dict[str, Any]:
    """Return what a workflow takes: a message whose one attachment is the card."""
    card = {
        "type": "AdaptiveCard",
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "version": VERSION,
        "fallbackText": fallback,
        "body": body,
        "actions": actions,
        "msteams": {"width": "full"},
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _line(row: Row, limit: int) -> Element:
    line = _text(f"{label(row.label, LABEL)}: ", isSubtle=True)
    if row.old is not None:
        line["inlines"].append(_run(f"{value(row.old, limit)} → "))
    line["inlines"].append(_run(value(row.value, limit), weight="Bolder"))
    return line


def _text(text: str, **style: Any) -> Element:
    """Return a paragraph of plain words: Teams reads no Markdown in runs of text."""
    return {"type": "RichTextBlock", "inlines": [_run(text, **style)]}


def _run(text: str, **style: Any) -> Element:
    # Should a device read Markdown here after all, the invisible joiner keeps a link from being one.
    return {"type": "TextRun", "text": text.replace("](", "]\u2060("), **style}


def _fits(body: dict[str, Any]) -> bool:
    return len(orjson.dumps(body)) <= MESSAGE_BYTES


TARGET = TeamsTarget
