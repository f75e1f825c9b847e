"""The web process beside its database and its senders: what it does when they are slow, gone or not ready."""

import json
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.processes import HOST, eventually
from tests.support.relay import READY_SECONDS, RunningRelay

CONFIGURATION = (
    '[[sources]]\nname = "anybody"\nverify = "none"\n\n[[sources]]\nname = "small"\nverify = "none"\nmax_body = 10\n'
)


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRelay]:
    """A web process alone, without a broker."""
    relay = RunningRelay(tmp_path_factory.mktemp("web"), broker=f"redis://{HOST}:1/0")
    relay.cli("migrate").succeeds()
    (relay.directory / "relay.toml").write_text(CONFIGURATION)
    relay.start_web()
    yield relay
    relay.close()


def exchange(relay: RunningRelay, *parts: bytes, ends: bool = True) -> bytes:
    """Send bytes, end there or wait, and return what comes back until the other side ends."""
    with socket.create_connection((HOST, relay.port), timeout=20) as client:
        for part in parts:
            client.sendall(part)
        if ends:
            client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(65536), b""))


def test_senders_that_repeat_at_once(web: RunningRelay) -> None:
    """The same delivery sent many times at the same moment is one event, and each sender hears its id."""
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: web.post("anybody", b"{}", {"idempotency-key": "same"}), range(64)))
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sorted({answer.status_code for answer in answers}) == [200, 202]
    assert [answer.status_code for answer in answers].count(202) == 1


def test_limits_of_a_source(web: RunningRelay) -> None:
    """A source's own limit holds to the byte, whether the length is declared or not."""
    assert web.post("small", b'"12345678"').status_code == 202
    assert web.post("small", b'"123456789"').status_code == 413
    head = b"POST /in/small HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert exchange(web, head, b'B\r\n"123456789"\r\n0\r\n\r\n').startswith(b"HTTP/1.1 413")
    lying = b"POST /in/small HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Type: application/json\r\n\r\n"
    assert exchange(web, lying, b'"12').count(b"HTTP/1.1 202") == 0


def test_what_is_no_http(web: RunningRelay) -> None:
    """Garbage and half a request end their connection and nothing else."""
    exchange(web, b"\x00\xff\x13\x37\r\n\r\n")
    exchange(web, b"POST /in/anybody HTTP/1.1\r\nHost: x\r\nContent-Le")
    assert web.post("anybody", b"{}").status_code == 202


def test_odd_addresses(web: RunningRelay) -> None:
    """A source's name is one part of the path; what is not there is a problem document."""
    for path in ("/in/", "/in/a/b", "/in/%00", "/in/" + "x" * 5000):
        answer = web.http.post(web.base + path, data=b"{}", allow_redirects=False, timeout=20)
        assert (path, answer.status_code) == (path, 404)
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/api/v1/events", {"GET", "HEAD", "POST"}),
        ("/api/v1/replays", {"GET", "HEAD", "POST"}),
        ("/api/v1/replays/any", {"GET", "HEAD", "DELETE"}),
        ("/api/v1/people/any", {"GET", "HEAD", "PUT", "DELETE"}),
        ("/api/v1/explain", {"POST"}),
        ("/events/any", {"GET", "HEAD", "POST"}),
    ],
)
def test_a_method_that_a_path_does_not_take(web: RunningRelay, path: str, methods: set[str]) -> None:
    """A 405 names every method of the path, and each that it names is one."""
    answer = web.http.patch(web.base + path, timeout=20)
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == methods
    for method in methods:
        assert web.http.request(method, web.base + path, timeout=20).status_code != 405


def test_a_header_sent_twice(web: RunningRelay) -> None:
    """Two idempotency keys are no key anybody could have meant, but the relay takes the event and goes on."""
    head = b"POST /in/anybody HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
    answer = exchange(
        web, head + b"Connection: close\r\nIdempotency-Key: a\r\nIdempotency-Key: b\r\n\r\n{}", ends=False
    )
    assert answer.startswith(b"HTTP/1.1 202")


def test_without_a_broker(web: RunningRelay) -> None:
    """Events are taken in, and kept; health says that they can be."""
    answer = web.post("anybody", b"{}")
    assert answer.status_code == 202
    assert web.get(f"/events/{answer.json()['id']}")["data"] == {}
    assert web.ready()


def test_told_to_stop(tmp_path: Path) -> None:
    """A web process that is told to stop answers what it has read, and ends, though a sender keeps its connection."""
    relay = RunningRelay(tmp_path, broker=f"redis://{HOST}:1/0")
    relay.cli("migrate").succeeds()
    (tmp_path / "relay.toml").write_text(CONFIGURATION)
    try:
        web = relay.start_web()
        assert relay.post("anybody", b"{}").status_code == 202
        # uvicorn ends by the very signal it was told with, once it is through.
        assert web.stop(timeout=20) in (0, -signal.SIGTERM)
        relay.children.clear()
        assert len(json.loads(relay.cli("events", "--json").out)["items"]) == 1
    finally:
        relay.close()


def test_before_the_migration(tmp_path: Path, pg_database: str) -> None:
    """A web process that starts before the database is migrated says so, and takes events once it is."""
    relay = RunningRelay(tmp_path, database=pg_database, broker=f"redis://{HOST}:1/0")
    try:
        relay.start("web", "web", f"--port={relay.port}").until(lambda: _status(relay) == 503, READY_SECONDS)
        assert relay.post("anybody", b"{}").status_code == 404
        relay.cli("migrate").succeeds()
        assert eventually(relay.ready)
        relay.apply(CONFIGURATION).succeeds()
        eventually(lambda: relay.post("anybody", b"{}").status_code == 202)
    finally:
        relay.close()


def _status(relay: RunningRelay) -> int:
    try:
        return int(relay.http.get(f"{relay.base}/readyz", timeout=5).status_code)
    except OSError:
        return 0
