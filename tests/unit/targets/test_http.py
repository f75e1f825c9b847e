"""The http target: what it sends, in every format, and which options it refuses."""

import html
import json
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from relay.domain.event import Event
from relay.domain.target import Message
from relay.domain.templates import TemplateFailed
from relay.errors import BadSignature
from relay.signing import require_standard, standard_key, standard_signature, standard_verifier
from relay.targets.http import TARGET, HttpOptions
from tests.support.certificates import pem

AT = datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC)
KEYS = ["whsec_" + b64encode(bytes([number]) * 24).decode() for number in (1, 2)]
PEM, OTHER_PEM = pem(), pem()
CLIENT = {"token_url": "https://id.example.com/token", "client_id": "relay", "client_secret": "x-secret"}
URL = "https://billing.example.com/hooks?key=hidden"


def event(body: bytes = b'{"n": 1}', content_type: str = "application/json", **fields: Any) -> Event:
    """An event with this body."""
    known: dict[str, Any] = {"id": "e1", "source": "shop", "type": "orders.updated", "subject": "orders/42"}
    return Event(occurred_at=AT, received_at=AT, body=body, content_type=content_type, **known | fields)


def sent(given: Event, **options: Any) -> requests.PreparedRequest:
    """The request that an http target with these options makes of the event."""
    target = TARGET(HttpOptions.model_validate({"name": "billing", "kind": "http", "url": URL} | options))
    return target.render(Message(id="e1_billing", event=given, sent_at=AT)).prepare()


def body_of(request: requests.PreparedRequest) -> bytes:
    """The request's body as bytes."""
    assert isinstance(request.body, bytes)
    return request.body


def test_a_structured_event_embeds_json_byte_for_byte() -> None:
    """Numbers of any size and the order of members survive the trip."""
    body = b'{"big":123456789012345678901234567890, "f":1.10, "a":1e400}'
    request = sent(event(body))
    assert body in body_of(request)
    assert request.headers["content-type"] == "application/cloudevents+json"
    assert json.loads(body_of(request))["datacontenttype"] == "application/json"


@pytest.mark.parametrize("body", [b"\xff\xfe{\x00}\x00", b"\xef\xbb\xbf{}", b"{", b"NaN", b"", b"[" * 100_000])
def test_a_body_that_is_no_json_travels_as_base64(body: bytes) -> None:
    """What claims to be JSON and is not reaches the receiver unharmed, in a document that is JSON."""
    document = json.loads(body_of(sent(event(body))))
    assert b64decode(document["data_base64"]) == body
    assert "data" not in document


def test_text_travels_as_a_string() -> None:
    """Text of another type is a string with its own content type."""
    document = json.loads(body_of(sent(event("grüß dich".encode(), "text/plain"))))
    assert (document["data"], document["datacontenttype"]) == ("grüß dich", "text/plain")


def test_binary_mode_percent_encodes_headers() -> None:
    """Spaces, quotes, percent signs and anything beyond ASCII are encoded, as the HTTP binding asks."""
    request = sent(event(b"\x00\x01", "image/png", subject='Grü "50%" €'), format="binary")
    assert request.headers["ce-subject"] == "Gr%C3%BC%20%2250%25%22%20%E2%82%AC"
    assert (request.headers["ce-id"], request.headers["ce-specversion"]) == ("e1", "1.0")
    assert (request.body, request.headers["content-type"]) == (b"\x00\x01", "image/png")


def test_binary_mode_unwraps_a_structured_event() -> None:
    """A CloudEvent that came in one document leaves in two parts, its extensions among the headers."""
    envelope = json.dumps({"specversion": "1.0", "id": "x", "traceparent": "00-a", "data": {"n": 1}}).encode()
    request = sent(event(envelope, "application/cloudevents+json"), format="binary")
    assert json.loads(body_of(request)) == {"n": 1}
    assert request.headers["ce-traceparent"] == "00-a"
    assert request.headers["content-type"] == "application/json"


def test_raw_is_the_bytes_that_arrived() -> None:
    """Raw changes neither the bytes nor their content type, and adds no ce- header."""
    request = sent(event(b"a=1&b=%20", "application/x-www-form-urlencoded"), format="raw")
    assert (request.body, request.headers["content-type"]) == (b"a=1&b=%20", "application/x-www-form-urlencoded")
    assert not [name for name in request.headers if name.lower().startswith("ce-")]


def test_every_key_signs_during_rotation() -> None:
    """With two secrets there are two signatures over the very bytes that leave."""
    request = sent(event(), secret=KEYS)
    stamp = str(int(AT.timestamp()))
    expected = [standard_signature(standard_key(key), "e1_billing", stamp, body_of(request)) for key in KEYS]
    assert request.headers["webhook-signature"].split(" ") == expected
    assert request.headers["webhook-timestamp"] == stamp


