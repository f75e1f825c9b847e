"""Whole cards that a route's template makes: sent as they are, or the default message with a notice."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from relay.domain.event import Event, encode
from relay.domain.route import Route
from relay.domain.target import Target, style_of
from relay.pipeline.rendering import compile_route, compose
from relay.plugins import discover
from tests.support.chat_schema import check

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
CHAT = """{"cardsV2": [{"cardId": "order", "card": {
  "header": {"title": "Order {{ data.id }}"},
  "sections": [{"widgets": [
    {"decoratedText": {"topLabel": "Customer", "text": "{{ data.name }}"}},
    {"textParagraph": {"text": {{ data.name | tojson }} }},
    {"buttonList": {"buttons": [{"text": "Open", "onClick": {"openLink": {"url": "https://x.example/{{ data.id }}"}}}]}}
  ]}]
}}]}"""
WIDGETS = '{"cardsV2": [{"card": {"sections": [{"widgets": [ITEM]}]}}]}'
SLACK = '{"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "*Order* {{ data.name }}"}}]}'


def target(kind: str) -> Target:
    """A target of this kind, with the options of a fixture."""
    fixture = min((Path(__file__).parents[2] / "fixtures" / "targets" / kind).glob("*.json"))
    options = json.loads(fixture.read_text(encoding="utf-8"))["options"]
    chosen = discover().targets[kind]
    return chosen(chosen.Options.model_validate({"name": "room", "kind": kind, **options}))


def sent(kind: str, card: str, data: Any, **fields: Any) -> dict[str, Any]:
    """What is posted for an event of this data."""
    room = target(kind)
    route = compile_route(Route.model_validate({"name": "r", "to": ["room"], "card": card, **fields}))
    event = Event("e1", "shop", "orders.updated", AT, AT, encode(data))
    request = room.render(compose(route, event, room, "e1_room", AT))
    body = request.data or json.dumps(request.json)
    return dict(json.loads(body))


def test_a_template_makes_a_whole_card() -> None:
    """What the template lays out is what Chat gets, and Chat's own schema agrees."""
    body = sent("google_chat", CHAT, {"id": 42, "name": "Ana"})
    assert body["cardsV2"][0]["card"]["header"] == {"title": "Order 42"}
    assert "fallbackText" not in body
    check(json.dumps(body).encode())
    blocks = sent("slack", SLACK, {"name": "<!channel>"})
    assert blocks["blocks"][0]["text"]["text"] == "*Order* &lt;!channel&gt;"


@pytest.mark.parametrize(
    "name", ['"', "\\", 'a", "b": "c', "\n", "\x00", "\ud800", "<users/all>", "<a href='x'>", "{{ 1 }}"]
)
def test_values_stay_values(name: str) -> None:
    """Nothing in a value breaks the JSON, adds to it, or is markup in it."""
    body = sent("google_chat", CHAT, {"id": 1, "name": name})
    widgets = body["cardsV2"][0]["card"]["sections"][0]["widgets"]
    assert len(widgets) == 3
    assert "<" not in json.dumps(widgets)


@pytest.mark.parametrize(
    ("card", "said"),
    [
        ("{", "not JSON"),
        ("[]", "it is no message"),
        ("{}", "it is no message"),
        ('{"cardsV2": {}}', "cardsV2 is no list"),
        ('{"cardsV2": [{}]}', "a card is"),
        ('{"cardsV2": [{"card": {"sections": [{}]}}]}', "each section has widgets"),
        ('{"cardsV2": [{"card": {"sections": [{"widgets": [{"marquee": {}}]}]}}]}', "there is no widget marquee"),
        ('{"cardsV2": [{"card": {"sections": [{"widgets": ["x"]}]}}]}', "a widget is an object"),
        ('{"cardsV2": [{"card": {"footer": {}}}]}', "a card has no footer"),
        ('{"cardsV2": [{"card": {"header": {}}}]}', "a header has a title"),
        ('{"text": "x", "privateMessageViewer": {}}', "knows no privateMessageViewer"),
        ('{"text": "{{ "x" * 5000 }}"}', "more than 4,000 characters"),
        (
            WIDGETS.replace("ITEM", '{% for i in range(101) %}{"divider": {}},{% endfor %}{"divider": {}}'),
            "at most 100",
        ),
        (WIDGETS.replace("ITEM", '{"textParagraph": {"text": "{{ "x" * 9000 ~ "x" * 9000 ~ "x" * 9000 }}"}}'), "bytes"),
        (WIDGETS.replace("ITEM", '{"image": {"imageUrl": "{{ data.url }}"}}'), "no http"),
        ("{{ 1 / 0 }}", "division by zero"),
    ],
)
def test_a_card_that_cannot_be_sent_costs_the_layout_alone(card: str, said: str) -> None:
    """What Chat would refuse, or what is no JSON, is told by the default card, which says why."""
    body = sent("google_chat", card, {"id": 42, "url": "javascript:alert(1)"})
    assert body["cardsV2"][0]["cardId"] == "event"
    assert "The card of route r failed: " in json.dumps(body)
    assert said in json.dumps(body)


@pytest.mark.parametrize(
    "card", ['{"blocks": []}', '{"text": "x"}', '{"blocks": [{}]}', '{"blocks": [{"type": "x"}], "a": 1}']
)
def test_slack_has_forms_too(card: str) -> None:
    """A message without blocks, or with what is none, goes out as the default one."""
    assert "The card of route r failed" in json.dumps(sent("slack", card, {"id": 1}))


def test_a_text_says_that_the_card_failed() -> None:
    """With a text beside it, the text is sent, and says so."""
    body = sent("google_chat", "{", {"id": 1}, text="Order {{ data.id }}")
    assert body["text"].startswith("Order 1\nThe card of route r failed")


def test_other_kinds_send_what_they_know() -> None:
    """A kind without whole cards shows its own message: the card is for the others."""
    assert style_of(target("discord")).cards is None
    assert "cardsV2" not in json.dumps(sent("discord", CHAT, {"id": 1, "name": "a"}))
