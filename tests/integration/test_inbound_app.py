"""The real web application, its store and every provider: genuine requests get in, and nothing makes it stumble."""

import json
from collections.abc import Iterator
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from relay import wiring
from relay.config import Settings
from relay.domain.event import Event
from relay.domain.inbound import SourceOptions
from relay.plugins import discover
from relay.secrets import Sealer
from relay.store import migrate
from relay.web import receive
from relay.web.library import Library
from tests.support.valkey import Valkey

FIXTURES = Path(__file__).parents[1] / "fixtures" / "inbound"
PROVIDERS = discover().providers
ADDRESS = "https://relay.example/in/sender"
ANSWERS = {200, 202, 400, 401, 405, 408, 413, 415, 431}

CASES = {
    f"{path.parent.name}-{path.stem}": json.loads(path.read_text(encoding="utf-8"))
    for path in sorted(FIXTURES.glob("*/*.json"))
}
SECRETS = sorted(
    {
        str(case["options"][name])
        for case in CASES.values()
        for name in ("secret", "verify_token")
        if name in case["options"]
    }
)


class Shelf:
    """The documents of the fixtures, in place of the internet; it notes who was visited."""

    def __init__(self) -> None:
        self.visited: list[str] = []
        self._documents = {url: text for case in CASES.values() for url, text in case.get("documents", {}).items()}

    def known(self, url: str, holds: str) -> bytes | None:
        """Return nothing: everything has to be fetched."""
        return None

    def fetch(self, url: str, holds: str) -> bytes:
        """Return a document."""
        return self._documents.get(url, "").encode()

    def visit(self, url: str) -> None:
        """Note a visit."""
        self.visited.append(url)


class Then:
    """A clock that stands still at the moment a fixture was signed."""

    def __init__(self, at: str) -> None:
        self._at = datetime.fromisoformat(at)

    def now(self, zone: tzinfo) -> datetime:
        """Return that moment."""
        return self._at.astimezone(zone)


def written(table: dict[str, Any]) -> str:
    """Return a table as relay.toml has it."""
    return "[[sources]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in table.items())


@pytest.fixture(scope="module")
def shelf() -> Shelf:
    """The documents that providers need."""
    return Shelf()


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, valkey: Valkey, shelf: Shelf) -> Iterator[TestClient]:
    """A client of the application, with a source for every fixture; what the application does not foresee is raised."""
    directory = tmp_path_factory.mktemp("relay")
    relay = wiring.Relay(
        Settings(data_dir=directory, broker_url=valkey.start().url, secret_keys=(Sealer.new_key(),), api_token="token")
    )
    migrate.migrate(relay.database)
    text = "".join(
        written({"name": name, "verify": name.partition("-")[0], **case["options"]}) for name, case in CASES.items()
    )
    relay.configurator.apply_text(text + '[[sources]]\nname = "anybody"\nverify = "none"\n', "relay.toml")
    app = relay.web()
    app.state.library = Library(shelf)
    with TestClient(app, base_url="https://relay.example") as client:
        yield client


def send(client: TestClient, name: str, case: dict[str, Any], **changed: Any) -> Any:
    """Send a fixture's request to its source, at the moment it was signed."""
    sent = case["request"]
    query = sent["url"].partition("?")[2]
    headers = [(key.encode(), value.encode("latin-1", "replace")) for key, value in sent["headers"].items()]
    asked = {"method": sent["method"], "content": sent["body"].encode(), "headers": headers} | changed
    with patch.object(receive, "datetime", Then(case["at"])):
        return client.request(url=f"/in/{name}?{query}" if query else f"/in/{name}", **asked)


@pytest.mark.parametrize("name", sorted(CASES))
def test_genuine_requests_get_in(client: TestClient, shelf: Shelf, name: str) -> None:
    """Whatever a sender signs is stored and answered, a repeat with the same id; handshakes are answered."""
    case = CASES[name]
    if "url" in case.get("signed", []):
        assert send(client, name, case).status_code == 401, "another address was signed"
        return
    answer = send(client, name, case)
    expected = case.get("handshake") or case.get("greeting")
    if expected:
        assert (answer.status_code, answer.text) == (expected["status"], expected["body"])
        assert [expected["visit"]] == shelf.visited if "visit" in expected else True
        return
    assert answer.status_code == 202, answer.text
    reading = case.get("reading") or case["readings"][0]
    if "dedupe" in reading:
        again = send(client, name, case)
        assert (again.status_code, again.json()["id"]) == (200, answer.json()["id"])
    shown = client.get(f"/api/v1/events/{answer.json()['id']}", headers={"authorization": "Bearer token"})
    assert shown.status_code == 200
    assert shown.json()["type"] == reading["type"].replace("sender.", f"{name}.")


