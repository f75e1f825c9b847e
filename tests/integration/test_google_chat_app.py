"""The Chat app with real requests: a token first, then one message that is edited."""

import json
from pathlib import Path

from tests.support import chat_schema
from tests.support.engine import Engine, engine
from tests.support.sink import Sink
from tests.support.sink_server import Answer

__all__ = ["engine"]

FIXTURE = Path(__file__).parents[1] / "fixtures" / "targets" / "google_chat_app" / "row_updated.json"


def test_a_subject_has_one_message_that_is_edited(engine: Engine, sink: Sink, tmp_path: Path) -> None:
    """One token serves all; events about a subject edit the same message, in their order, each body one Chat takes."""
    account = tmp_path / "account.json"
    account.write_text(json.loads(FIXTURE.read_text())["options"]["credentials"])
    sink.on("/token", Answer(body=json.dumps({"access_token": "ya29.tok", "expires_in": 3599})))
    engine.configure(f"""
[[targets]]
name = "board"
kind = "google_chat_app"
space = "spaces/AAAA"
credentials = "file:{account}"
token_url = "{sink.url("/token")}"
api_url = "{sink.url("/")}"
rate = "1000/s"

[[routes]]
name = "all"
sources = ["shop"]
to = ["board"]
""")
    engine.record("orders/1", "orders/2", "orders/1")
    engine.drain_until_settled()
    assert {delivery.state for delivery in engine.deliveries()} == {"delivered"}
    assert len(sink.requests("/token")) == 1
    posted = [one for one in sink.requests() if one.path != "/token"]
    assert {(one.method, one.headers["authorization"]) for one in posted} == {("PATCH", "Bearer ya29.tok")}
    assert len({one.path for one in posted}) == 2
    edited = [one.path for one in posted if [other.path for other in posted].count(one.path) == 2]
    assert len(edited) == 2
    assert all(one.target.endswith("?updateMask=text%2CcardsV2&allowMissing=true") for one in posted)
    for one in posted:
        chat_schema.check(one.body)
