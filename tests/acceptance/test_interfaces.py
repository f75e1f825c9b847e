"""The command line and the API of a running relay: what they list, and how they say no."""

import base64
import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
import requests

from tests.acceptance.conftest import BILLING_SECRET, CHAT_TOKEN, Stage
from tests.support.processes import eventually
from tests.support.sink_server import Answer

DELIVERY = {
    *("id", "event_id", "route", "target", "subject", "state", "attempts", "next_attempt_at"),
    *("last_status", "last_error", "created_at", "finished_at", "folded_into"),
}
# Each command is a process of its own, and most of its time is its start.
on_sqlite = pytest.mark.parametrize("running", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("running", ["postgresql"], indirect=True)

ATTEMPT = {"number", "at", "ms", "status", "outcome", "error", "response"}


def problem(answer: requests.Response, status: int) -> dict[str, Any]:
    """Return the problem document of an answer, having seen that it is one (RFC 9457, section 3)."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert document.keys() == {"type", "title", "status", "detail"}
    assert document["status"] == status
    assert document["detail"]
    return document


@on_sqlite
def test_commands_look(stage: Stage) -> None:
    """`events`, `deliveries` and `show` print one JSON document each, and tables that name what they found."""
    event_id = stage.emit("told.listed", {"n": 1})
    delivery = stage.relay.settled(event_id, "billing")
    events = stage.relay.json("events", "--type", "told.list*", "--source", "api", "--limit", "1")["items"]
    assert [one["id"] for one in events] == [event_id]
    listed = stage.relay.json("deliveries", "--target", "billing", "--type", "told.listed", "--since", "1h")["items"]
    assert delivery in listed
    assert listed[0].keys() == DELIVERY
    assert stage.relay.json("show", event_id)["deliveries"] == [delivery]
    (attempt,) = stage.relay.json("show", delivery["id"])["history"]
    assert attempt.keys() == ATTEMPT
    assert (attempt["status"], attempt["outcome"], attempt["response"]) == (200, "delivered", "ok")
    assert delivery["id"] in stage.relay.cli("deliveries", "--state", "delivered").succeeds().out


@on_postgresql
def test_commands_speak(stage: Stage) -> None:
    """`emit` records, `explain` shows each message without its secrets, `send` tells the attempt it made."""
    event_id = stage.relay.json("emit", "told.emitted", "--data", '{"name": "Zoë 🚲"}')["id"]
    assert stage.arrived(event_id, "billing").json()["data"] == {"name": "Zoë 🚲"}
    explained = stage.relay.json("explain", event_id)
    (message,) = explained["messages"]
    assert message["target"] == "billing"
    assert message["headers"]["webhook-id"] == f"{event_id}_billing"
    assert message["headers"]["x-team"] == "[secret]"
    file = stage.relay.directory / "event.json"
    file.write_text(json.dumps({"type": "github.push", "source": "github", "data": {"pusher": "ana"}}))
    told = stage.relay.json("explain", f"@{file}")
    assert {one["target"] for one in told["messages"]} == {"billing", "ops-room"}
    shown = json.dumps([explained, told])
    assert not [secret for secret in (CHAT_TOKEN, BILLING_SECRET, "finance", stage.sink.url("/")) if secret in shown]

    attempt = stage.relay.json("send", "ops-room", "Hello from a test")
    assert (attempt["status"], attempt["outcome"]) == (200, "delivered")
    assert "Hello from a test" in [message.json().get("text") for message in stage.messages()]
    stage.sink.on("/billing", Answer(status=403, body="not you"))
    refused = stage.relay.cli("send", "billing", "--json")
    assert "403" in refused.fails(1)
    assert refused.json()["response"] == "not you"


def test_doctor(stage: Stage) -> None:
    """All is well with a relay that runs, and each check says what it saw."""
    found = eventually(lambda: json.loads(stage.relay.cli("doctor", "--json").out), what="a report")
    assert found["ok"], found
    names = {one["check"] for one in found["checks"]}
    assert {"database", "migrations", "broker", "clock", "workers", "deliveries"} <= names
    assert {"outbox relay", "outbox shop", "target billing", "target ops-room"} <= names


def test_pages(stage: Stage) -> None:
    """Cursors walk a listing from its newest to its oldest item, each once, and filters hold on every page."""
    ids = [stage.emit("told.paged", n) for n in range(7)]
    for event_id in ids:
        stage.relay.settled(event_id, "billing")
    walked = list(stage.relay.every("/events", type="told.paged", limit=3))
    assert [one["id"] for one in walked] == ids[::-1]
    carried = list(stage.relay.every("/deliveries", type="told.paged", limit=2))
    assert sorted(one["event_id"] for one in carried) == sorted(ids)
    assert len({one["id"] for one in carried}) == 7
    exact = stage.relay.get("/events", type="told.paged", limit=7)
    assert (len(exact["items"]), exact["next_cursor"]) == (7, None)


@pytest.mark.parametrize(
    ("name", "fits", "misses"),
    [
        ("type", "told.fil*", "told.filt"),
        ("source", "a?i", "ap"),
        ("subject", "things/1", "things/2"),
        ("state", "delivered", "dead"),
        ("target", "billing", "ops-room"),
        ("route", "all-else", "rows"),
        ("since", "1h", "2999-01-01T00:00:00Z"),
        ("until", "2999-01-01T00:00:00Z", "1h"),
        ("q", "LD.FILT", "%"),
    ],
)
def test_filters(stage: Stage, name: str, fits: str, misses: str) -> None:
    """Each filter finds the events that fit and no others."""
    event_id = stage.emit("told.filtered")
    stage.relay.settled(event_id, "billing")
    assert event_id in [one["id"] for one in stage.relay.every("/events", **{name: fits})]
    assert event_id not in [one["id"] for one in stage.relay.every("/events", **{name: misses})]


def test_events_are_published(stage: Stage) -> None:
    """CloudEvents are taken structured, in a batch and in binary mode; the same source and id twice is one event."""
    one = {"specversion": "1.0", "id": str(uuid4()), "source": "api", "type": "told.published", "data": {"n": 1}}
    two = one | {"id": str(uuid4()), "data": {"n": 2}}
    url = f"{stage.relay.base}/api/v1/events"
    structured = {"content-type": "application/cloudevents+json"}
    first = stage.relay.http.post(url, data=json.dumps(one), headers=structured).json()["ids"]
    batch = {"content-type": "application/cloudevents-batch+json"}
    both = stage.relay.http.post(url, data=json.dumps([one, two, two]), headers=batch).json()["ids"]
    assert [both[0]] == first
    assert both[1] == both[2]
    headers = {f"ce-{name}": str(one[name]) for name in ("specversion", "source", "type")}
    headers |= {"ce-id": str(uuid4()), "content-type": "application/json"}
    third = stage.relay.http.post(url, data=b'{"n": 3}', headers=headers).json()["ids"]
    for event_id, number in zip([*both[:2], *third], (1, 2, 3), strict=True):
        assert stage.arrived(event_id, "billing").json()["data"] == {"n": number}


def test_the_api_wants_its_token(stage: Stage) -> None:
    """Without the token nothing of the API is told; health is told to everybody."""
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic wrong"}):
        for path in ("events", "deliveries", f"events/{uuid4()}", f"deliveries/{uuid4()}/attempts"):
            problem(requests.get(f"{stage.relay.base}/api/v1/{path}", headers=headers, timeout=20), 401)
    assert requests.get(f"{stage.relay.base}/healthz", timeout=20).json() == {"status": "ok"}
    assert requests.get(f"{stage.relay.base}/readyz", timeout=20).json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/events/no-id", 404),
        (f"/events/{uuid4()}", 404),
        (f"/deliveries/{uuid4()}", 404),
        (f"/deliveries/{uuid4()}/attempts", 404),
        ("/nothing", 404),
        ("/events?limit=0", 400),
        ("/events?limit=201", 400),
        ("/events?limit=x", 400),
        ("/events?colour=red", 400),
        ("/events?since=yesterday", 400),
        ("/events?state=lost", 400),
        ("/events?cursor=%21%21", 400),
        ("/events?cursor=x", 400),
        ("/events?cursor=OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5", 400),
        ("/events?q=%00", 400),
        ("/deliveries?cursor=OTk5", 400),
        ("/deliveries?subject=%ED%A0%80", 200),
    ],
)
def test_questions_that_make_no_sense(stage: Stage, path: str, status: int) -> None:
    """What cannot be answered is a problem that says why, never a failure of the relay."""
    answer = stage.relay.http.get(f"{stage.relay.base}/api/v1{path}", timeout=20)
    if status == 200:
        assert answer.status_code == 200, answer.text
    else:
        problem(answer, status)


def test_methods(stage: Stage) -> None:
    """A path that is used in a way it does not know says which ways there are."""
    for method, path in (("GET", "/in/anybody"), ("DELETE", "/api/v1/events"), ("POST", "/healthz")):
        answer = stage.relay.http.request(method, stage.relay.base + path, timeout=20)
        problem(answer, 405)
        assert answer.headers["allow"]


def test_webhooks_that_are_refused(stage: Stage) -> None:
    """Nothing that is unknown, unsigned, unreadable, too large or compressed is stored, and each is told why."""
    started = datetime.now(UTC).isoformat()
    post = stage.relay.post
    problem(post("nobody"), 404)
    problem(post("github"), 401)
    problem(post("github", b"{}", {"x-hub-signature-256": "sha256=00", "x-github-event": "push"}), 401)
    problem(post("caller", b"{}", {"authorization": "Bearer wrong"}), 401)
    problem(post("anybody", b"{"), 400)
    problem(post("anybody", b"\xff\xfe"), 400)
    problem(post("anybody", b"[" * 100_000), 400)
    problem(post("anybody", b"{}", {"x-event-type": "x" * 257}), 400)
    problem(post("anybody", b'{"type": "nul \\u0000"}'), 400)
    problem(post("anybody", b'"' + b"x" * (1 << 20) + b'"'), 413)
    problem(post("anybody", b"{}", {"content-encoding": "gzip"}), 400)
    problem(post("anybody", b"{}", {"content-encoding": "br"}), 415)
    problem(post("anybody", b"--x--", {"content-type": "multipart/form-data; boundary=x"}), 415)
    chunked = requests.post(f"{stage.relay.base}/in/anybody", data=iter([b"x" * 600_000] * 2), timeout=20)
    problem(chunked, 413)
    assert list(stage.relay.every("/events", since=started)) == []


def test_events_that_are_refused(stage: Stage) -> None:
    """A CloudEvent that is none is told what it lacks; of a batch with a wrong one nothing is stored."""
    url = f"{stage.relay.base}/api/v1/events"
    good = {"specversion": "1.0", "id": str(uuid4()), "source": "api", "type": "told.refused"}
    json_type, batch = "application/cloudevents+json", "application/cloudevents-batch+json"
    wrong: list[tuple[Any, str, int, str]] = [
        (good | {"specversion": "0.3"}, json_type, 400, "specversion"),
        (good | {"id": ""}, json_type, 400, "id"),
        (good | {"type": 7}, json_type, 400, "type"),
        (good | {"subject": []}, json_type, 400, "subject"),
        (good | {"time": "noon"}, json_type, 400, "time"),
        ([good, {}], batch, 400, "specversion"),
        (good, batch, 400, "batch"),
        ([], json_type, 400, "object"),
        (good, "application/json", 415, "CloudEvent"),
    ]
    for document, content_type, status, words in wrong:
        answer = stage.relay.http.post(url, data=json.dumps(document), headers={"content-type": content_type})
        assert words in problem(answer, status)["detail"]
    assert stage.relay.get("/events", type="told.refused")["items"] == []


@on_sqlite
def test_half_a_character_is_shown(stage: Stage) -> None:
    """A lone surrogate, which JSON's escapes can hold and UTF-8 cannot, is shown as it came."""
    event_id = stage.relay.json("emit", "told.half", "--data", r'["\ud83d", "\u001b[2J"]')["id"]
    assert stage.relay.get(f"/events/{event_id}")["data"] == ["\ud83d", "\x1b[2J"]
    assert stage.relay.json("show", event_id)["data"] == ["\ud83d", "\x1b[2J"]
    shown = stage.relay.cli("show", event_id).succeeds().out
    assert "\\ud83d" in shown
    assert "\x1b" not in shown


def test_any_body_travels(stage: Stage) -> None:
    """Forms, text, bytes that are no text, NUL, a whole mebibyte: what was accepted arrives."""
    form = "application/x-www-form-urlencoded"
    whole = json.dumps("x" * ((1 << 20) - 2)).encode()
    given: list[tuple[str, bytes, str, Any]] = [
        (form, b"a=1&a=2&b=%C3%A9", "data", "a=1&a=2&b=%C3%A9"),
        ("text/plain; charset=utf-8", "Zoë".encode(), "data", "Zoë"),
        ("application/octet-stream", b"\x00\xff", "data_base64", base64.b64encode(b"\x00\xff").decode()),
        ("application/json", b'{"nul": "\\u0000", "half": "\\ud800"}', "data", {"nul": "\0", "half": "\ud800"}),
        ("application/json", whole, "data", "x" * ((1 << 20) - 2)),
    ]
    for content_type, body, member, expected in given:
        headers = {"content-type": content_type, "x-event-type": "told.anything"}
        answer = stage.relay.post("anybody", body, headers)
        assert answer.status_code == 202, answer.text
        event_id = answer.json()["id"]
        told = stage.arrived(event_id, "billing").json()
        assert told[member] == expected
        assert stage.relay.get(f"/events/{event_id}")["id"] == event_id
