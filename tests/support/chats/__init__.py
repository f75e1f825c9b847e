"""What each chat takes: checks that fail where the service would refuse a message, cut it, or show it broken."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from tests.support import chat_schema
from tests.support.chats import discord, mattermost, pagerduty, slack, teams, telegram

MARKDOWN = "**Order** [open](https://shop.example.com) "
HTML = '<b>Order</b> <a href="https://shop.example.com">open</a> '


@dataclass(frozen=True)
class Chat:
    """A kind, the options it is tried with, and its checks.

    `check` fails for a message that the service does not take, or in which a value is more than plain words, and
    returns every text that people see. `inert` fails unless a text has no markup at all. `head` is a piece of a
    template, in the kind's own markup; `text` returns what a template became in a message.
    """

    kind: str
    options: dict[str, Any]
    check: Callable[[Any], list[str]]
    inert: Callable[[str], None]
    head: str
    text: Callable[[Any], str] = field(default=lambda body: str(body["text"]))

    def seen(self, body: Any) -> list[str]:
        """Return the texts of a message, having checked it."""
        assert isinstance(body, bytes)
        return self.check(orjson.loads(body))


CHATS = {
    chat.kind: chat
    for chat in (
        Chat("slack", {"url": slack.URL}, slack.check, slack.inert, "*Order* <https://shop.example.com|open> "),
        Chat("discord", {"url": discord.URL}, discord.check, discord.inert, MARKDOWN, lambda body: body["content"]),
        Chat("mattermost", {"url": mattermost.URL}, mattermost.check, mattermost.inert, MARKDOWN),
        Chat("teams", {"url": teams.URL}, teams.check, teams.inert, MARKDOWN, teams.text),
        Chat("telegram", telegram.OPTIONS, telegram.check, telegram.inert, HTML),
        Chat("pagerduty", pagerduty.OPTIONS, pagerduty.check, pagerduty.inert, "Order ", pagerduty.text),
    )
}


def check_any(kind: str, body: Any) -> None:
    """Fail unless a message is one that its kind of target takes."""
    if kind.startswith("google_chat"):
        chat_schema.check(body)
    elif kind in CHATS:
        CHATS[kind].seen(body)
