"""Webhooks as they come in over real sockets, to real web processes: repeats, limits, keys, and the bytes sent on."""

import gzip
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from relay.signing import base64_digest, hex_digest, standard_key, standard_signature
from tests.support.postgres import Postgres
from tests.support.processes import HOST, eventually, free_port
from tests.support.relay import READY_SECONDS, RunningRelay
from tests.support.sink import Sink
from tests.support.sink_server import Answer
from tests.support.valkey import Valkey

PUBLIC = "https://relay.example.com/hooks"
SIGNING = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
JSON = "application/json"

CONFIGURATION = """
[[sources]]
name = "open"
verify = "none"

[[sources]]
name = "small"
verify = "none"
max_body = 1000

[[sources]]
name = "counted"
verify = "none"
dedupe = "string(data.order.id)"

[[sources]]
name = "paced"
verify = "bearer"
secret = "a token"
rate = "2/m"

[[sources]]
name = "signed"
verify = "github"
secret = "a secret"

[[sources]]
name = "square"
verify = "square"
secret = "a secret"

[[sources]]
name = "meta"
verify = "meta"
secret = "a secret"
verify_token = "verify me"

[[sources]]
name = "events"
verify = "cloudevents"

[[sources]]
name = "push"
verify = "pubsub"
audience = "the relay"
email = "push@example.com"
key_set = "{sink}/keys"

[[targets]]
name = "receiver"
kind = "http"
url = "{sink}/receiver"
format = "raw"
secret = "{signing}"

[[routes]]
name = "all"
types = ["sent.on"]
to = ["receiver"]
"""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, valkey: Valkey, sink_process: Sink
) -> Iterator[RunningRelay]:
    """A relay with two web processes on one database, reached under a public address."""
    directory = tmp_path_factory.mktemp(request.param)
    database = None
    if request.param == "postgresql":
        postgres: Postgres = request.getfixturevalue("postgres").start()
        database = postgres.create_database()
    relay = RunningRelay(directory, database=database, broker=valkey.start().url)
    # What another relay counted of a source's rate is none of this one's.
    valkey.flush()
    relay.env["RELAY_BASE_URL"] = PUBLIC
    sink_process.start()
    try:
        relay.cli("migrate").succeeds()
        relay.apply(CONFIGURATION.format(sink=sink_process.url(""), signing=SIGNING)).succeeds()
        relay.start_web()
        _start_second(relay)
        yield relay
    finally:
        relay.close()


def _start_second(relay: RunningRelay) -> None:
    port = free_port()
    relay.env["SECOND"] = f"http://{HOST}:{port}"

    def ready() -> bool:
        try:
            return requests.get(f"{relay.env['SECOND']}/readyz", timeout=5).status_code == 200
        except requests.ConnectionError:
            return False

    relay.start("second", "web", f"--port={port}").until(ready, READY_SECONDS)


def post(relay: RunningRelay, source: str, body: bytes, second: bool = False, **headers: str) -> requests.Response:
    """Send a webhook to one of the two web processes; an underscore for a hyphen in header names."""
    named = {"content-type": JSON} | {name.replace("_", "-"): value for name, value in headers.items()}
    base = relay.env["SECOND"] if second else relay.base
    return requests.post(f"{base}/in/{source}", data=body, headers=named, timeout=30)


def exchange(relay: RunningRelay, sent: bytes, *, finish: bool = False) -> bytes:
    """Send bytes as they are and return everything that comes back until the relay closes the connection."""
    with socket.create_connection((HOST, relay.port), timeout=30) as client:
        client.sendall(sent)
        if finish:
            client.shutdown(socket.SHUT_WR)
        got = b""
        # Whoever is turned away in the middle of a sentence may hear no more than that.
        with suppress(ConnectionResetError):
            while block := client.recv(65536):
                got += block
        return got


def head(source: str, *lines: str) -> bytes:
    """Return the head of a POST that asks for the connection to be closed after it."""
    given = (f"POST /in/{source} HTTP/1.1", "host: relay", f"content-type: {JSON}", "connection: close", *lines)
    return "\r\n".join((*given, "", "")).encode("latin-1")