def test_without_a_secret_there_is_an_id_and_no_signature() -> None:
    """Receivers can tell a repeat even when nothing is signed."""
    request = sent(event(), headers={"X-Team": "ops"})
    assert request.headers["webhook-id"] == "e1_billing"
    assert "webhook-signature" not in request.headers
    assert request.headers["x-team"] == "ops"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"url": "ftp://host/x-secret"}, "http:// or https://"),
        ({"url": "https://"}, "a host"),
        ({"url": "https://user:x-secret@host/"}, "a user or a password"),
        ({"url": "https://host:x-secret/"}, "cannot be read"),
        ({"url": "https://[x-secret/"}, "cannot be read"),
        ({"url": "https://*x-secret/"}, "host is not one"),
        ({"url": "https://host/x-secret\r\nx: y"}, "control character"),
        ({"secret": "whsec_x-secret"}, "base64"),
        ({"secret": "whsec_" + b64encode(b"x-secret").decode()}, "24 to 64 bytes"),
        ({"secret": []}, "at least 1 item"),
        ({"headers": {"Webhook-Id": "x-secret"}}, "webhook-id is set by the relay"),
        ({"headers": {"Host": "x-secret"}}, "host is set by the relay"),
        ({"headers": {"a b": "x-secret"}}, "letters, digits and hyphens"),
        ({"headers": {"a": "x-secret\r\nb: c"}}, "one line of printable ASCII"),
        ({"headers": {"a": "x-secret", "A": "x"}}, "named twice"),
        ({"method": "TRACE"}, "'POST'"),
        ({"method": "GET", "body": "{{ data }}"}, "a GET has no body"),
        ({"body": "{{ x-secret"}, "line 1"),
        ({"body": "{{ nothing }}"}, "unknown name nothing"),
        ({"body": "{{ data }}", "format": "raw"}, "exclude one another"),
        ({"content_type": "text/plain"}, "that of a body"),
        ({"body": "x", "content_type": "text/plain\r\nx: x-secret"}, "one line"),
        ({"headers": {"a": "{{ x-secret"}}, "the header a is a template"),
        ({"bearer": "x-secret\n"}, "one line"),
        ({"bearer": "x-secret", "basic": {"user": "ana", "password": "x-secret"}}, "basic and bearer exclude"),
        ({"bearer": "x-secret", "headers": {"Authorization": "x-secret"}}, "headers.authorization exclude"),
        ({"basic": {"user": "a:b", "password": "x-secret"}}, "no colon"),
        ({"basic": {"user": "ana"}}, "Field required"),
        ({"oauth2": {"token_url": "ftp://x-secret", "client_id": "a", "client_secret": "x-secret"}}, "http://"),
        ({"oauth2": {**CLIENT, "client_auth": "x-secret"}}, "'basic'"),
        ({"secret": "whsk_x-secret"}, "base64"),
        ({"secret": "whsk_" + b64encode(bytes(64)).decode()}, "its public key"),
        ({"secret": "whpk_" + b64encode(bytes(32)).decode()}, "a public key cannot sign"),
        ({"client_cert": "x-secret"}, "certificates in PEM"),
        ({"client_key": "x-secret"}, "private key in PEM"),
        ({"client_key": PEM}, "belong together"),
        ({"client_cert": PEM, "client_key": OTHER_PEM}, "not the key"),
        ({"client_cert": PEM, "client_key": PEM, "url": "http://host/x-secret"}, "https://"),
        ({"colour": "x-secret"}, "Extra inputs"),
    ],
)
def test_wrong_options_are_refused_without_showing_them(options: dict[str, Any], words: str) -> None:
    """The error says what is wrong and holds neither URL nor secret."""
    with pytest.raises(ValidationError) as refused:
        HttpOptions.model_validate({"name": "billing", "kind": "http", "url": URL} | options)
    assert words in str(refused.value)
    assert "x-secret" not in str(refused.value)


def test_ed25519_signs_as_the_specification_says() -> None:
    """A `whsk_` key, seed alone or with its public half, signs `v1a`; the public key verifies it."""
    private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    public = private.public_key().public_bytes_raw()
    for raw in (bytes(range(32)), bytes(range(32)) + public):
        request = sent(event(), secret=["whsk_" + b64encode(raw).decode(), KEYS[0]])
        signatures = request.headers["webhook-signature"].split(" ")
        assert [one.partition(",")[0] for one in signatures] == ["v1a", "v1"]
        stamp = request.headers["webhook-timestamp"]
        key = "whpk_" + b64encode(public).decode()
        require_standard([standard_verifier(key)], "e1_billing", stamp, body_of(request), signatures[:1])
        with pytest.raises(BadSignature):
            require_standard([standard_verifier(key)], "e1_billing", stamp, b"other", signatures[:1])


