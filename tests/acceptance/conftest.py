"""A whole relay, configured once for each kind of database, and an application that it watches."""

import hashlib
import hmac
import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

from relay import capture
from tests.support.postgres import Postgres
from tests.support.processes import eventually
from tests.support.relay import RunningRelay
from tests.support.sink import Received, Sink
from tests.support.valkey import Valkey

GITHUB_SECRET = "It's a secret to everybody"
STANDARD_SECRET = "whsec_" + b64encode(b"sender-" * 5).decode()
BILLING_SECRET = "whsec_" + b64encode(b"billing" * 5).decode()
CHAT_TOKEN = "chat-token-that-nobody-may-see"

CONFIGURATION = """
[[sources]]
name = "github"
verify = "github"
secret = "env:GITHUB_SECRET"

[[sources]]
name = "partner"
verify = "standard_webhooks"
secret = "env:STANDARD_SECRET"

[[sources]]
name = "machine"
verify = "hmac"
secret = "machine-secret"
header = "x-machine-signature"

[[sources]]
name = "caller"
verify = "bearer"
secret = "caller-secret"

[[sources]]
name = "anybody"
verify = "none"

[[databases]]
name = "shop"
url = "env:SHOP_URL"

[[targets]]
name = "billing"
kind = "http"
url = "{sink}/billing"
secret = "env:BILLING_SECRET"
headers = {{ x-team = "env:TEAM" }}

[[targets]]
name = "ops-room"
kind = "google_chat"
url = "{sink}/v1/spaces/OPS/messages?key=chat-key-of-the-space&token={token}"
rate = "50/s"

[[targets]]
name = "flaky"
kind = "http"
url = "{sink}/flaky"
timeout = "1s"
retry = {{ first = "100ms", factor = 1, max = "100ms", attempts = 3 }}

[[targets]]
name = "patient"
kind = "http"
url = "{sink}/patient"
retry = ["10ms"]

[[routes]]
name = "rows"
types = ["orders.*", "memos.*"]
sources = ["shop", "own"]
to = ["billing", "ops-room"]

[[routes]]
name = "paid"
types = ["orders.updated"]
when = "data.after.status == 'paid' && data.before.status != 'paid'"
to = ["patient"]
text = "never seen: http targets receive events"

[[routes]]
name = "pushes"
sources = ["git*"]
types = ["github.*"]
to = ["billing", "ops-room"]
text = "*{{{{ data.pusher }}}}* pushed to {{{{ event.subject }}}}"
thread = "{{{{ event.subject }}}}"

[[routes]]
name = "all-else"
sources = ["partner", "machine", "caller", "anybody", "api", "cli"]
types = ["told.*"]
to = ["billing"]

[[routes]]
name = "flaky"
types = ["flaky.*"]
to = ["flaky"]

[[routes]]
name = "patient"
types = ["patient.*"]
to = ["patient"]
"""


class ShopBase(DeclarativeBase):
    """The application's tables, in a database of its own."""


class Order(ShopBase):
    """What is watched in the application's database."""

    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    status: Mapped[str]


class OwnBase(DeclarativeBase):
    """Tables of an application that shares the relay's database."""


class Memo(OwnBase):
    """What is watched in the relay's own database."""

    __tablename__ = "memos"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]


capture.outbox(ShopBase.metadata)
capture.watch(Order)
capture.watch(Memo)


