"""What Slack takes: Slack's own models of blocks, and the limits beside them."""

import re
from typing import Any

from slack_sdk.models.blocks import Block

from tests.support.chat_schema import strings

URL = "https://hooks.slack.com/services/T0001/B0001/hidden-key-0001"
TEXT_UNITS = 4_000
BLOCKS = 50
_WAYS = re.compile(r"<https?://[^<>|\s]+\|(?:Open|Event)>(?: · )?")
_LABEL = re.compile(r"\*[^*\n]+\*\n")
_LOOSE_UNDERSCORE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")


def check(message: dict[str, Any]) -> list[str]:
    """Return the texts of a message; fails where Slack would refuse it or a value is more than words."""
    attachments = message.get("attachments", [])
    assert message["text"].strip()
    assert len(message["text"]) <= TEXT_UNITS
    assert (message["link_names"], message["parse"]) == (False, "none")
    blocks = [*message.get("blocks", []), *(block for one in attachments for block in one["blocks"])]
    assert len(blocks) <= BLOCKS
    # What the models do not know they drop.
    assert [block.to_dict() for block in Block.parse_all(blocks)] == blocks
    for block in blocks:
        for text in _texts(block):
            _check_text(block["type"], text)
    return strings([message["text"], [_texts(block) for block in blocks]])


def _texts(block: dict[str, Any]) -> list[dict[str, Any]]:
    texts = [block["text"]] if "text" in block else block.get("fields") or block["elements"]
    assert texts
    return texts


def _check_text(where: str, text: dict[str, Any]) -> None:
    assert text["text"].strip()
    assert len(text["text"]) <= (2_000 if where == "section" and text["text"].startswith("*") else 3_000)
    if text["type"] == "mrkdwn":
        assert text["verbatim"] is True
        inert(_LABEL.sub("", _WAYS.sub("", text["text"]), count=1))
    else:
        assert not {"<", ">"} & {*text["text"]}


def inert(text: str) -> None:
    """Fail unless Slack shows a text as it is."""
    assert not {"<", ">", "*", "~", "`"} & {*text}
    assert not _LOOSE_UNDERSCORE.search(text)
    assert not re.search(r"&(?!amp;|lt;|gt;)", text)
    assert not re.search(r"^\s*&gt;", text, re.MULTILINE)