def test_a_former_secret_signs_too() -> None:
    """What was replaced lately signs behind the present ones."""
    options = HttpOptions.model_validate({"name": "billing", "kind": "http", "url": URL, "secret": KEYS[0]})
    message = Message("e1_billing", event(), AT, former=(KEYS[1],))
    request = TARGET(options).render(message).prepare()
    assert request.headers["webhook-signature"] == sent(event(), secret=KEYS).headers["webhook-signature"]


ODD = 'Ann "O\'Hara" <b> & \n\\ € {{ 1 }}'


@pytest.mark.parametrize(
    ("media", "body", "expected"),
    [
        ("application/json", '{"text": "for {{ data.name }}"}', json.dumps({"text": f"for {ODD}"})),
        ("application/vnd.x+json", '{"all": {{ data | tojson }}}', json.dumps({"all": {"name": ODD}})),
        ("text/plain", "for {{ data.name }}", f"for {ODD}"),
        ("application/xml", "<n>{{ data.name }}</n>", f"<n>{html.escape(ODD)}</n>"),
        ("application/x-www-form-urlencoded", "n={{ data.name }}&t=1", urlencode({"n": ODD, "t": 1})),
    ],
)
def test_a_body_template_stays_what_it_claims_to_be(media: str, body: str, expected: str) -> None:
    """Values are escaped as the content type asks: no value breaks out of the template."""
    request = sent(event(json.dumps({"name": ODD}).encode()), body=body, content_type=media, secret=KEYS[:1])
    made = body_of(request).decode()
    assert (json.loads(made) == json.loads(expected)) if "json" in media else (made == expected)
    assert request.headers["content-type"] == media
    assert "webhook-signature" in request.headers


def test_a_body_that_is_no_json_is_not_sent() -> None:
    """A template that makes broken JSON of an event fails, and says where."""
    with pytest.raises(TemplateFailed, match="no JSON"):
        sent(event(b'{"n": null}'), body='{"n": {{ data.n }}}')


def test_headers_are_filled_in() -> None:
    """A value that is a template tells of the event, on one line of ASCII, whatever the event holds."""
    request = sent(event(json.dumps({"n": "a\r\nX-Evil: 1€"}).encode()), headers={"X-Order": "no {{ data.n }}!"})
    assert request.headers["x-order"] == "no a%0D%0AX-Evil: 1%E2%82%AC!"


@pytest.mark.parametrize(
    ("options", "value"),
    [
        ({"basic": {"user": "ana", "password": "ü:p"}}, "Basic " + b64encode("ana:ü:p".encode()).decode()),
        ({"bearer": "tok"}, "Bearer tok"),
        ({"headers": {"Authorization": "Key 1"}}, "Key 1"),
    ],
)
def test_credentials_are_shown(options: dict[str, Any], value: str) -> None:
    """Name and password, a token, or whatever the header is given as."""
    assert sent(event(), **options).headers["authorization"] == value


def test_a_get_has_no_body() -> None:
    """A GET tells of the event in its headers alone."""
    request = sent(event(), method="GET", format="binary", secret=KEYS)
    assert (request.method, request.body) == ("GET", None)
    assert request.headers["ce-subject"] == "orders/42"
    assert "content-type" not in request.headers
    assert "webhook-signature" in request.headers
    assert "ce-subject" not in sent(event(), method="GET").headers


@given(st.binary(max_size=200), st.text(max_size=40), st.text(min_size=1, max_size=40), st.text(max_size=40))
def test_any_event_makes_a_request(body: bytes, content_type: str, name: str, subject: str) -> None:
    """No body, content type, name or subject, surrogates included, stops a request from being made."""
    for media in (content_type, "application/json", "application/cloudevents+json", "text/plain"):
        given_event = event(body, media, type=name, source=name, subject=subject)
        json.loads(body_of(sent(given_event)))
        sent(given_event, format="binary")
        sent(given_event, format="raw")


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda inner: st.lists(inner, max_size=3)))
def test_any_structured_event_makes_a_request(data: Any) -> None:
    """A CloudEvent that holds what JSON or UTF-8 cannot is passed on all the same."""
    envelope = {"data": data, "datacontenttype": data, "ext": data, "Bad Name\ud800": "x", "data_base64": None}
    given_event = event(json.dumps(envelope).encode(), "application/cloudevents+json")
    json.loads(body_of(sent(given_event)))
    sent(given_event, format="binary")