@pytest.mark.parametrize("told_by", ["provider", "header", "expression"])
def test_two_at_the_same_moment_are_one(running: RunningRelay, told_by: str) -> None:
    """Copies that reach two web processes at the same moment are stored once, and all are told the same id."""
    mark = f"{told_by}-{time.time_ns()}"
    body = json.dumps({"order": {"id": mark}}).encode()
    source, headers = {
        "header": ("open", {"idempotency_key": mark}),
        "expression": ("counted", {"idempotency_key": f"{mark}-ignored"}),
        "provider": (
            "signed",
            {
                "x_github_event": "push",
                "x_github_delivery": mark,
                "x_hub_signature_256": "sha256=" + hex_digest(b"a secret", body),
            },
        ),
    }[told_by]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: post(running, source, body, second=n % 2 == 1, **headers), range(32)))
    assert sorted(answer.status_code for answer in answers) == [200] * 31 + [202]
    assert len({answer.json()["id"] for answer in answers}) == 1


def test_an_expression_without_a_value_gives_way(running: RunningRelay) -> None:
    """An event that the expression knows nothing of is told by its header, or by nothing; it is never refused."""
    plain = [post(running, "counted", b"{}") for _ in range(2)]
    assert [answer.status_code for answer in plain] == [202, 202]
    mark = str(time.time_ns())
    named = [post(running, "counted", b"{}", idempotency_key=mark) for _ in range(2)]
    assert [answer.status_code for answer in named] == [202, 200]
    long = json.dumps({"order": {"id": "é\n" * 900 + mark}}).encode()
    assert [post(running, "counted", long).status_code for _ in range(2)] == [202, 200]


def test_a_rate_bounds_genuine_requests(running: RunningRelay) -> None:
    """What comes too fast is told when to come back, whichever web process it reaches; forgeries take nothing of it."""
    for _ in range(5):
        assert post(running, "paced", b"{}", authorization="Bearer wrong").status_code == 401
    answers = [post(running, "paced", b"{}", n > 0, authorization="Bearer a token") for n in range(3)]
    assert [answer.status_code for answer in answers] == [202, 429, 429]
    assert 1 <= int(answers[1].headers["retry-after"]) <= 30
    assert answers[1].headers["content-type"] == "application/problem+json"
    assert f"send it again in {answers[1].headers['retry-after']} seconds" in answers[1].json()["detail"]


def test_the_public_address_is_what_was_signed(running: RunningRelay) -> None:
    """Behind a proxy a signature covers the address the operator names, query included, and no other."""
    body = b'{"type": "payment.updated", "event_id": "%d"}' % time.time_ns()
    for url, status in ((f"{PUBLIC}/in/square", 202), (f"{running.base}/in/square", 401), (PUBLIC, 401)):
        signature = base64_digest(b"a secret", url.encode() + body)
        assert post(running, "square", body, x_square_hmacsha256_signature=signature).status_code == status
    queried = base64_digest(b"a secret", f"{PUBLIC}/in/square?a=%20b".encode() + body)
    assert post(running, "square?a=%20b", body, x_square_hmacsha256_signature=queried).status_code == 200


def test_handshakes(running: RunningRelay) -> None:
    """Whoever asks first is answered as its own rules say; all others may only POST."""
    url = f"{running.base}/in"
    asked = {"hub.mode": "subscribe", "hub.verify_token": "verify me", "hub.challenge": "<b>1"}
    answer = requests.get(f"{url}/meta", params=asked, timeout=20)
    assert (answer.status_code, answer.text, answer.headers["content-type"][:10]) == (200, "<b>1", "text/plain")
    wrong = requests.get(f"{url}/meta", params=asked | {"hub.verify_token": "x"}, timeout=20)
    assert (wrong.status_code, "verify me" in wrong.text) == (401, False)
    allowed = requests.options(f"{url}/events", headers={"webhook-request-origin": "example.com"}, timeout=20)
    assert (allowed.status_code, allowed.headers["webhook-allowed-origin"]) == (200, "example.com")
    for method, source in (("GET", "open"), ("OPTIONS", "open"), ("GET", "events"), ("OPTIONS", "events")):
        refused = requests.request(method, f"{url}/{source}", timeout=20)
        assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
    assert requests.get(f"{url}/nobody", timeout=20).status_code == 404


