"""What every target kind promises, held against its folder of fixtures in `tests/fixtures/targets`.

A fixture has the target's `options` beside name and kind, the event and words `given` (with the `card` that a provider
made of it, if one did), the request it `sends` (`json` or `body`; `absent` names headers it must not have; for mail the
`envelope` and the `mail`: its `headers`, the `plain` part and that in `html`), and what it
`judges` of each reply: `delivered`, `try_later` (with the seconds `after` which, if the reply says so), `refused` or
`gone` (with the `reason`).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.domain.card import Card, Row, Tone
from relay.domain.errand import Envelope, Mail
from relay.domain.event import JSON, Event, encode
from relay.domain.target import Delivered, Message, Outcome, Refused, Target, TryLater
from relay.plugins import discover
from tests.support.chats import check_any

FIXTURES = Path(__file__).parents[1] / "fixtures" / "targets"
TARGETS = discover().targets
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SENT = NOW + timedelta(seconds=5)
THROTTLES = {429, 421}
"""Too many requests: of HTTP, and of SMTP."""
KNOWN = {"delivered", "try_later", "refused", "gone"}


@dataclass(frozen=True)
class Case:
    """One fixture: a message, the request made of it, and replies with their meaning."""

    kind: str
    name: str
    spec: Mapping[str, Any] = field(repr=False)

    @cached_property
    def target(self) -> Target:
        """The target under the fixture's options; made once, as the relay does: to read an RSA key takes a while."""
        kind = TARGETS[self.kind]
        return kind(kind.Options.model_validate({"name": "here", "kind": self.kind, **self.spec["options"]}))

    @property
    def message(self) -> Message:
        """The message given."""
        told = self.spec["given"]
        body = encode(told["data"]) if "data" in told else told["body"].encode()
        event = Event(
            "e1", told["source"], told["type"], NOW, NOW, body, told.get("content_type", JSON), told.get("subject")
        )
        words = {key: told.get(key) for key in ("text", "thread", "link", "notice")}
        return Message("e1_here", event, SENT, **words, told=_card(told["card"]) if "card" in told else None)


def _card(told: Mapping[str, Any]) -> Card:
    """Return the card as a provider would."""
    rows = tuple(Row(**row) for row in told.get("rows", ()))
    return Card(**{**told, "rows": rows, "tone": Tone(told.get("tone", "neutral"))})


CASES = [
    Case(path.parent.name, path.stem, json.loads(path.read_text("utf-8"))) for path in sorted(FIXTURES.glob("*/*.json"))
]
JUDGED = [case for case in CASES if case.spec["judges"]]
FIRST = {case.kind: case for case in reversed(CASES)}
each = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind}-{case.name}")
each_kind = pytest.mark.parametrize("case", FIRST.values(), ids=lambda case: case.kind)


def reply(status: int, headers: Mapping[str, str] | None = None, body: bytes = b"") -> requests.Response:
    """A reply with this status and body."""
    response = requests.Response()
    response.status_code = status
    response.headers.update(headers or {})
    response._content = body
    return response


def in_words(outcome: Outcome) -> str:
    """The outcome in a fixture's word."""
    match outcome:
        case Delivered():
            return "delivered"
        case TryLater():
            return "try_later"
        case Refused(gone=gone):
            return "gone" if gone else "refused"


def hidden(case: Case) -> list[str]:
    """What of the fixture's options must never be seen."""
    options = json.dumps(case.spec["options"])
    return [text for text in ("hidden-key", "hidden-token") if text in options]


def test_every_kind_has_fixtures() -> None:
    """A target kind without fixtures fails, and so does a fixture of no kind."""
    assert {case.kind for case in CASES} == set(TARGETS)


@each_kind
def test_every_kind_is_judged_in_full(case: Case) -> None:
    """Each kind's fixtures hold a success, a throttle, a final failure and a reply that makes no sense."""
    replies = [one for other in JUDGED if other.kind == case.kind for one in other.spec["judges"]]
    assert {"delivered", "try_later", "refused"} <= {one["outcome"] for one in replies} <= KNOWN
    assert any(one["status"] in THROTTLES and one["outcome"] == "try_later" for one in replies)
    assert any("\0" in one["body"] for one in replies)


@each_kind
def test_every_kind_says_what_it_is(case: Case) -> None:
    """A kind's docstring is its page in the documentation; it knows its own name, and whether people read it."""
    kind = TARGETS[case.kind]
    assert kind.kind == case.kind
    assert isinstance(kind.words, bool)
    assert len((kind.__doc__ or "").split()) > 20


