"""Requests that need more than their bytes: access tokens that are fetched first, and certificates of both sides."""

import hashlib
import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from sqlalchemy import select, update

from relay.domain.delivery import Attempt, State
from relay.domain.errand import Errand
from relay.domain.grants import ClientCredentials, OAuth2
from relay.domain.target import OVERLAP
from relay.outbound.carrier import Carrier
from relay.outbound.guard import Guard
from relay.outbound.notices import Notices
from relay.outbound.tokens import FRESH, Tokens
from relay.outbound.transport import Transport
from relay.secrets import Sealer
from relay.store.tables import deliveries, targets
from tests.support.certificates import pem
from tests.support.engine import Engine, engine
from tests.support.processes import HOST, eventually
from tests.support.sink import Sink
from tests.support.sink_server import Answer

__all__ = ["engine"]

OLD, NEW = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


def toml(url: str, **options: object) -> str:
    """A target of relay.toml with a route for every event."""
    lines = "\n".join(f"{key} = {value}" for key, value in options.items())
    target = f'[[targets]]\nname = "api"\nkind = "http"\nurl = "{url}"\n{lines}\n'
    return target + '[[routes]]\nname = "all"\nsources = ["shop"]\nto = ["api"]\n'


def client(sink: Sink, path: str = "/token") -> str:
    """The `oauth2` of a target whose tokens come from the sink."""
    return (
        f'{{ token_url = "{sink.url(path)}", client_id = "relay", client_secret = "the-client-secret", scope = "s" }}'
    )


def token(value: str) -> Answer:
    """The token endpoint's answer."""
    return Answer(body=json.dumps({"access_token": value, "token_type": "Bearer", "expires_in": 3600}))


def attempts(engine: Engine) -> list[Attempt]:
    """Every attempt of every delivery, by their number."""
    found = [one for delivery in engine.deliveries() for one in engine.relay.deliveries.attempts_of(delivery.id)]
    return sorted(found, key=lambda attempt: attempt.number)


def test_one_token_serves_all(engine: Engine, sink: Sink) -> None:
    """Many deliveries at once fetch one token; the receiver sees it, and no stored response shows it."""
    sink.on("/token", token("tok-1"))
    url = sink.on("/api", Answer(body="you sent tok-1, which is fine"))
    engine.configure(toml(url, oauth2=client(sink)))
    engine.record(*(f"orders/{number}" for number in range(30)))
    engine.drain()
    engine.record("orders/31")
    engine.drain()
    assert {delivery.state for delivery in engine.deliveries()} == {State.DELIVERED}
    (asked,) = sink.requests("/token")
    assert parse_qs(asked.body.decode()) == {"grant_type": ["client_credentials"], "scope": ["s"]}
    assert {one.headers["authorization"] for one in sink.requests("/api")} == {"Bearer tok-1"}
    assert {one.response for one in attempts(engine)} == {"you sent [secret], which is fine"}


