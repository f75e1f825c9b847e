"""Every chat through a real relay, against services that answer like the real ones: throttled first, then taken."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.chats import CHATS
from tests.support.processes import eventually
from tests.support.relay import RunningRelay
from tests.support.sink import Sink
from tests.support.sink_server import Answer

KEY = "hidden-key-0123456789abcdefghij"
ROUTING_KEY = "hidden-key-0123456789abcdef01234"
THROTTLED = (
    "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId x"
)
EVENT = {
    "before": {"status": "pending <!here>"},
    "after": {"status": "paid @everyone <b>*x*</b>\0\u202e", "note": "漢😀" * 5_000},
    "changed": ["status", "note"],
}
ANSWERS = {
    "slack": (Answer(429, "rate_limited", {"Retry-After": "1"}), Answer(200, "ok")),
    "mattermost": (Answer(429, "limit exceeded"), Answer(200, "ok")),
    "teams": (Answer(200, THROTTLED), Answer(202, "")),
    "discord": (
        Answer(429, json.dumps({"message": "You are being rate limited.", "retry_after": 0.5, "global": False})),
        Answer(200, json.dumps({"id": "1"})),
    ),
    "telegram": (
        Answer(429, json.dumps({"ok": False, "error_code": 429, "parameters": {"retry_after": 1}})),
        Answer(200, json.dumps({"ok": True, "result": {}})),
    ),
    "pagerduty": (
        Answer(429, json.dumps({"status": "throttle exceeded"})),
        Answer(202, json.dumps({"status": "success", "dedup_key": ROUTING_KEY})),
    ),
}
PATHS = {kind: f"/{kind}/{KEY}" for kind in ANSWERS} | {
    "telegram": f"/bot123456:{KEY}/sendMessage",
    "pagerduty": "/v2/enqueue",
}


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[RunningRelay]:
    """What `relay up` makes of an empty directory."""
    relay = RunningRelay(tmp_path)
    try:
        yield relay
    finally:
        relay.close()


def configuration(sink: Sink) -> str:
    """A target of each kind, whose service is the sink."""
    own = {kind: f'url = "{sink.url(path)}"' for kind, path in PATHS.items()} | {
        "telegram": f'token = "123456:{KEY}"\nchat_id = -1001234567890\nurl = "{sink.url("/")}"',
        "pagerduty": f'routing_key = "{ROUTING_KEY}"\nurl = "{sink.url(PATHS["pagerduty"])}"',
    }
    targets = "\n".join(
        f'[[targets]]\nname = "{kind}"\nkind = "{kind}"\nrate = "50/s"\n{fields}\n' for kind, fields in own.items()
    )
    return f'{targets}\n[[routes]]\nname = "all"\nto = {json.dumps(list(own))}\n'


def test_every_chat_takes_what_the_relay_sends(relay: RunningRelay, sink: Sink) -> None:
    """One hostile, huge change is throttled, then taken by every service, in its own form; nothing secret is seen."""
    assert ANSWERS.keys() == CHATS.keys()
    for kind, answers in ANSWERS.items():
        sink.on(PATHS[kind], *answers)
    relay.start_up()
    relay.apply(configuration(sink)).succeeds()
    emitted = relay.cli(
        "emit", "orders.updated", "--source", "shop", "--subject", "orders/42", "--data", json.dumps(EVENT)
    )
    event_id = emitted.succeeds().out.strip()
    eventually(lambda: _all_delivered(relay, event_id), 30, what="every chat delivered")
    for kind, chat in CHATS.items():
        throttled, taken = sink.requests(PATHS[kind])
        assert throttled.body == taken.body
        chat.seen(taken.body)
    attempts = [relay.get(f"/deliveries/{one['id']}/attempts") for one in relay.deliveries(event_id).values()]
    assert all("429" in json.dumps(made) for made in attempts)
    seen = json.dumps([attempts, relay.get("/targets")]) + relay.children["up"].text
    assert "hidden-key" not in seen


def _all_delivered(relay: RunningRelay, event_id: str) -> bool:
    states = {name: (one["state"], one["attempts"]) for name, one in relay.deliveries(event_id).items()}
    assert states == dict.fromkeys(CHATS, ("delivered", 2)), states
    return True
