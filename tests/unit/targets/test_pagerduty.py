"""PagerDuty: which incident, what becomes of it, and how bad it is."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from relay.domain.card import Card, Tone
from relay.domain.event import Event
from relay.domain.target import Message
from relay.plugins import discover
from tests.support.chats import pagerduty

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def sent(data: Any = None, subject: str | None = None, told: Card | None = None, **fields: Any) -> dict[str, Any]:
    """The event that PagerDuty gets; `thread` is the message's, all else the target's options."""
    thread = fields.pop("thread", None)
    kind = discover().targets["pagerduty"]
    options = {"name": "p", "kind": "pagerduty", **pagerduty.OPTIONS, **fields}
    event = Event("e1", "probe", "check.done", AT, AT, json.dumps(data).encode(), subject=subject)
    request = kind(kind.Options.model_validate(options)).render(Message("e1_p", event, AT, thread=thread, told=told))
    body: dict[str, Any] = json.loads(request.data)
    pagerduty.check(body)
    return body


@pytest.mark.parametrize(
    ("thread", "subject", "key"), [("alert/1", "disk/1", "alert/1"), (None, "disk/1", "disk/1"), (" \0", "", "e1_p")]
)
def test_an_incident_is_that_of_the_thread(thread: str | None, subject: str | None, key: str) -> None:
    """Events of a thread are one incident, else those of a subject, else each try of the same message."""
    assert sent(thread=thread, subject=subject)["dedup_key"] == key


def test_a_long_key_keeps_events_together() -> None:
    """A key over the limit becomes a digest: the same for the same thread, another for another."""
    keys = [sent(thread=thread)["dedup_key"] for thread in ("k" * 300, "k" * 300, "k" * 301)]
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.parametrize(
    ("tone", "thread", "action", "severity"),
    [
        (Tone.BAD, "a", "trigger", "critical"),
        (Tone.WARNING, "a", "trigger", "warning"),
        (Tone.NEUTRAL, "a", "trigger", "info"),
        (Tone.GOOD, None, "trigger", "info"),
        (Tone.GOOD, "a", "resolve", None),
    ],
)
def test_the_news_says_what_becomes_of_it(tone: Tone, thread: str | None, action: str, severity: str | None) -> None:
    """Good news in a thread resolves its incident; all other news triggers one, as bad as it is."""
    body = sent(told=Card("Disk", tone=tone), thread=thread)
    assert (body["event_action"], body.get("payload", {}).get("severity")) == (action, severity)


@pytest.mark.parametrize(
    ("template", "data", "action"),
    [
        ("acknowledge", {}, "acknowledge"),
        ("{{ data.action }} ", {"action": "resolve"}, "resolve"),
        ("{{ data.action }}", {"action": "explode"}, "trigger"),
        ("{{ data.action.nothing() }}", {}, "trigger"),
    ],
)
def test_a_template_says_what_to_do(template: str, data: Any, action: str) -> None:
    """What the template prints is done; what is no action, or fails, leaves it to the news."""
    assert sent(data, action=template)["event_action"] == action


def test_a_template_says_how_bad_it_is() -> None:
    """The severity printed holds; what is none leaves it to the news."""
    severities = [sent({"level": level}, severity="{{ data.level }}") for level in ("error", "terrible", None)]
    assert [body["payload"]["severity"] for body in severities] == ["error", "info", "info"]


@pytest.mark.parametrize(
    "wrong", [{"routing_key": "hidden-key"}, {"action": "explode"}, {"severity": "terrible"}, {"action": "{{ data."}]
)
def test_options_are_checked(wrong: dict[str, Any]) -> None:
    """A key of another length, an unknown word and a broken template are refused, and the key is not shown."""
    with pytest.raises(ValidationError) as refused:
        sent(**wrong)
    assert "hidden-key" not in str(refused.value)


def test_columns_of_one_name_are_all_told() -> None:
    """Names that are cut to the same words stay apart."""
    data = {"x" * 200 + "1": 1, "x" * 200 + "2": 2, "Text": 3}
    assert {*sent(data)["payload"]["custom_details"].values()} >= {"1", "2", "3"}