def test_a_batch_is_as_many_events(running: RunningRelay) -> None:
    """Each CloudEvent of a batch is an event of its own, whose source and id tell a repeat."""
    mark = time.time_ns()
    one = {"specversion": "1.0", "id": f"{mark}", "source": "/c", "type": "made", "data": {"n": 1}}
    two = one | {"source": "/d", "subject": "orders/2"}
    batch = "application/cloudevents-batch+json"
    first = post(running, "events", json.dumps([one, two, one]).encode(), content_type=batch)
    assert first.status_code == 202
    ids = first.json()["ids"]
    assert (ids[0], len(set(ids))) == (ids[2], 2)
    shown = running.get(f"/events/{ids[1]}")
    assert (shown["source"], shown["type"], shown["subject"]) == ("events", "made", "orders/2")
    single = post(running, "events", json.dumps(one).encode(), content_type="application/cloudevents+json")
    assert (single.status_code, single.json()) == (200, {"id": ids[0]})
    spread = {"ce_specversion": "1.0", "ce_id": f"{mark}", "ce_source": "/d", "ce_type": "made"}
    assert post(running, "events", b'{"n": 2}', **spread).json() == {"id": ids[1]}
    assert post(running, "events", json.dumps([one, {}]).encode(), content_type=batch).status_code == 400


def test_packed_bodies(running: RunningRelay) -> None:
    """Gzip is unpacked within the source's bound and stored as what it holds; its signature is over what was sent."""
    packed = gzip.compress(json.dumps({"n": "x" * 900}).encode())
    stored = post(running, "small", packed, content_encoding="gzip")
    assert stored.status_code == 202
    assert running.get(f"/events/{stored.json()['id']}")["data"] == {"n": "x" * 900}
    assert post(running, "small", gzip.compress(bytes(1001)), content_encoding="gzip").status_code == 413
    bomb = gzip.compress(bytes(1 << 28), 9)
    assert post(running, "open", bomb, content_encoding="gzip").status_code == 413
    assert post(running, "open", packed[:-9], content_encoding="gzip").status_code == 400
    assert post(running, "open", packed, content_encoding="br").status_code == 415
    headers = {"x_github_event": "push", "content_encoding": "gzip"}
    wire = "sha256=" + hex_digest(b"a secret", packed)
    assert post(running, "signed", packed, x_hub_signature_256=wire, **headers).status_code == 202
    inside = "sha256=" + hex_digest(b"a secret", gzip.decompress(packed))
    assert post(running, "signed", packed, x_hub_signature_256=inside, **headers).status_code == 401