@each
def test_a_message_becomes_this_request(case: Case) -> None:
    """Method, address, headers and body are as the fixture says."""
    expected = case.spec["sends"]
    request = case.target.render(case.message).prepare()
    body = request.body or b""
    assert isinstance(body, bytes)
    assert (request.method, request.url) == (expected["method"], expected["url"])
    assert {name: request.headers.get(name) for name in expected["headers"]} == expected["headers"]
    assert not [name for name in expected.get("absent", ()) if name in request.headers]
    if "mail" in expected:
        assert in_parts(body) == expected["mail"]
        assert envelope_of(case) == expected["envelope"]
    else:
        assert (json.loads(body) if "json" in expected else body.decode()) == expected.get("json", expected.get("body"))


def in_parts(body: bytes) -> dict[str, Any]:
    """A mail as a fixture shows it."""
    mail = message_from_bytes(body, policy=policy.default)
    plain, html = (mail.get_body((kind,)) for kind in ("plain", "html"))
    assert plain is not None
    assert html is not None
    headers = {name: str(value) for name, value in mail.items() if name not in ("MIME-Version", "Content-Type")}
    return {"headers": headers, "plain": plain.get_content(), "html": html.get_content()}


def envelope_of(case: Case) -> dict[str, Any]:
    """Who sends the mail, and who gets it."""
    request = case.target.render(case.message)
    assert isinstance(request, Mail)
    assert isinstance(request.means, Envelope)
    return {"from": request.means.sender, "to": list(request.means.recipients)}


@each
def test_the_same_message_makes_the_same_request(case: Case) -> None:
    """A retry repeats the request to the byte."""
    first, second = (case.target.render(case.message).prepare() for _ in range(2))
    assert (first.url, first.body, dict(first.headers)) == (second.url, second.body, dict(second.headers))


@pytest.mark.parametrize("case", JUDGED, ids=lambda case: f"{case.kind}-{case.name}")
def test_replies_mean_what_the_fixture_says(case: Case) -> None:
    """Each reply has its outcome, its reason, and the wait it asks for."""
    for one in case.spec["judges"]:
        outcome = case.target.judge(reply(one["status"], one.get("headers"), one["body"].encode("latin-1")), NOW)
        assert in_words(outcome) == one["outcome"], one
        if "reason" in one:
            assert outcome.reason == one["reason"]
        if isinstance(outcome, TryLater):
            after = one.get("after")
            assert outcome.not_before == (None if after is None else NOW + timedelta(seconds=after)), one


@each_kind
@settings(deadline=None)
@given(
    status=st.integers(-1, 1000),
    headers=st.dictionaries(st.sampled_from(["Retry-After", "Content-Type", "Location"]), st.text(max_size=40)),
    body=st.binary(max_size=200)
    | st.sampled_from([b'{"error": {"message": "hidden-key hidden-token"}}', b"[" * 99999]),
)
def test_no_reply_is_too_strange(case: Case, status: int, headers: dict[str, str], body: bytes) -> None:
    """Any reply has an outcome; only 2xx is success; no reason shows what is secret."""
    outcome = case.target.judge(reply(status, headers, body), NOW)
    assert isinstance(outcome, Delivered) == (200 <= status < 300)
    assert not [secret for secret in hidden(case) if secret in str(outcome)]


@each_kind
def test_nothing_secret_is_seen(case: Case) -> None:
    """Neither the pacing key nor the options' own words hold the address."""
    kind = TARGETS[case.kind]
    options = kind.Options.model_validate({"name": "here", "kind": case.kind, **case.spec["options"]})
    seen = f"{case.target.pace} {options!r} {options.model_dump_json()} {case.target!r}"
    assert not [secret for secret in hidden(case) if secret in seen]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
rows = st.dictionaries(st.text(), json_values, max_size=5)
changes = st.fixed_dictionaries(
    {"before": st.none() | rows, "after": st.none() | rows, "changed": st.lists(st.text()) | json_values},
    optional={"meta": json_values},
)
bodies = (json_values | changes).map(lambda data: json.dumps(data).encode()) | st.binary(max_size=100)


@each_kind
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    body=bodies,
    media=st.sampled_from(
        [JSON, "application/cloudevents+json", "text/plain", "image/png", "", "application/x-y+json"]
    ),
    name=st.text(min_size=1),
    words=st.none() | st.text(),
)
def test_any_message_makes_a_request(case: Case, body: bytes, media: str, name: str, words: str | None) -> None:
    """No event and no words, however strange, stop a request from being made; a chat's is one its service takes."""
    event = Event("e1", name, name, NOW, NOW, body, media, words)
    message = Message("e1_here", event, SENT, text=words, thread=words, notice=words)
    request = case.target.render(message).prepare()
    assert isinstance(request.body, bytes | None)
    check_any(case.kind, request.body)