@dataclass(frozen=True)
class Stage:
    """A running relay, the sink its targets lead to, and sessions of the two applications it watches."""

    relay: RunningRelay
    sink: Sink
    shop: sessionmaker[Session]
    own: sessionmaker[Session]

    def emit(self, event_type: str, data: Any = None) -> str:
        """Record an event and return its id."""
        document = {
            "specversion": "1.0",
            "id": str(uuid4()),
            "source": "api",
            "type": event_type,
            "subject": "things/1",
            "data": data,
        }
        answer = self.relay.http.post(
            f"{self.relay.base}/api/v1/events",
            data=json.dumps(document),
            headers={"content-type": "application/cloudevents+json"},
            timeout=20,
        )
        assert answer.status_code == 202, answer.text
        return str(answer.json()["ids"][0])

    def of(self, event_id: str) -> list[Received]:
        """Return the requests that carried an event to http targets, oldest first."""
        carried = [one for one in self.sink.requests() if one.headers.get("webhook-id", "").startswith(event_id)]
        return [one for one in carried if "/spaces/" not in one.path]

    def arrived(self, event_id: str, target: str) -> Received:
        """Wait for the first request of an event to an http target."""

        def there() -> Received | None:
            wanted = f"{event_id}_{target}"
            return next((one for one in self.of(event_id) if one.headers["webhook-id"] == wanted), None)

        found = eventually(there, what=f"the request to {target}")
        assert found is not None
        return found

    def messages(self, *events: str) -> list[Received]:
        """Return what reached the chat space, of these events alone: what others left may come late."""
        found = self.sink.requests("/v1/spaces/OPS/messages")
        return [one for one in found if not events or one.headers["webhook-id"].startswith(events)]

    def event_of(self, **filters: str) -> dict[str, Any]:
        """Wait for the one event that fits, and return it as the API shows it."""
        (found,) = eventually(lambda: self.relay.get("/events", **filters)["items"], what=f"an event of {filters}")
        return dict(found)


def verify(request: Received, secret: str) -> None:
    """Check a Standard Webhooks signature as a receiver would."""
    key = b64decode(secret.removeprefix("whsec_"))
    headers = request.headers
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + request.body
    expected = "v1," + b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == expected


def check_cloudevent(request: Received) -> dict[str, Any]:
    """Return the CloudEvent that a request carries, having seen that it is one."""
    assert request.headers["content-type"] == "application/cloudevents+json"
    found: dict[str, Any] = request.json()
    assert found["specversion"] == "1.0"
    assert {"id", "source", "type", "time"} <= found.keys()
    return found


def query_of(request: Received) -> dict[str, str]:
    """Return the query of a request's target."""
    return {name: values[0] for name, values in parse_qs(urlsplit(request.target).query).items()}


@pytest.fixture(scope="package", params=["sqlite", "postgresql"])
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sink_process: Sink
) -> Iterator[Stage]:
    """The stage for all tests: `relay up` on SQLite with its own Valkey, single roles on PostgreSQL and Valkey."""
    directory = tmp_path_factory.mktemp(request.param)
    sink_process.start()
    # Its own: this relay runs on while other tests use theirs, and would take what is meant for them.
    valkey = Valkey()
    if request.param == "sqlite":
        relay = RunningRelay(directory)
        shop_url = f"sqlite:///{directory / 'shop.sqlite3'}"
    else:
        postgres: Postgres = request.getfixturevalue("postgres").start()
        relay = RunningRelay(directory, database=postgres.create_database(), broker=valkey.start().url)
        shop_url = postgres.create_database()
    relay.env |= {
        "GITHUB_SECRET": GITHUB_SECRET,
        "STANDARD_SECRET": STANDARD_SECRET,
        "BILLING_SECRET": BILLING_SECRET,
        "TEAM": "finance",
        "SHOP_URL": shop_url,
    }
    configuration = CONFIGURATION.format(sink=sink_process.url(""), token=CHAT_TOKEN)
    (directory / "relay.toml").write_text(configuration)
    try:
        if request.param == "sqlite":
            relay.start_up()
        else:
            relay.start_all()
        yield Stage(relay, sink_process, _shop(shop_url), _own(relay))
    finally:
        relay.close()
        valkey.stop()


def _shop(url: str) -> sessionmaker[Session]:
    engine = create_engine(url)
    ShopBase.metadata.create_all(engine)
    sessions = sessionmaker(engine, expire_on_commit=False)
    capture.install(sessions, source="shop", wake="")
    return sessions


def _own(relay: RunningRelay) -> sessionmaker[Session]:
    engine = relay.engine()
    OwnBase.metadata.create_all(engine)
    sessions = sessionmaker(engine, expire_on_commit=False)
    capture.install(sessions, source="own", wake="")
    return sessions


@pytest.fixture
def stage(running: Stage) -> Stage:
    """The stage, with a sink that was told nothing and received nothing."""
    running.sink.start().reset()
    return running
