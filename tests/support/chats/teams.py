"""What Teams takes: Microsoft's own models of adaptive cards, and the size beside them."""

from collections.abc import Iterator
from typing import Any

import orjson
from microsoft_teams.cards import core

from tests.support.chats import markdown

URL = "https://prod-1.westeurope.logic.azure.com/workflows/0123abcd/triggers/manual/paths/invoke?sig=hidden-key"
MESSAGE_BYTES = 28 * 1024
CARD = "application/vnd.microsoft.card.adaptive"
MODELS = {
    "AdaptiveCard": core.AdaptiveCard,
    "Container": core.Container,
    "TextBlock": core.TextBlock,
    "RichTextBlock": core.RichTextBlock,
    "TextRun": core.TextRun,
    "Action.OpenUrl": core.OpenUrlAction,
}
inert = markdown.inert


def check(message: dict[str, Any]) -> list[str]:
    """Return the texts of a message; fails where Teams would refuse it or a value is more than words."""
    assert len(orjson.dumps(message)) <= MESSAGE_BYTES
    assert message.keys() == {"type", "attachments"}
    assert message["type"] == "message"
    (attachment,) = message["attachments"]
    assert (attachment["contentType"], attachment["contentUrl"]) == (CARD, None)
    card = attachment["content"]
    assert card["body"]
    texts = []
    for element in _elements(card):
        # What the models do not know they keep aside.
        assert (MODELS[element["type"]].model_validate(element).model_extra or {}).keys() <= {"$schema"}
        if "text" in element:
            assert element["text"].strip()
            texts.append(element["text"])
        if element["type"] == "TextRun":
            assert "](" not in element["text"]
    return texts


def text(message: dict[str, Any]) -> str:
    """Return the one text of a message that a template made."""
    ((block,),) = (attachment["content"]["body"] for attachment in message["attachments"])
    assert block["type"] == "TextBlock"
    return str(block["text"])


def _elements(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "type" in value:
            yield value
        for inner in value.values():
            yield from _elements(inner)
    elif isinstance(value, list):
        for item in value:
            yield from _elements(item)
