"""What Discord takes: the documented limits of messages and embeds."""

from typing import Any

from tests.support.chats import markdown

URL = "https://discord.com/api/webhooks/123456789012345678/hidden-key_0001"
LIMITS = {"title": 256, "description": 4_096, "name": 256, "value": 1_024, "footer": 2_048}
inert = markdown.inert


def check(message: dict[str, Any]) -> list[str]:
    """Return the texts of a message; fails where Discord would refuse it or mention anybody, or for markup."""
    assert message["allowed_mentions"] == {"parse": []}
    if "content" in message:
        assert message.keys() == {"allowed_mentions", "content", "flags"}
        assert 0 < _length(message["content"].strip()) <= 2_000
        return [message["content"]]
    (embed,) = message["embeds"]
    assert embed.keys() <= {"title", "url", "description", "color", "footer", "fields"}
    assert isinstance(embed.get("color", 0), int)
    assert len(embed.get("fields", [])) <= 25
    assert all(field.keys() == {"name", "value", "inline"} for field in embed.get("fields", []))
    texts = [(name, embed[name]) for name in ("title", "description") if name in embed]
    texts += [(name, field[name]) for field in embed.get("fields", []) for name in ("name", "value")]
    for name, text in texts:
        assert 0 < _length(text.strip()) <= LIMITS[name]
        markdown.ours(text)
    footer = embed.get("footer", {"text": "-"})["text"]
    assert 0 < _length(footer.strip()) <= LIMITS["footer"]
    assert _length(footer) + sum(_length(text) for _, text in texts) <= 6_000
    return [*(text for _, text in texts), footer]


def _length(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
