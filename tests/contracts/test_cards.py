"""What every provider tells of its events, held against its folder of fixtures in `tests/fixtures/cards`.

A fixture is an event as its sender writes it: the `headers` that name it and the `data` of its body, and the `card`
expected of it; `null` where the card of any event tells it as well.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.domain.card import Card, event_card, web_link
from relay.domain.event import JSON as JSON_TYPE
from relay.domain.event import Event, encode
from relay.domain.inbound import Inbound
from tests.contracts.test_providers import CASES, FIXTURES, FUZZ, PROVIDERS, odd_members

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
SPECS = {
    f"{path.parent.name}-{path.stem}": json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((FIXTURES.parent / "cards").glob("*/*.json"))
}
TOLD = {case.kind for case in CASES if PROVIDERS[case.kind].card is not PROVIDERS["none"].card}


@dataclass(frozen=True)
class Sent:
    """An event as a provider's sender wrote it, and what is expected of its card."""

    kind: str
    event: Event
    spec: Mapping[str, Any]

    def card(self) -> Card:
        """Return what people would read."""
        return PROVIDERS[self.kind].card(self.event) or event_card(self.event)


def stored(kind: str, data: Any, headers: Mapping[str, str]) -> Event:
    """Return the event that the provider reads from the body. Raises `Unreadable`."""
    case = next(case for case in CASES if case.kind == kind and "greeting" not in case.spec)
    body = encode(data)
    reading = case.provider().read(Inbound("POST", "https://relay.example/in/sender", headers, body), data)
    media = headers.get("content-type", JSON_TYPE)
    return Event("e1", "sender", reading.type, AT, AT, body, media, subject=reading.subject)


def sent(name: str) -> Sent:
    """Return the event of a fixture by its name."""
    kind, spec = name.partition("-")[0], SPECS[name]
    return Sent(kind, stored(kind, spec["data"], spec["headers"]), spec)


def in_words(card: Card | None) -> Any:
    """Return a card as a fixture writes it: what is empty is left out."""
    if card is None:
        return None
    rows = [[row.label, row.value] if row.old is None else [row.label, row.old, row.value] for row in card.rows]
    fields = {"title": card.title, "subtitle": card.subtitle, "text": card.text, "rows": rows, "tone": str(card.tone)}
    return {name: value for name, value in {**fields, "link": card.link, "thread": card.thread}.items() if value}


def test_every_provider_that_tells_has_fixtures() -> None:
    """A provider with cards of its own has fixtures that show them."""
    assert {name.partition("-")[0] for name in SPECS} >= TOLD


@pytest.mark.parametrize("name", SPECS)
def test_events_are_told(name: str) -> None:
    """What arrives is told in the words that the fixture says."""
    told = sent(name)
    assert in_words(PROVIDERS[told.kind].card(told.event)) == told.spec["card"]


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("alertmanager-firing", "alertmanager-resolved"),
        ("grafana-firing", "grafana-resolved"),
        ("sns-alarm_firing", "sns-alarm_resolved"),
        ("sentry-metric_alert_critical", "sentry-metric_alert_resolved"),
        ("sentry-issue_created", "sentry-issue_resolved"),
        ("sentry-issue_created", "sentry-event_alert"),
        ("pagerduty-triggered", "pagerduty-resolved"),
        ("pagerduty-triggered", "pagerduty-annotated"),
        ("github-pull_request_opened", "github-pull_request_merged"),
        ("github-workflow_run_failed", "github-workflow_run_succeeded"),
        ("gitlab-merge_request_opened", "gitlab-note"),
        ("jira-issue_created", "jira-comment_created"),
    ],
)
def test_what_belongs_together_shares_a_thread(first: str, last: str) -> None:
    """What ends a story is told where the story began."""
    assert sent(first).card().thread is not None
    assert sent(first).card().thread == sent(last).card().thread


def require_clean(card: Card) -> None:
    """Check what every card promises, whatever it was made of."""
    assert card.title.strip()
    assert card.link is None or card.link == web_link(card.link)
    texts = [card.title, card.subtitle, card.text, *(text for row in card.rows for text in (row.label, row.value))]
    assert all(isinstance(text, str) for text in texts)


def events_of_requests() -> Iterator[Sent]:
    """Yield the events of the genuine requests that the providers' contract is held against."""
    for case in CASES:
        if "reading" in case.spec:
            request = case.request
            media, reading = request.content_type, case.spec["reading"]
            yield Sent(case.kind, Event("e1", "sender", reading["type"], AT, AT, request.body, media), case.spec)


@pytest.mark.parametrize("told", list(events_of_requests()), ids=lambda told: told.kind)
def test_genuine_requests_make_clean_cards(told: Sent) -> None:
    """Requests from the senders' own documentation can be told too, with little in them as there may be."""
    require_clean(told.card())


@pytest.mark.parametrize("name", SPECS)
@settings(FUZZ, max_examples=20)
@given(data=st.data())
def test_odd_contents_are_told_without_complaint(name: str, data: st.DataObject) -> None:
    """Whatever a genuine sender writes, there is a card to read: it never raises, and its link is safe."""
    told = sent(name)
    odd = odd_members(told.spec["data"], data)
    body = json.dumps(odd).encode()
    event = Event("e1", "sender", told.event.type, AT, AT, body, subject=told.event.subject)
    card = PROVIDERS[told.kind].card(event)
    require_clean(card or event_card(event))
