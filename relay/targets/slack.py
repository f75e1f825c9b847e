"""Slack, through an incoming webhook."""

import re
from datetime import datetime
from typing import Any, ClassVar

import requests

from relay.domain.card import Row
from relay.domain.chat import WebhookOptions, WebhookTarget
from relay.domain.durations import Rate
from relay.domain.judgement import judge_status
from relay.domain.layout import COLOURS, Room, in_words, label, links, notes, paragraph, roomiest, value
from relay.domain.markup import ANGLES, look_alike, no_brackets
from relay.domain.style import Cards, Style, in_angles, in_backticks
from relay.domain.target import Message, Outcome, TargetOptions
from relay.domain.text import clean, fitted_line

TEXT_UNITS = 4_000
"""Longest text: Slack advises no more, and cuts without a word far beyond (Slack docs, "chat.postMessage")."""

HEADER, FIELDS, FIELD, SECTION = 150, 10, 2_000, 3_000
"""Characters of a header, fields of a section, characters of a field and of a section (Slack docs, "Blocks")."""

BLOCKS_UNITS = 12_000
"""Characters of all blocks together: Slack refuses more as `msg_blocks_too_long` and does not say how much that is."""

PER_SECOND = 1.0
"""Messages a second that a webhook takes (Slack docs, "Rate limits")."""

ROOMS = (Room(40, 500, 2_500), Room(40, 200, 1_500), Room(30, 100, 800), Room(20, 60, 400))

BLOCKS = 50
"""Blocks of a message (Slack docs, "Blocks")."""

LABEL = 100
SMALL = 300

QUIET = {"link_names": False, "parse": "none", "unfurl_links": False, "unfurl_media": False}
"""Slack looks for no names in a text of its own accord, and fetches no previews of what it links to."""

_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_EVERYBODY = ("here", "channel", "everyone")
_MENTIONS = {"S": "!subteam^", "C": "#"}
_QUOTE = re.compile(r"^([ \t]*)>", re.MULTILINE)
_ERROR = re.compile(rb"[a-z][a-z_]{1,60}")

Block = dict[str, Any]


class SlackOptions(WebhookOptions):
    """Fields of a `slack` target: `url` is the webhook's, `https://hooks.slack.com/services/...`."""

    rate: Rate | None = PER_SECOND


def _mention(name: str) -> str:
    """Return the mention of everybody, a user, a group of users or a channel, by their id."""
    if name in _EVERYBODY:
        return f"<!{name}>"
    return f"<{_MENTIONS.get(name[:1], '@')}{name}>"


def _escaped(value: str) -> str:
    # Slack takes an escaped bracket at the beginning of a line for a quote all the same.
    return _QUOTE.sub(r"\1›", look_alike(value)).translate(_ENTITIES)


def _mistake(card: Any) -> str | None:
    """Return what is wrong with a message that a template made, `None` where Slack takes it."""
    blocks = card.get("blocks") if isinstance(card, dict) else None
    if not isinstance(blocks, list) or not 0 < len(blocks) <= BLOCKS or card.keys() - {"blocks", "text"}:
        return f'it is no message: {{"blocks": [...]}}, up to {BLOCKS} of them, and "text" for notifications'
    if not all(isinstance(block, dict) and isinstance(block.get("type"), str) for block in blocks):
        return "a block has a type"
    if not isinstance(card.get("text", ""), str):
        return "text is no text"
    return None if _fits(card) else f"it has more than {BLOCKS_UNITS:,} characters"


class SlackTarget(WebhookTarget):
    """Posts each event to a Slack channel, through an incoming webhook.

    A route's `text` becomes the message, in Slack's markup: `*bold*`, `_italic_`, `<https://example.com|a link>`, and
    `<!here>` where the template itself says so. Values inside it can neither mention, link nor format. Without
    `text` blocks show what changed in a row, or the fields of any other event, with a bar in the colour of the news.
    A webhook cannot answer in a thread: Slack tells it no message's number, and a route's `thread` does nothing here.

    What is too long is cut and says how much is missing. Each webhook is paced at 1 a second. 429 is tried again, not
    before `Retry-After`, and so is 5xx; `invalid_payload`, `no_service` and other errors are final; an archived channel
    pauses the target.
    """

    kind: ClassVar[str] = "slack"
    Options: ClassVar[type[TargetOptions]] = SlackOptions

    style: ClassVar[Style] = Style(
        lambda words, url: in_angles(words, url.translate(_ENTITIES)),
        lambda words: f"*{words}*",
        lambda text: in_backticks(text).translate(_ENTITIES),
        _mention,
        Cards(_escaped, _mistake),
    )

    @staticmethod
    def escape(value: str) -> str:
        """Return a value that neither mentions, links nor formats."""
        return _escaped(value)

    def render(self, message: Message) -> requests.Request:
        """Return the request that posts the message, its text if it has one and else the event's card."""
        if message.layout is not None:
            return self._post({"text": label(in_words(message.card), SMALL, _escaped), **message.layout, **QUIET})
        words = clean(message.text or "").strip()
        if not words:
            return self._post(roomiest(ROOMS, lambda room: _card(message, room), _fits))
        return self._post({"text": ANGLES.cut(words, TEXT_UNITS), **QUIET})

    def judge(self, response: requests.Response, now: datetime) -> Outcome:
        """Return what the status says, with Slack's own word for it."""
        error = _ERROR.fullmatch(response.content)
        return judge_status(response, now, error[0].decode() if error else "")


def _card(message: Message, room: Room) -> dict[str, Any]:
    card = message.card
    rows = [_field(row, room.value) for row in card.rows[: room.rows]]
    title = {"type": "plain_text", "text": label(card.title, HEADER, no_brackets), "emoji": False}
    header: Block = {"type": "header", "text": title}
    blocks: list[Block] = []
    if text := paragraph(card.text, room.text, SlackTarget.escape):
        blocks.append({"type": "section", "text": _words(text)})
    blocks += [{"type": "section", "fields": rows[at : at + FIELDS]} for at in range(0, len(rows), FIELDS)]
    if small := _small(message, len(rows)):
        blocks.append({"type": "context", "elements": [_words(text) for text in small]})
    fallback = label(in_words(card), SMALL, SlackTarget.escape)
    body = {"text": fallback, **QUIET}
    if (colour := COLOURS.get(card.tone)) is None:
        return {**body, "blocks": [header, *blocks]}
    return {**body, "blocks": [header], "attachments": [{"color": f"#{colour:06x}", "blocks": blocks}]}


def _field(row: Row, limit: int) -> Block:
    text = value(row.value, limit, SlackTarget.escape)
    if row.old is not None:
        text = f"{value(row.old, limit, SlackTarget.escape)} → {text}"
    return _words(f"*{label(row.label, LABEL, SlackTarget.escape)}*\n{text}")


def _small(message: Message, shown: int) -> list[str]:
    lines = (message.card.subtitle, *notes(message, shown))
    ways = " · ".join(f"<{url.translate(_ENTITIES)}|{words}>" for words, url in links(message))
    small = [fitted_line(text, SMALL, SlackTarget.escape) for text in lines]
    return [text for text in (*small, ways) if text]


def _words(text: str) -> Block:
    """Return a text object in which Slack looks for no names and addresses of its own accord."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _fits(body: dict[str, Any]) -> bool:
    return len(str(body)) <= BLOCKS_UNITS


TARGET = SlackTarget
