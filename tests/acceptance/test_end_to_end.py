"""From a commit or a webhook to the target, through the real processes."""

import hashlib
import hmac
import json
import time
from base64 import b64decode, b64encode
from typing import Any
from uuid import uuid4

from sqlalchemy.orm import Session, sessionmaker

from tests.acceptance.conftest import (
    BILLING_SECRET,
    GITHUB_SECRET,
    STANDARD_SECRET,
    Memo,
    Order,
    Stage,
    check_cloudevent,
    query_of,
    verify,
)
from tests.support import chat_schema
from tests.support.processes import eventually
from tests.support.sink_server import Answer


def push(stage: Stage, delivery: str, secret: str = GITHUB_SECRET, **content: Any) -> Any:
    """Send what GitHub sends for a push."""
    body = json.dumps({"pusher": "ana", "repository": {"full_name": "octo/hello"}, **content}).encode()
    signature = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {"x-github-event": "push", "x-github-delivery": delivery, "x-hub-signature-256": signature}
    return stage.relay.post("github", body, headers)


def change_order(sessions: sessionmaker[Session]) -> int:
    """Place an order and pay it, in two transactions; return its number."""
    with sessions.begin() as session:
        session.add(order := Order(status="placed"))
    with sessions.begin() as session:
        session.merge(Order(id=order.id, status="paid"))
    return order.id


def test_a_row_of_an_application_arrives(stage: Stage) -> None:
    """What another database's application commits arrives as a signed CloudEvent and as a card in the row's thread."""
    subject = f"orders/{change_order(stage.shop)}"
    created = stage.event_of(subject=subject, type="orders.created")
    updated = stage.event_of(subject=subject, type="orders.updated")

    request = stage.arrived(updated["id"], "billing")
    verify(request, BILLING_SECRET)
    assert request.headers["x-team"] == "finance"
    told = check_cloudevent(request)
    assert (told["id"], told["source"], told["subject"]) == (updated["id"], "shop", subject)
    assert told["data"]["before"]["status"] == "placed"
    assert told["data"]["after"]["status"] == "paid"
    assert told["data"]["changed"] == ["status"]

    both = created["id"], updated["id"]
    cards = eventually(lambda: found if len(found := stage.messages(*both)) == 2 else None, what="two cards")
    threads = {chat_schema.check(card.body)["thread"]["threadKey"] for card in cards}
    assert len(threads) == 1, "a row has one thread"
    assert all(query_of(card)["messageReplyOption"].startswith("REPLY_MESSAGE") for card in cards)
    assert any("paid" in words for words in chat_schema.strings(cards[-1].json()))
    assert stage.relay.settled(created["id"], "ops-room")["attempts"] == 1


def test_a_row_beside_the_relay_arrives(stage: Stage) -> None:
    """An application in the relay's own database is collected too; what is rolled back is never heard of."""
    with stage.own() as session:
        session.add(Memo(text="rolled back"))
        session.flush()
        session.rollback()
    with stage.own.begin() as session:
        session.add(memo := Memo(text="naïve 🚚"))
    event = stage.event_of(type="memos.created", subject=f"memos/{memo.id}")
    told = check_cloudevent(stage.arrived(event["id"], "billing"))
    assert told["data"]["after"]["text"] == "naïve 🚚"
    everything = stage.relay.every("/events", source="own")
    assert [one["data"]["after"]["text"] for one in everything] == ["naïve 🚚"]


def test_a_webhook_arrives(stage: Stage) -> None:
    """A signed webhook is told in the route's own words, in its thread, and cannot mention anybody."""
    answer = push(stage, str(uuid4()), pusher="<users/all>")
    assert answer.status_code == 202
    event_id = answer.json()["id"]
    request = stage.arrived(event_id, "billing")
    verify(request, BILLING_SECRET)
    told = check_cloudevent(request)
    assert (told["type"], told["source"], told["subject"]) == ("github.push", "github", "octo/hello")
    (message,) = eventually(lambda: stage.messages(event_id))
    body = chat_schema.check(message.body)
    assert body["text"].endswith("pushed to octo/hello")
    assert "<users/all>" not in body["text"]
    assert body["thread"]["threadKey"] == "octo/hello"


def test_every_kind_of_source_is_taken(stage: Stage) -> None:
    """Standard Webhooks, an HMAC, a bearer token and nothing at all: each is verified its own way."""
    body = b'{"type": "told.once"}'
    stamp = str(int(time.time()))
    key = b64decode(STANDARD_SECRET.removeprefix("whsec_"))
    signed = b64encode(hmac.new(key, b"msg_1." + stamp.encode() + b"." + body, hashlib.sha256).digest()).decode()
    headers: dict[str, dict[str, str]] = {
        "partner": {"webhook-id": "msg_1", "webhook-timestamp": stamp, "webhook-signature": f"v1,{signed}"},
        "machine": {"x-machine-signature": hmac.new(b"machine-secret", body, hashlib.sha256).hexdigest()},
        "caller": {"authorization": "Bearer caller-secret"},
        "anybody": {},
    }
    for source, proof in headers.items():
        answer = stage.relay.post(source, body, proof)
        assert answer.status_code == 202, (source, answer.text)
        told = check_cloudevent(stage.arrived(answer.json()["id"], "billing"))
        assert (told["type"], told["source"]) == ("told.once", source)


