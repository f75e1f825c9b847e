"""What Mattermost takes: the documented limits of posts and attachments, and nobody mentioned by a value."""

import re
from typing import Any

import orjson

from tests.support.chat_schema import strings
from tests.support.chats import markdown

URL = "https://chat.example.com/hooks/hidden-key-0001"
POST, ATTACHMENTS = 16_383, 7_900
_MENTION = re.compile(r"(?<![^\W_])@")


def check(message: dict[str, Any]) -> list[str]:
    """Return the texts of a message; fails where Mattermost would refuse it, or a value is more than words."""
    if "text" in message:
        assert message.keys() == {"text"}
        assert 0 < len(message["text"].strip()) <= POST
        return [message["text"]]
    assert len(orjson.dumps(message["attachments"]).decode()) <= ATTACHMENTS
    (attachment,) = message["attachments"]
    assert attachment.keys() <= {"fallback", "color", "title", "text", "fields", "footer"}
    assert re.fullmatch("#[0-9a-f]{6}", attachment["color"])
    assert attachment["fallback"].strip()
    for field in attachment.get("fields", []):
        assert field.keys() == {"title", "value", "short"}
        assert field["title"].strip()
        assert field["value"].strip()
    seen = strings({name: part for name, part in attachment.items() if name != "color"})
    for text in seen:
        markdown.ours(text)
        assert not _MENTION.search(text)
        assert not re.search(r"(?<!\\)~", text)
    return seen


def inert(text: str) -> None:
    """Fail unless Mattermost shows a text as it is."""
    markdown.inert(text)
    assert not _MENTION.search(text)
