"""Telegram, through a bot."""

import re
from datetime import datetime
from typing import Annotated, Any, ClassVar

import requests
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, StrictInt

from relay.domain.card import Row
from relay.domain.chat import ChatOptions, ChatTarget
from relay.domain.durations import Rate
from relay.domain.judgement import judge_code, judge_status
from relay.domain.layout import Room, label, links, notes, paragraph, roomiest, value
from relay.domain.markup import PLAIN
from relay.domain.replies import document, member, safe_words, wait_until
from relay.domain.style import Style
from relay.domain.target import Delivered, Message, Outcome, Refused, TargetOptions, TryLater
from relay.domain.text import clean, fitted_line, units
from relay.domain.url import HttpUrl
from relay.secrets import SecretText
from relay.targets.telegram.html import STYLE, cut_html, escape

TEXT_UNITS = 4_096
"""Longest message, in UTF-16 units (Telegram Bot API, "sendMessage"): after its entities are read, so this is safe."""

PER_MINUTE = 20 / 60
"""Messages a second that a bot may send to a group: 20 a minute; to one person 1 a second (Telegram, "Bots FAQ")."""

ROOMS = (Room(40, 400, 2_000), Room(40, 120, 800), Room(20, 80, 400), Room(8, 60, 200))

LABEL = 100
SMALL = 200

_TOKEN = re.compile(r"[0-9]{3,20}:[A-Za-z0-9_-]{20,100}")


def _is_token(secret: SecretStr) -> SecretStr:
    if not _TOKEN.fullmatch(secret.get_secret_value()):
        raise ValueError("a bot's token is a number, a colon and a key: 123456:ABC-...")
    return secret


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class TelegramOptions(ChatOptions):
    """Fields of a `telegram` target.

    `token` is the bot's, from @BotFather. `chat_id` is the chat's number, or `@name` of a public channel; `thread_id`
    a topic of a group. `url` is another Bot API server than Telegram's own.
    """

    token: Annotated[SecretText, AfterValidator(_is_token)]
    chat_id: Annotated[str, Field(pattern=r"^(-?[0-9]{1,20}|@[A-Za-z0-9_]{4,64})$"), BeforeValidator(_as_text)]
    thread_id: Annotated[StrictInt, Field(ge=1)] | None = None
    url: HttpUrl = SecretStr("https://api.telegram.org")
    rate: Rate | None = PER_MINUTE


class TelegramTarget(ChatTarget):
    """Sends each event to a Telegram chat, group or channel, through a bot that is in it.

    A route's `text` becomes the message, in Telegram's HTML: `<b>bold</b>`, `<a href="https://example.com">a link</a>`.
    Values inside it can neither mention, link nor format; a template whose own HTML is broken is shown as it stands.
    Without `text` the message shows what changed in a row, or the fields of any other event. Links get no preview.
    `thread_id` names the topic of a group that messages go to; a route's `thread` does nothing here.

    What is too long is cut and says how much is missing. Each chat is paced at 20 a minute, what a group takes; for one
    person set `rate = "1/s"`. 429 is tried again, not before `retry_after`, and so is 5xx; other errors are final,
    among them 403: the bot is blocked, or not in the chat.
    """

    kind: ClassVar[str] = "telegram"
    Options: ClassVar[type[TargetOptions]] = TelegramOptions
    style: ClassVar[Style] = STYLE

    def __init__(self, options: TelegramOptions) -> None:
        token = options.token.get_secret_value()
        bot, _, key = token.partition(":")
        address = f"{options.url.get_secret_value().rstrip('/')}/bot{token}/sendMessage"
        super().__init__(address, f"{bot}:{options.chat_id}", (token, key))
        self._where: dict[str, Any] = {"chat_id": options.chat_id}
        if options.thread_id is not None:
            self._where["message_thread_id"] = options.thread_id

    @staticmethod
    def escape(value: str) -> str:
        """Return a value that neither mentions, links nor formats."""
        return escape(value)

    def render(self, message: Message) -> requests.Request:
        """Return the request that sends the message, its text if it has one and else the event's card."""
        words = clean(message.text or "").strip()
        html = cut_html(words, TEXT_UNITS) if words else roomiest(ROOMS, lambda room: _card(message, room), _fits)
        said = {"text": PLAIN.cut(words, TEXT_UNITS)} if html is None else {"text": html, "parse_mode": "HTML"}
        return self._post({**self._where, **said, "link_preview_options": {"is_disabled": True}})

    def judge(self, response: requests.Response, now: datetime) -> Outcome:
        """Return what the status says, with Telegram's words, the wait that it asks for, and where a group went."""
        said = document(response)
        words, code = safe_words(member(said, "description"), self._secrets), member(said, "error_code")
        outcome = judge_status(response, now, words)
        if isinstance(outcome, Delivered) and member(said, "ok") is False and isinstance(code, int):
            outcome = judge_code(code, words)
        wait, moved = (member(said, "parameters", name) for name in ("retry_after", "migrate_to_chat_id"))
        if isinstance(outcome, TryLater) and (not_before := wait_until(wait, now)):
            return TryLater(outcome.reason, not_before)
        if isinstance(outcome, Refused) and isinstance(moved, int):
            return Refused(f'{outcome.reason} (the group is another now: chat_id = "{moved}")')
        return outcome


def _card(message: Message, room: Room) -> str:
    card = message.card
    rows = [_line(row, room.value) for row in card.rows[: room.rows]]
    small = [fitted_line(text, SMALL, escape) for text in (card.subtitle, *notes(message, len(rows)))]
    ways = " · ".join(f'<a href="{url.replace("&", "&amp;")}">{words}</a>' for words, url in links(message))
    lines = (
        f"<b>{label(card.title, SMALL, escape)}</b>",
        paragraph(card.text, room.text, escape),
        *rows,
        *(f"<i>{text}</i>" for text in small if text),
        ways,
    )
    return "\n".join(line for line in lines if line)


def _line(row: Row, limit: int) -> str:
    text = f"<b>{value(row.value, limit, escape)}</b>"
    if row.old is not None:
        text = f"{value(row.old, limit, escape)} → {text}"
    return f"{label(row.label, LABEL, escape)}: {text}"


def _fits(html: str) -> bool:
    return units(html) <= TEXT_UNITS


TARGET = TelegramTarget
