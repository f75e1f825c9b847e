"""The transport brings back a response or a failure for every request, whatever the other side does."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from relay.domain.delivery import OutcomeName
from relay.outbound.exchange import USER_AGENT
from relay.outbound.failures import Failure
from relay.outbound.guard import Guard
from relay.outbound.transport import Limits, Outgoing, Reply, Transport
from tests.support.processes import free_port
from tests.support.sink import Answer, Sink

BODY = b'{"type": "orders.updated"}'


@pytest.fixture
def transport() -> Iterator[Transport]:
    """A transport that may reach the loopback interface."""
    transport = Transport(Guard(["127.0.0.0/8"]))
    yield transport
    transport.close()


def outgoing(url: str, key: Any = 1, timeout: float = 10, **more: Any) -> Outgoing:
    """Return a prepared POST."""
    arguments: dict[str, Any] = {"method": "POST", "data": BODY} | more
    return Outgoing(key, requests.Request(url=url, **arguments).prepare(), timeout)


def exchange(transport: Transport, *requests_: Outgoing) -> list[Reply]:
    """Send requests and return their replies in the order of their keys."""
    for one in requests_:
        transport.start(one)
    replies: list[Reply] = []
    while transport.in_flight:
        replies += transport.poll(30)
    assert all((reply.response is None) != (reply.failure is None) for reply in replies)
    return sorted(replies, key=lambda reply: str(reply.key).zfill(8))


def response(transport: Transport, one: Outgoing) -> requests.Response:
    """Send one request that is answered."""
    (reply,) = exchange(transport, one)
    assert reply.response is not None, reply.failure
    return reply.response


def failure(transport: Transport, one: Outgoing) -> Failure:
    """Send one request that fails; its reason is one line that names neither the URL nor a secret."""
    (reply,) = exchange(transport, one)
    assert reply.failure is not None, reply.response
    assert "\n" not in reply.failure.reason
    assert "http://" not in reply.failure.reason
    assert "sesame" not in reply.failure.reason
    return reply.failure


def test_response_behaves(transport: Transport, sink: Sink) -> None:
    """A response has all that users of requests look at."""
    headers = {"Content-Type": "application/json", "Retry-After": "7"}
    url = sink.on("/json", Answer(status=429, body='{"name": "grüße"}', headers=headers))
    one = outgoing(url + "?a=b")
    reply = response(transport, one)
    assert (reply.status_code, reply.reason, reply.ok) == (429, "Status", False)
    assert reply.headers["retry-AFTER"] == "7"
    assert "x-missing" not in reply.headers
    assert reply.json() == {"name": "grüße"}
    assert reply.text == '{"name": "grüße"}'
    assert (reply.url, reply.request, reply.encoding) == (one.request.url, one.request, "utf-8")
    assert reply.elapsed.total_seconds() > 0
    assert (list(reply.cookies), reply.history, reply.is_redirect, reply.links) == ([], [], False, {})
    assert b"".join(reply.iter_content(4)) == reply.content
    with pytest.raises(requests.HTTPError):
        reply.raise_for_status()
    reply.close()


def test_what_arrives_is_what_was_prepared(transport: Transport, sink: Sink) -> None:
    """Method, target, body and headers arrive as prepared, with nothing added but Host and who sends."""
    headers = {"webhook-id": "1", "Empty": "", "Latin": "grüße", "Bytes": b"\xff"}
    for method in ("POST", "PUT", "PATCH", "DELETE", "GET", "POST"):
        one = outgoing(sink.url("/any?x=%20"), method=method, headers=headers)
        assert response(transport, one).text == "ok"
        received = sink.requests()[-1]
        expected = {"host": f"127.0.0.1:{sink.port}", "content-length": str(len(BODY)), "user-agent": USER_AGENT}
        expected |= {"webhook-id": "1", "empty": "", "latin": "grüße", "bytes": "\xff"}
        assert (received.method, received.target, received.body) == (method, "/any?x=%20", BODY)
        assert received.headers == expected


def test_requests_without_a_body(transport: Transport, sink: Sink) -> None:
    """A request without a body carries none, also on a handle that sent one before."""
    for method in ("POST", "GET", "POST", "HEAD", "POST", "DELETE", "OPTIONS"):
        bodiless = outgoing(sink.url("/any"), method=method, data=None, headers={"Accept": "x/y"})
        reply = response(transport, bodiless)
        assert reply.status_code == 200
        received = sink.requests()[-1]
        assert (received.method, received.body, received.headers["accept"]) == (method, b"", "x/y")
        response(transport, outgoing(sink.url("/any")))


def test_connections_are_reused(transport: Transport, sink: Sink) -> None:
    """One request after the other goes over one connection."""
    for _ in range(5):
        response(transport, outgoing(sink.url("/any")))
    assert len({request.port for request in sink.requests()}) == 1


def test_a_receiver_that_restarted_is_reached(transport: Transport, sink: Sink) -> None:
    """A kept connection that died meanwhile is replaced, not reported."""
    response(transport, outgoing(sink.url("/any")))
    sink.kill()
    sink.start()
    assert response(transport, outgoing(sink.url("/any"))).status_code == 200


def test_redirects_come_back(transport: Transport, sink: Sink) -> None:
    """A redirect is a response, and nobody goes where it points."""
    url = sink.on("/old", Answer(status=302, headers={"Location": sink.url("/new")}))
    reply = response(transport, outgoing(url))
    assert (reply.status_code, reply.headers["location"]) == (302, sink.url("/new"))
    assert [request.path for request in sink.requests()] == ["/old"]


def test_nobody_listens(transport: Transport) -> None:
    """A refused connection is a failure of its own kind."""
    refused = failure(transport, outgoing(f"http://127.0.0.1:{free_port()}/?key=sesame"))
    assert refused == Failure(OutcomeName.REFUSED, "the connection was refused")


@pytest.mark.parametrize(
    ("manner", "kind"),
    [
        ("close", OutcomeName.RESET),
        ("truncate", OutcomeName.RESET),
        ("reset", OutcomeName.RESET),
        ("garbage", OutcomeName.PROTOCOL),
        ("stream", OutcomeName.TOO_LARGE),
        ("headers", OutcomeName.TOO_LARGE),
    ],
)
def test_broken_answers(transport: Transport, sink: Sink, manner: Any, kind: OutcomeName) -> None:
    """An answer that breaks off, is no HTTP or never ends is one failure, and the next request is not hurt by it."""
    url = sink.on("/broken", Answer(manner=manner))
    assert failure(transport, outgoing(url + "?token=sesame")).kind == kind
    assert response(transport, outgoing(sink.url("/any"))).status_code == 200


@pytest.mark.parametrize("manner", ["hang", "drip"])
def test_slow_answers_end_at_the_deadline(transport: Transport, sink: Sink, manner: Any) -> None:
    """One deadline bounds the whole request, also while bytes keep coming."""
    slow = failure(transport, outgoing(sink.on("/slow", Answer(manner=manner)), timeout=0.3))
    assert slow == Failure(OutcomeName.TIMEOUT, "no complete response within 0.3 s")


def test_bodies_are_read_up_to_the_limit(sink: Sink) -> None:
    """A body that just fits is whole; of one that is announced as longer the status is kept; an endless one fails."""
    transport = Transport(Guard(["127.0.0.1"]), Limits(body_limit=1000))
    assert len(response(transport, outgoing(sink.on("/fits", Answer(size=1000)))).content) == 1000
    assert response(transport, outgoing(sink.on("/large", Answer(201, size=1001)))).status_code == 201
    assert failure(transport, outgoing(sink.on("/endless", Answer(manner="stream")))).kind == OutcomeName.TOO_LARGE
    transport.close()


def test_names_that_do_not_resolve() -> None:
    """A host name that does not exist is a failure that does not repeat it."""
    patient = Transport(Guard(), Limits(connect_timeout=90))
    unknown = failure(patient, outgoing("http://sesame.invalid/", timeout=90))
    assert unknown == Failure(OutcomeName.DNS, "the host name does not resolve")
    patient.close()


def test_certificates_are_checked(transport: Transport) -> None:
    """A certificate that signs itself is refused, unless it is the authority that is trusted."""
    sink = Sink(tls=True).start()
    try:
        untrusted = failure(transport, outgoing(sink.url("/")))
        assert untrusted.kind == OutcomeName.TLS
        assert "self-signed" in untrusted.reason
        assert "127.0.0.1" not in untrusted.reason
        assert sink.count() == 0
        trusting = Transport(Guard(["127.0.0.1"]), Limits(ca_file=str(sink.directory / "certificate.pem")))
        assert response(trusting, outgoing(sink.url("/"))).status_code == 200
        trusting.close()
    finally:
        sink.stop()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_tls_and_plain_do_not_mix(transport: Transport, sink: Sink, scheme: str) -> None:
    """Speaking TLS to a plain server, or plain to a TLS server, is one failure."""
    secure = Sink(tls=True).start()
    try:
        port = secure.port if scheme == "http" else sink.port
        mixed = failure(transport, outgoing(f"{scheme}://127.0.0.1:{port}/"))
        assert mixed.kind in {OutcomeName.TLS, OutcomeName.RESET, OutcomeName.PROTOCOL}
    finally:
        secure.stop()


def test_proxies_in_the_environment_are_ignored(
    transport: Transport, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy named in the environment sees nothing of what is sent."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    assert response(transport, outgoing(sink.url("/any"))).status_code == 200


@pytest.mark.parametrize("scheme", ["file", "gopher", "ftp", "dict", "telnet", "ws"])
def test_other_schemes_are_refused(transport: Transport, tmp_path: Path, scheme: str) -> None:
    """Nothing but http and https is ever spoken."""
    secret = tmp_path / "secret"
    secret.write_text("sesame")
    one = outgoing("http://127.0.0.1/")
    one.request.url = f"{scheme}://127.0.0.1{secret}"
    assert failure(transport, one) == Failure(OutcomeName.PROTOCOL, "only http and https can be reached")


@pytest.mark.parametrize(
    "spelling",
    [
        "127.0.0.1",
        "localhost",
        "0.0.0.0",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0x7f000001",
        "017700000001",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "169.254.169.254",
        "①②⑦.⓪.⓪.①",
    ],
)
def test_every_spelling_of_a_private_address_is_refused(sink: Sink, spelling: str) -> None:
    """However a private address is written, no connection to it is opened, and the failure says how to allow it."""
    transport = Transport(Guard())
    transport.send("x", requests.Request("POST", f"http://{spelling}:{sink.port}/?key=sesame"), 5)
    (reply,) = transport.poll(10)
    transport.close()
    assert reply.failure is not None
    if reply.failure.kind != OutcomeName.PROTOCOL:
        assert reply.failure.kind == OutcomeName.BLOCKED
        assert "RELAY_EGRESS_ALLOW" in reply.failure.reason
    assert sink.count() == 0


def test_allowed_names_and_ports_are_reached(sink: Sink) -> None:
    """An allowed host name is reached at a private address, an allowed address on its port alone."""
    by_name = Transport(Guard(["localhost"]))
    assert response(by_name, outgoing(sink.url("/any").replace("127.0.0.1", "localhost"))).status_code == 200
    assert failure(by_name, outgoing(sink.url("/any"))).kind == OutcomeName.BLOCKED
    by_name.close()
    by_port = Transport(Guard([f"127.0.0.1:{sink.port}"]))
    assert response(by_port, outgoing(sink.url("/any"))).status_code == 200
    assert failure(by_port, outgoing("http://127.0.0.1:9/")).kind == OutcomeName.BLOCKED
    by_port.close()


def test_a_refusal_is_not_blamed_on_the_guard() -> None:
    """A name with one permitted address where nobody listens was refused there, not blocked at its others."""
    transport = Transport(Guard(["127.0.0.1"]))
    assert failure(transport, outgoing(f"http://localhost:{free_port()}/")).kind == OutcomeName.REFUSED
    transport.close()


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Bad": "a\r\nX-Injected: 1"},
        {"X-Bad": b"a\nb"},
        {"X-Bad": "a\0b"},
        {"X-Bad": "…"},
        {"X-Bad": 7},
        {"X-Bad": None},
        {"X Bad": "a"},
        {"X-Bad:": "a"},
        {"": "a"},
        {"Bäd": "a"},
    ],
    ids=repr,
)
def test_bad_headers_fail_alone(transport: Transport, sink: Sink, headers: dict[Any, Any]) -> None:
    """A header that cannot be sent fails its own request; those beside it arrive."""
    bad = outgoing(sink.url("/bad"), 1)
    bad.request.headers.update(headers)
    first, second = exchange(transport, bad, outgoing(sink.url("/good"), 2))
    assert first.failure is not None
    assert first.failure.kind == OutcomeName.PROTOCOL
    assert second.response is not None
    assert [request.path for request in sink.requests()] == ["/good"]


@pytest.mark.parametrize(
    "url", ["", "nonsense", "http://", "http://[::1", "http://a b/", "http://grü ße/", "http://x:99999/"]
)
def test_bad_urls_fail_alone(transport: Transport, url: str) -> None:
    """A URL that cannot be one is a failure, whoever prepares it."""
    transport.send(1, requests.Request("POST", url), 5)
    (sent,) = transport.poll(10)
    one = outgoing("http://127.0.0.1/")
    one.request.url = url
    assert sent.failure is not None
    assert sent.failure.kind == failure(transport, one).kind == OutcomeName.PROTOCOL


def test_many_at_once(transport: Transport, sink: Sink) -> None:
    """Five hundred requests in flight together all come back, each with its own key and body."""
    sink.on("/echo", Answer(delay=0.2))
    replies = exchange(
        transport,
        *(outgoing(sink.url(f"/echo?{number}"), number, timeout=60, data=str(number)) for number in range(500)),
    )
    assert [reply.key for reply in replies] == list(range(500))
    assert all(reply.response is not None and reply.response.status_code == 200 for reply in replies)
    assert {request.target: request.body for request in sink.requests()} == {
        f"/echo?{number}": str(number).encode() for number in range(500)
    }


def test_one_that_hangs_delays_no_other(transport: Transport, sink: Sink) -> None:
    """While one receiver hangs, requests to others come back; the transport then says what is still in flight."""
    transport.start(outgoing(sink.on("/hang", Answer(manner="hang")), "hung", timeout=60))
    for number in range(20):
        transport.start(outgoing(sink.url("/any"), number))
    keys: list[Any] = []
    while len(keys) < 20:
        keys += [reply.key for reply in transport.poll(30)]
    assert sorted(keys) == list(range(20))
    assert transport.in_flight == 1


def test_polling_an_idle_transport(transport: Transport) -> None:
    """Nothing in flight is nothing to report."""
    assert transport.poll(0) == []
    assert transport.poll(0.01) == []


def test_closing_drops_what_is_in_flight(sink: Sink) -> None:
    """A transport can be closed at any time, and twice."""
    transport = Transport(Guard(["127.0.0.1"]))
    transport.start(outgoing(sink.on("/hang", Answer(manner="hang"))))
    transport.poll(0.05)
    transport.close()
    transport.close()
    assert transport.in_flight == 0