def test_a_token_that_was_revoked_is_fetched_anew(engine: Engine, sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    """A 401 costs the token, not the delivery; a second one is the receiver's word."""
    monkeypatch.setattr("relay.outbound.tokens.FRESH", -1.0)
    sink.on("/token", token("tok-1"), token("tok-2"), token("tok-3"))
    url = sink.on("/api", Answer(), Answer(status=401), Answer(), Answer(status=401))
    engine.configure(toml(url, oauth2=client(sink)))
    for subject in ("a", "b", "c"):
        engine.record(subject)
        engine.drain()
    shown = [one.headers["authorization"].removeprefix("Bearer ") for one in sink.requests("/api")]
    assert shown == ["tok-1", "tok-1", "tok-2", "tok-2", "tok-3"]
    assert [delivery.state for delivery in engine.deliveries()] == ["delivered", "delivered", "dead"]
    assert [one.number for one in attempts(engine)] == [1, 1, 1]
    assert FRESH > 0


def test_a_token_endpoint_that_fails_is_told_apart(engine: Engine, sink: Sink) -> None:
    """Without a token nothing is sent; the attempt says why, without the secret, and the delivery is tried again."""
    refusal = Answer(status=401, body='{"error": "invalid_client", "error_description": "the-client-secret"}')
    sink.on("/token", refusal, Answer(manner="garbage"), token("tok-1"))
    engine.configure(toml(sink.on("/api"), oauth2=client(sink), retry='["1ms", "1ms", "1ms"]'))
    engine.record("a")
    engine.drain_until_settled()
    told = [(one.outcome, one.status, one.error) for one in attempts(engine)]
    assert told[0] == ("auth", None, "no access token: the token endpoint answered 401 Unauthorized: invalid_client")
    assert told[1][:2] == ("auth", None)
    assert told[2][:2] == ("delivered", 200)
    assert len(sink.requests("/api")) == 1


def test_a_token_that_does_not_come_in_time(engine: Engine, sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint that hangs holds a delivery no longer than a token may take, and nothing is sent."""
    monkeypatch.setattr("relay.outbound.carrier.FETCH_TIMEOUT", 0.3)
    sink.on("/token", Answer(manner="hang"))
    engine.configure(toml(sink.on("/api"), oauth2=client(sink), retry='["1h"]'))
    engine.record("a", "b")
    engine.drain()
    assert [one.outcome for one in attempts(engine)] == ["auth", "auth"]
    assert not sink.requests("/api")


def test_tokens_are_fetched_through_the_guard(engine: Engine, sink: Sink) -> None:
    """A token endpoint at a private address is refused like any other place."""
    options = '{ token_url = "http://169.254.169.254/token", client_id = "relay", client_secret = "the-client-secret" }'
    engine.configure(toml(sink.on("/api"), oauth2=options))
    engine.record("a")
    engine.drain()
    assert [one.outcome for one in attempts(engine)] == ["blocked"]


def test_threads_wait_for_one_another(sink: Sink) -> None:
    """Whoever needs a token that another fetches waits for it; one that cannot be had holds up nobody."""
    told = {"token_url": sink.url("/token"), "client_id": "relay", "client_secret": "s"}
    grant, tokens = ClientCredentials(OAuth2.model_validate(told)), Tokens()
    guard = Guard(["127.0.0.0/8"])
    both = [Carrier(Transport(guard), tokens, Notices(guard)) for _ in range(2)]
    for answer, outcomes in ((Answer(status=503, delay=0.2), {None}), (replace(token("tok"), delay=0.2), {200})):
        sink.on("/token", answer)
        for one in both:
            one.send("key", Errand("POST", sink.url("/api"), data=b"x", grant=grant), 5)
        replies = []
        eventually(lambda: len(replies.extend(r for one in both for r in one.poll(0.01)) or replies) == 2)  # noqa: B023
        assert {reply.key for reply in replies} == {"key"}
        assert {reply.response and reply.response.status_code for reply in replies} == outcomes
        assert not any(one.in_flight for one in both)
    assert [one.path for one in sink.requests()].count("/api") == 2
    assert len(sink.requests("/token")) in (2, 3)
    for one in both:
        one.close()


def signatures(sink: Sink) -> list[int]:
    """How many signatures each request carries, as they came."""
    return [len(one.headers.get("webhook-signature", "").split()) for one in sink.requests("/api")]


def test_a_replaced_secret_signs_for_a_day(engine: Engine, sink: Sink) -> None:
    """After `relay apply` with another secret both sign, for 24 hours; nobody is shown the former one."""
    url = sink.on("/api")
    for secret in (OLD, NEW):
        engine.configure(toml(url, secret=f'"{secret}"'))
        engine.record("a")
        engine.drain()
    assert signatures(sink) == [1, 2]
    first, second = (one.headers["webhook-signature"].split() for one in sink.requests("/api"))
    assert first[0] not in second

    live = engine.relay.following.latest.targets["api"]
    now = datetime.now(UTC)
    assert live.signing(now) == (OLD,)
    assert live.signing(now + OVERLAP) == ()
    assert OLD not in repr(live.former)
    assert OLD in live.secrets
    with engine.relay.database.reading() as connection:
        sealed = connection.scalar(select(targets.c.former)) or ""
    assert OLD not in sealed
    assert OLD in Sealer(engine.relay.settings.keys).open(sealed)

    # Whatever else is applied meanwhile changes nothing of it; a target that signs no more has no former secret either.
    engine.configure(toml(url, secret=f'"{NEW}"', timeout='"5s"'))
    engine.record("a")
    engine.drain()
    assert signatures(sink) == [1, 2, 2]
    engine.configure(toml(url))
    assert not engine.relay.following.latest.targets["api"].former


def test_a_template_that_fails_is_told_apart(engine: Engine, sink: Sink) -> None:
    """A body that cannot be made is the target's own fault to see: nothing is sent, and mending it sends the event."""
    url = sink.on("/api")
    body = """'{"n": {{ data.number }}, "half": {{ 1 / data.number }}}'"""
    engine.configure(toml(url, body=body, retry='["1h"]'))
    engine.record("a")
    engine.drain()
    assert attempts(engine)[0].outcome == "template"
    assert attempts(engine)[0].error == "the target's template failed: division by zero"
    # It says nothing of how the target is.
    assert not engine.relay.health.load()
    engine.configure(toml(url, body="""'{"n": {{ data.number }}}'"""))
    with engine.relay.database.writing() as connection:
        connection.execute(update(deliveries).values(next_attempt_at=datetime.now(UTC) - timedelta(seconds=1)))
    engine.drain()
    (sent,) = sink.requests("/api")
    assert (sent.json(), sent.headers["content-type"]) == ({"n": 0}, "application/json")


def fingerprint(certificate: str | bytes) -> str:
    """What tells a certificate, in PEM behind its key or in DER, from every other."""
    if isinstance(certificate, str):
        certificate = ssl.PEM_cert_to_DER_cert(certificate[certificate.index("-----BEGIN CERT") :])
    return hashlib.sha256(certificate).hexdigest()


class Picky(BaseHTTPRequestHandler):
    """Answers with the fingerprint of the certificate that it was shown."""

    def do_POST(self) -> None:
        """Answer."""
        assert isinstance(self.connection, ssl.SSLSocket)
        shown = self.connection.getpeercert(binary_form=True) or b""
        body = fingerprint(shown).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


CLIENT, SERVER, STRANGER = pem(), pem(), pem()


@pytest.fixture
def picky(tmp_path: Path) -> Iterator[str]:
    """The URL of a server that takes nobody without the client's certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=CLIENT)
    (tmp_path / "server.pem").write_text(SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    server = HTTPServer((HOST, 0), Picky)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"https://{HOST}:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("shown", "trusted", "outcomes"),
    [
        (CLIENT, SERVER, {"delivered"}),
        # With TLS 1.3 the server's refusal comes after the handshake.
        (STRANGER, SERVER, {"tls", "reset"}),
        (None, SERVER, {"tls", "reset"}),
        (CLIENT, None, {"tls"}),
    ],
)
def test_both_sides_show_a_certificate(
    engine: Engine, picky: str, tmp_path: Path, shown: str | None, trusted: str | None, outcomes: set[str]
) -> None:
    """The receiver sees the relay's certificate; without the right one, or from a stranger's server, nothing passes."""
    options = {}
    if shown is not None:
        (tmp_path / "client.pem").write_text(shown)
        options |= dict.fromkeys(("client_cert", "client_key"), f'"file:{tmp_path / "client.pem"}"')
    if trusted is not None:
        options["ca"] = f"'''{trusted}'''"
    engine.configure(toml(picky, retry='["1h"]', **options))
    engine.record("a")
    engine.drain()
    (attempt,) = attempts(engine)
    assert attempt.outcome in outcomes
    assert attempt.response == (fingerprint(CLIENT) if "delivered" in outcomes else None)
    assert "PRIVATE" not in f"{attempt}"
