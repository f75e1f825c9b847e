"""What Telegram takes: HTML with few tags, closed in their order, and 4,096 characters of what it shows."""

import re
from html import unescape
from html.parser import HTMLParser
from typing import Any

TOKEN = "123456:hidden-key-0123456789abcdefghij"
OPTIONS = {"token": TOKEN, "chat_id": "-1001234567890"}
TAGS = {
    "b",
    "strong",
    "i",
    "em",
    "u",
    "ins",
    "s",
    "strike",
    "del",
    "tg-spoiler",
    "pre",
    "code",
    "blockquote",
    "span",
    "a",
}
_MENTION = re.compile(r"(?<![^\W_])@")
_ENTITY = re.compile(r"&(?!(?:lt|gt|amp|quot|#\d{1,7}|#x[0-9a-f]{1,6});)")


def check(message: dict[str, Any]) -> list[str]:
    """Return the text of a message; fails where Telegram would refuse it."""
    assert message["chat_id"] == OPTIONS["chat_id"]
    assert message["link_preview_options"] == {"is_disabled": True}
    text: str = message["text"]
    shown = text
    if "parse_mode" in message:
        assert message["parse_mode"] == "HTML"
        assert not re.search(r"<(?!/?[a-z-]+[ >])", text)
        shown = Markup().shown(text)
    assert 0 < len(shown.strip().encode("utf-16-le")) // 2 <= 4_096
    return [text]


def inert(text: str) -> None:
    """Fail unless Telegram shows a text as it is."""
    assert "<" not in text
    assert not _ENTITY.search(text)
    assert not _MENTION.search(unescape(text))


class Markup(HTMLParser):
    """Reads what Telegram calls HTML."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []
        self.words: list[str] = []

    def shown(self, text: str) -> str:
        """Return the words of a text; fails unless its tags are known and closed in their order."""
        self.feed(text)
        self.close()
        assert not self.opened
        return "".join(self.words)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take a known tag; links lead where a card's links lead."""
        assert tag in TAGS
        if tag == "a":
            ((name, value),) = attrs
            assert name == "href"
            assert "evil" not in str(value)
        self.opened.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Take the end of the tag opened last."""
        assert self.opened.pop() == tag

    def handle_data(self, data: str) -> None:
        """Take words."""
        self.words.append(data)

    def handle_comment(self, data: str) -> None:
        """Telegram knows no comments."""
        raise AssertionError(data)

    def handle_decl(self, decl: str) -> None:
        """Telegram knows no declarations."""
        raise AssertionError(decl)

    def handle_pi(self, data: str) -> None:
        """Telegram knows no instructions."""
        raise AssertionError(data)
