"""What Google Chat takes: the API's own discovery document as a strict JSON Schema, and the limits beside it."""

import json
from functools import cache
from html.parser import HTMLParser
from importlib import resources
from typing import Any

from jsonschema import Draft202012Validator

MESSAGE_BYTES = 32_000
TEXT_UNITS = 4_096
WIDGETS = 100
THREAD_KEY = 4_000
TAGS = {"b", "i"}


def check(body: bytes) -> dict[str, Any]:
    """Return the message in `body`; fails where the API would refuse it, cut it, or show it broken."""
    assert len(body) <= MESSAGE_BYTES
    message: dict[str, Any] = json.loads(body.decode())
    validator().validate(message)
    assert message.get("text") or message.get("cardsV2"), "a message needs a text or a card"
    assert len(message.get("text", "").encode("utf-16-le")) // 2 <= TEXT_UNITS
    assert len(message.get("thread", {}).get("threadKey", "")) <= THREAD_KEY
    for card in message.get("cardsV2", ()):
        _check_card(card["card"])
    return message


def strings(value: Any) -> list[str]:
    """Return every string in a JSON value."""
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for item in inner for text in strings(item)]


@cache
def validator() -> Draft202012Validator:
    """Return the validator of a message: unknown fields, and those only Google fills in, are refused."""
    document = resources.files("googleapiclient.discovery_cache") / "documents" / "chat.v1.json"
    types = json.loads(document.read_text("utf-8"))["schemas"]
    return Draft202012Validator({"$ref": "#/$defs/Message", "$defs": {name: _strict(types[name]) for name in types}})


def _strict(of: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in of:
        return {"$ref": f"#/$defs/{of['$ref']}"}
    if of["type"] == "array":
        return {"type": "array", "items": _strict(of["items"])}
    if of["type"] == "object" and "additionalProperties" not in of:
        fields = {name: _strict(field) for name, field in of.get("properties", {}).items() if not field.get("readOnly")}
        return {"type": "object", "properties": fields, "additionalProperties": False}
    if of["type"] == "any":
        return {}
    return {name: of[name] for name in ("type", "enum") if name in of}


def _check_card(card: dict[str, Any]) -> None:
    assert card["header"]["title"], "a header needs a title"
    sections = card["sections"]
    assert all(section["widgets"] for section in sections), "a section needs a widget"
    widgets = [widget for section in sections for widget in section["widgets"]]
    assert len(widgets) <= WIDGETS
    assert all(len(widget) == 1 for widget in widgets), "a widget is one kind of widget"
    for widget in widgets:
        for kind in ("decoratedText", "textParagraph"):
            if kind in widget:
                assert widget[kind]["text"], "a text needs words"
                Markup().check(widget[kind]["text"])


class Markup(HTMLParser):
    """Reads card text: tags are few, and closed in the order they were opened."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []

    def check(self, text: str) -> None:
        """Fail unless `text` is well-formed card text."""
        self.feed(text)
        self.close()
        assert not self.opened

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take a known tag without attributes."""
        assert tag in TAGS
        assert not attrs
        self.opened.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Take the end of the tag opened last."""
        assert self.opened.pop() == tag
