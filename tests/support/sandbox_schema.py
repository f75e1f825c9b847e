"""Makes the sandbox's schema from the Chat API's discovery document: `python -m tests.support.sandbox_schema`."""

import json
from importlib import resources
from pathlib import Path
from typing import Any

SCHEMA = Path(__file__).parents[2] / "relay/web/sandbox/message_schema.json"

MESSAGE_FIELDS = ("text", "markupSyntax", "cardsV2", "fallbackText", "thread")
"""What an incoming webhook may send; the rest needs app authentication, or is Google's to fill in."""


def discovery() -> Any:
    """Return the types of the Chat API's discovery document, as its client library ships it."""
    document = resources.files("googleapiclient.discovery_cache") / "documents" / "chat.v1.json"
    return json.loads(document.read_text("utf-8"))["schemas"]


def generate() -> str:
    """Return the text of `message_schema.json`: one type a line, those that `Message` reaches."""
    types = discovery()
    found: dict[str, dict[str, Any]] = {}
    waiting = ["Message"]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found[name] = {field: _field(of, waiting) for field, of in _fields(name, types)}
    lines = [f"{json.dumps(name)}: {json.dumps(found[name], sort_keys=True)}" for name in sorted(found)]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _fields(name: str, types: Any) -> Any:
    fields = types[name].get("properties", {}).items()
    if name == "Message":
        return [(field, of) for field, of in fields if field in MESSAGE_FIELDS]
    return [(field, of) for field, of in fields if not of.get("readOnly")]


def _field(of: Any, waiting: list[str]) -> Any:
    """Return the field in the schema's own words, and note the type it needs."""
    if "$ref" in of:
        waiting.append(of["$ref"])
        return of["$ref"]
    if of["type"] == "array":
        return [_field(of["items"], waiting)]
    if "enum" in of:
        return {"enum": of["enum"]}
    return of.get("format", of["type"])


if __name__ == "__main__":
    SCHEMA.write_text(generate(), "utf-8")