def test_requests_that_are_none(running: RunningRelay) -> None:
    """Too many headers, too long, cut short, wrongly chunked: each gets its answer, and the next request is served."""
    chunked = head("open", "transfer-encoding: chunked")
    many = head("open", "content-length: 2", *(f"x-{number}: 1" for number in range(100))) + b"{}"
    cases: list[tuple[bytes, bytes]] = [
        (head("open", "content-length: 2") + b"{}", b"202"),
        (chunked + b"1\r\n{\r\n1\r\n}\r\n0\r\nx-event-type: smuggled\r\n\r\n", b"202"),
        (many, b"431"),
        (head("open", "x: " + "y" * 70_000), b"431"),
        (head("open", "content-length: 99999999999"), b"413"),
        (chunked + b"100000\r\n" + bytes(1 << 20) + b"\r\n1\r\n{\r\n0\r\n\r\n", b"413"),
        (chunked + b"zz\r\n{}", b"400"),
        (head("open", "content-length: -1"), b"400"),
        (head("open", "content-length: 2", "host: other") + b"{}", b"400"),
        (head("open", "content-length: 2").replace(b"host: relay\r\n", b"") + b"{}", b"400"),
        (head("open", "content-length: 2", "transfer-encoding: chunked") + b"0\r\n\r\n", b"400"),
        (head("open", "connection: upgrade", "upgrade: h2c", "content-length: 2") + b"{}", b"202"),
        (head("open", "content-length: 2", "content-length: 3") + b"{}", b"400"),
        (b"\x16\x03\x01 not HTTP at all\r\n\r\n", b"400"),
    ]
    for sent, status in cases:
        assert exchange(running, sent).split(b" ")[1:2] == [status], sent[:200]
    assert exchange(running, head("open", "content-length: 9") + b"{}", finish=True)[:12] in (b"", b"HTTP/1.1 400")
    endless = b"POST /in/open HTTP/1.1\r\nx: " + b"y" * 200_000
    assert exchange(running, endless)[:12] in (b"", b"HTTP/1.1 431")
    assert post(running, "open", b"{}").status_code == 202
    assert "smuggled" not in {event["type"] for event in running.every("/events", source="open")}


def test_no_traceback_is_logged(running: RunningRelay) -> None:
    """Whatever these tests sent, neither web process stumbled, and no log holds a secret."""
    for name in ("web", "second"):
        text = running.children[name].text
        assert "Traceback" not in text
        assert [secret for secret in ("a secret", "a token", "verify me", SIGNING) if secret in text] == []


def test_keys_are_fetched_and_kept(running: RunningRelay, sink_process: Sink) -> None:
    """A token is checked with the published keys, which are fetched once; without them the sender is told to wait."""
    sink_process.reset()
    key = generate_private_key(65537, 2048)
    published = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key())) | {"kid": "one"}
    sink_process.on("/keys", Answer(body=json.dumps({"keys": [published]})))
    now = int(time.time())
    claims = {"iss": "https://accounts.google.com", "aud": "the relay", "email": "push@example.com"}
    claims |= {"email_verified": True, "iat": now, "exp": now + 600}

    def push(kid: str = "one", **changed: Any) -> int:
        token = jwt.encode(claims | changed, key, "RS256", headers={"kid": kid})
        body = json.dumps({"message": {"messageId": str(time.time_ns())}}).encode()
        return post(running, "push", body, authorization=f"Bearer {token}").status_code

    assert post(running, "push", b"{}", authorization="Bearer a.b.c").status_code == 401
    assert sink_process.requests("/keys") == []
    assert [push(), push(), push(aud="another"), push("two"), push("three")] == [202, 202, 401, 401, 401]
    assert len(sink_process.requests("/keys")) == 1


def test_the_very_bytes_are_sent_on(running: RunningRelay, sink_process: Sink, tmp_path: Path) -> None:
    """A relay before an existing receiver hands it the body and the content type that came in, signed by itself."""
    sink_process.reset()
    running.start_worker()
    running.start_beat()
    bodies = [
        ("application/vnd.example+json; charset=utf-8", b'{ "a":1.50,\r\n "a":2, "b":"\\u00e9\xc3\xa9" }\n'),
        ("application/x-www-form-urlencoded", b"b=1&a=2&b=%c3%a9"),
        ("text/plain; charset=iso-8859-1", b"\xe9"),
        ("application/octet-stream", bytes(range(256))),
    ]
    try:
        for content_type, body in bodies:
            answer = post(running, "open", body, content_type=content_type, x_event_type="sent.on")
            assert answer.status_code == 202, answer.text
        received = eventually(
            lambda: len(sink_process.requests("/receiver")) >= 4 and sink_process.requests("/receiver"), 60
        )
    finally:
        running.stop("worker", "beat")
    assert {(one.headers["content-type"], one.body) for one in received} == set(bodies)
    for one in received:
        expected = standard_signature(
            standard_key(SIGNING), one.headers["webhook-id"], one.headers["webhook-timestamp"], one.body
        )
        assert one.headers["webhook-signature"] == expected
