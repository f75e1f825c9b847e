"""What PagerDuty takes: the documented fields and limits of the Events API v2."""

from typing import Any

import orjson

from tests.support.chat_schema import strings

OPTIONS = {"routing_key": "hidden-key-0123456789abcdef01234"}
SEVERITIES = {"critical", "error", "warning", "info"}


def check(event: dict[str, Any]) -> list[str]:
    """Return the texts of an event; fails where PagerDuty would refuse it."""
    assert len(orjson.dumps(event)) <= 512 * 1024
    assert len(event["routing_key"]) == 32
    assert 0 < len(event["dedup_key"]) <= 255
    if event["event_action"] in ("acknowledge", "resolve"):
        assert event.keys() == {"routing_key", "event_action", "dedup_key"}
        return []
    assert event["event_action"] == "trigger"
    assert event.keys() - {"links"} == {"routing_key", "event_action", "dedup_key", "client", "payload"}
    payload = event["payload"]
    assert payload.keys() <= {"summary", "source", "severity", "timestamp", "component", "class", "custom_details"}
    assert payload["severity"] in SEVERITIES
    assert 0 < len(payload["summary"].strip()) <= 1_024
    assert payload["source"].strip()
    assert all(link.keys() == {"href", "text"} for link in event.get("links", []))
    return strings(payload)


def text(event: dict[str, Any]) -> str:
    """Return what a template became."""
    return str(event["payload"]["summary"])


def inert(text: str) -> None:
    """Fail unless PagerDuty shows a text as it is: it knows no markup."""
    assert text.isascii() or text.encode()