def test_a_repeat_is_one_event(stage: Stage) -> None:
    """A sender's retry gets 200 and the first id, and nothing is sent a second time."""
    delivery = str(uuid4())
    first = push(stage, delivery)
    event_id = first.json()["id"]
    stage.relay.settled(event_id, "billing")
    repeats = [push(stage, delivery) for _ in range(3)]
    assert [(one.status_code, one.json()["id"]) for one in repeats] == [(200, event_id)] * 3
    # Whatever the repeats might have caused is through once a later event is.
    stage.relay.settled(push(stage, str(uuid4())).json()["id"], "billing")
    assert len(stage.of(event_id)) == 1


def test_conditions_decide(stage: Stage) -> None:
    """Globs on types and sources and a CEL condition decide together, and each refusal has its reason."""
    subject = f"orders/{change_order(stage.shop)}"
    created = stage.event_of(subject=subject, type="orders.created")
    updated = stage.event_of(subject=subject, type="orders.updated")
    stage.relay.settled(updated["id"], "patient")
    stage.relay.settled(created["id"], "billing")
    assert set(stage.relay.deliveries(created["id"])) == {"billing", "ops-room"}
    unwanted = stage.relay.post("anybody", b'{"type": "nobody.cares"}')
    assert unwanted.status_code == 202
    explained = {one["route"]: one for one in stage.relay.json("explain", created["id"])["routes"]}
    assert [name for name, one in explained.items() if one["matched"]] == ["rows"]
    assert all(one["reason"] for one in explained.values() if not one["matched"])


def test_failures_are_tried_again(stage: Stage) -> None:
    """500 and 429 are tried again under the same webhook-id until the target takes it; each try is an attempt."""
    stage.sink.on("/flaky", Answer(status=500), Answer(status=429), Answer())
    event_id = stage.emit("flaky.once")
    delivery = stage.relay.settled(event_id, "flaky")
    assert (delivery["attempts"], delivery["last_status"], delivery["last_error"]) == (3, 200, None)
    assert {one.headers["webhook-id"] for one in stage.of(event_id)} == {f"{event_id}_flaky"}
    attempts = stage.relay.get(f"/deliveries/{delivery['id']}/attempts")["items"]
    assert [(one["number"], one["status"], one["outcome"]) for one in attempts] == [
        (1, 500, "failed"),
        (2, 429, "throttled"),
        (3, 200, "delivered"),
    ]


def test_retry_after_is_a_floor(stage: Stage) -> None:
    """A target that asks for patience is not asked again before its time, though the schedule says sooner."""
    stage.sink.on("/patient", Answer(status=503, headers={"retry-after": "2"}), Answer())
    event_id = stage.emit("patient.once")
    stage.relay.settled(event_id, "patient")
    first, second = stage.of(event_id)
    assert second.at - first.at >= 2


def test_the_last_try_is_the_last(stage: Stage) -> None:
    """After the last try a delivery is dead, and says why; a refusal is dead at once."""
    stage.sink.on("/flaky", Answer(status=500))
    delivery = stage.relay.settled(stage.emit("flaky.dead"), "flaky", "dead")
    assert (delivery["attempts"], delivery["last_status"]) == (3, 500)
    assert delivery["last_error"].startswith("500")
    stage.sink.on("/flaky", Answer(status=404))
    refused = stage.relay.settled(stage.emit("flaky.refused"), "flaky", "dead")
    assert refused["attempts"] == 1


def test_replay_keeps_the_id(stage: Stage) -> None:
    """What is dead or was delivered is sent again under its webhook-id, one delivery, one event or all that fit."""
    stage.sink.on("/flaky", Answer(status=404))
    event_id = stage.emit("flaky.replayed")
    delivery = stage.relay.settled(event_id, "flaky", "dead")
    stage.sink.on("/flaky", Answer())
    stage.relay.cli("replay", delivery["id"]).succeeds()
    stage.relay.settled(event_id, "flaky")
    assert stage.relay.json("replay", event_id)["events"] == 1
    eventually(lambda: len(stage.of(event_id)) == 3)
    filtered = ("--state", "delivered", "--target", "flaky", "--type", "flaky.rep*")
    eventually(lambda: stage.relay.json("replay", *filtered)["count"] == 1)
    eventually(lambda: len(stage.of(event_id)) == 4)
    assert {one.headers["webhook-id"] for one in stage.of(event_id)} == {f"{event_id}_flaky"}
    assert stage.relay.settled(event_id, "flaky")["attempts"] == 4


def test_workers_follow_the_configuration(stage: Stage) -> None:
    """What is applied holds for the next event, without a restart; a wrong file changes nothing."""
    original = (stage.relay.directory / "relay.toml").read_text()
    more = original + '\n[[routes]]\nname = "later"\ntypes = ["later.*"]\nto = ["billing"]\n'
    event_id = stage.emit("later.too-early")
    plan = stage.relay.apply(more)
    assert plan.succeeds().out.strip() == "+ route later: to billing"
    stage.arrived(stage.emit("later.now"), "billing")
    wrong = stage.relay.apply(more + '\n[[routes]]\nname = "wrong"\nto = ["nobody"]\n')
    assert "nobody" in wrong.fails(2)
    stage.arrived(stage.emit("later.still"), "billing")
    assert stage.relay.apply(original).succeeds().out.strip() == "- route later: to billing"
    late = stage.emit("later.too-late")
    stage.relay.settled(stage.emit("told.after"), "billing")
    assert stage.of(event_id) == stage.of(late) == []