FUZZ = settings(
    max_examples=25,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
VALUE = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=200)
TYPE = st.sampled_from(
    [
        *("application/json", "application/cloudevents+json", "application/cloudevents-batch+json", "text/plain"),
        *("application/x-www-form-urlencoded", "text/html; charset=utf-16", "text/x; charset=zip", "", "a/b", ";;="),
        *("multipart/form-data; boundary=x", "application/json; charset=\xff"),
    ]
)
ODD = st.sampled_from(
    [
        *(b"NaN", b"[1e999]", b"[" * 65 + b"]" * 65, b"[" * 99_999, b"9" * 4300, b"9" * 4301, b"-" + b"9" * 400),
        *(b'{"type":1,"type":"x"}', b'"\\ud800"', b"\xff\xfe", b"\xef\xbb\xbf{}", b"\x1f\x8b\x08\x00", b"a=%ff&=&a"),
        *(b"&" * 2000, b'{"type":"' + b"x" * 300 + b'"}', b'{"specversion":"1.0"}', b"null", b'{"data":1e308}'),
        b'[{"specversion":"1.0","id":"1","source":"/","type":"t","time":"0001-01-01T00:00:00+14:00"}]',
        b'{"specversion":"1.0","id":"\\ud800","source":"/","type":"t","data":{"n":123456789012345678901234567890}}',
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
).map(lambda value: json.dumps(value).encode())


def check(answer: Any) -> None:
    """See that an answer is one of those that are foreseen, and tells no secret."""
    assert answer.status_code in ANSWERS, answer.text
    assert [secret for secret in SECRETS if len(secret) > 7 and secret in answer.text] == []
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == answer.status_code


@pytest.mark.parametrize("name", sorted(CASES))
@FUZZ
@given(data=st.data())
def test_strangers_are_only_refused(client: TestClient, name: str, data: st.DataObject) -> None:
    """Whatever a stranger puts into headers, query, method or body, it is turned away and learns nothing."""
    case = CASES[name]
    genuine = case["request"]
    headers = {key: data.draw(st.just(value) | VALUE) for key, value in genuine["headers"].items()}
    headers |= data.draw(st.fixed_dictionaries({}, optional={"content-type": TYPE, "content-encoding": VALUE}))
    body = data.draw(st.just(genuine["body"].encode()) | st.binary(max_size=100) | ODD | JSON)
    check(
        send(
            client,
            name,
            case,
            method=data.draw(st.sampled_from(["POST", "POST", "POST", "GET", "OPTIONS", "PUT"])),
            headers=[(key.encode(), value.encode("latin-1", "replace")) for key, value in headers.items()],
            params=data.draw(st.dictionaries(st.text(max_size=5), st.text(max_size=9), max_size=3)),
            content=body,
        )
    )


@settings(FUZZ, max_examples=300)
@given(
    body=ODD | JSON | st.binary(max_size=200),
    headers=st.fixed_dictionaries(
        {"content-type": TYPE},
        optional={
            "x-event-type": VALUE,
            "idempotency-key": VALUE,
            "content-encoding": st.sampled_from(["gzip", "GZIP", "identity", "br", ""]),
            "ce-specversion": st.sampled_from(["1.0", "2"]),
            "ce-id": VALUE,
        },
    ),
    source=st.sampled_from(["anybody", "cloudevents-binary"]),
)
def test_whatever_is_sent_is_stored_or_refused(
    client: TestClient, body: bytes, headers: dict[str, str], source: str
) -> None:
    """Where nothing is checked, any bytes are an event or are unreadable; what was stored can be shown."""
    named = [(key.encode(), value.encode("latin-1", "replace")) for key, value in headers.items()]
    answer = client.post(f"/in/{source}", content=body, headers=named)
    check(answer)
    if answer.status_code == 202:
        shown = client.get(f"/api/v1/events/{answer.json()['id']}", headers={"authorization": "Bearer token"})
        assert shown.status_code == 200, shown.text
        shown.json()


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_header_sent_twice_is_no_proof(client: TestClient, name: str) -> None:
    """A signature or token that comes twice verifies nothing, even where both are the genuine one."""
    case = CASES[name]
    proof = case.get("signature")
    if proof is None:
        return
    headers = [
        (key.encode(), value.encode("latin-1")) for key, value in case["request"]["headers"].items() if value.isascii()
    ]
    twice = [*headers, *(pair for pair in headers if pair[0].decode() == proof)]
    assert send(client, name, case, headers=twice).status_code == 401


def test_nothing_is_told_but_the_refusal(client: TestClient, capfd: pytest.CaptureFixture[str]) -> None:
    """No secret of any source is in what the application logs, and no traceback."""
    for name, case in CASES.items():
        send(client, name, case, content=b"\xff")
        send(client, name, case, headers={})
    out = "".join(capfd.readouterr())
    assert "Traceback" not in out
    assert [secret for secret in SECRETS if len(secret) > 7 and secret in out] == []


def test_every_source_has_bounds() -> None:
    """Size, rate and identity can be bounded for every provider alike."""
    assert [kind for kind, plugin in PROVIDERS.items() if not issubclass(plugin.Options, SourceOptions)] == []
    assert {"max_body", "rate", "dedupe"} <= set(SourceOptions.model_fields)


def test_what_nobody_foresaw(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake of the relay is a 500 that tells nothing of it; whoever serves the application hears of it."""

    class Broken:
        async def add(self, event: Event) -> str:
            raise ZeroDivisionError(event.id)

    app: Any = client.app
    monkeypatch.setattr(app.state, "gatherer", Broken())
    with pytest.raises(ZeroDivisionError):
        client.post("/in/anybody", content=b"{}")
    answer = TestClient(app, raise_server_exceptions=False).post("/in/anybody", content=b"{}")
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert answer.json()["detail"] == "the relay failed: its log tells more"
