"""The Chat app: which message an event edits, how its tokens are asked for, and which options it refuses."""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import ValidationError

from relay.domain.errand import Errand
from relay.domain.event import Event, encode
from relay.domain.grants import JwtBearer
from relay.domain.target import Message
from relay.targets.google_chat import GoogleChatAppOptions, GoogleChatAppTarget, GoogleChatOptions, GoogleChatTarget

AT = datetime.now(UTC)
KEY = rsa.generate_private_key(65537, 2048)


def pem(key: PrivateKeyTypes) -> str:
    """A private key in PEM."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


ELLIPTIC = pem(ec.generate_private_key(ec.SECP256R1()))
ACCOUNT = {
    "type": "service_account",
    "client_email": "relay@project.iam.gserviceaccount.com",
    "private_key_id": "key-1",
    "private_key": pem(KEY),
    "token_uri": "https://oauth2.googleapis.com/token",
}


def target(**options: Any) -> GoogleChatAppTarget:
    """A target with these options beside the usual ones."""
    known = {"name": "room", "kind": "google_chat_app", "space": "spaces/AAAA", "credentials": json.dumps(ACCOUNT)}
    return GoogleChatAppTarget(GoogleChatAppOptions.model_validate(known | options))


def sent(event_id: str = "e1", subject: str | None = None, **fields: Any) -> Errand:
    """The request made of an event."""
    event = Event(event_id, "shop", "orders.updated", AT, AT, encode({"n": 1}), subject=subject)
    message = Message(**{"id": f"{event_id}_room", "event": event, "sent_at": AT} | fields)
    request = target().render(message)
    assert isinstance(request, Errand)
    return request


def test_a_subject_has_one_message() -> None:
    """Every event about it edits the same; other subjects, and the same of another thread, have their own."""
    first, second = sent("e1", "orders/1"), sent("e2", "orders/1")
    assert (first.method, first.url) == (second.method, second.url)
    assert first.params == {"updateMask": "text,cardsV2", "allowMissing": "true"}
    assert len({one.url for one in (first, sent("e3", "orders/2"), sent("e4", "orders/1", thread="t"))}) == 3
    assert sent("e5", thread="t").url == sent("e6", "orders/9", thread="t").url


def test_without_a_subject_each_is_a_message() -> None:
    """It is created once, however often it is tried; a replay, and a fold of many, are messages of their own."""
    first, again, other, replayed = sent("e1"), sent("e1"), sent("e2"), sent("e1", earlier=1)
    assert first.method == "POST"
    assert first.params == again.params
    folded = sent("e1", "orders/1", folded=3)
    assert folded.method == "POST"
    assert len({json.dumps(one.params) for one in (first, other, replayed, folded)}) == 4
    assert str(first.params["messageId"]).startswith("client-")
    assert len(str(first.params["messageId"])) <= 63


def test_a_space_has_one_quota() -> None:
    """The app and a webhook into the same space share it."""
    url = "https://chat.googleapis.com/v1/spaces/AAAA/messages?key=k&token=t"
    webhook = GoogleChatTarget(GoogleChatOptions.model_validate({"name": "w", "kind": "google_chat", "url": url}))
    assert target().pace == webhook.pace


def test_tokens_are_asked_for_with_an_assertion() -> None:
    """It is signed with the account's key, names the account and the scope, and lasts an hour."""
    grant = sent().grant
    assert isinstance(grant, JwtBearer)
    request = grant.request(AT)
    form = parse_qs(str(request.data))
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    (assertion,) = form["assertion"]
    claims = jwt.decode(assertion, KEY.public_key(), ["RS256"], audience=ACCOUNT["token_uri"])
    assert (claims["iss"], claims["scope"]) == (ACCOUNT["client_email"], "https://www.googleapis.com/auth/chat.bot")
    assert claims["exp"] - claims["iat"] == 3600
    assert jwt.get_unverified_header(assertion)["kid"] == "key-1"
    assert "PRIVATE" not in repr(grant)
    assert grant == sent("e2").grant, "one token serves all"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"space": "AAAA"}, "pattern"),
        ({"space": "spaces/AAAA/messages"}, "pattern"),
        ({"credentials": "x-secret"}, "JSON of a service account's key"),
        ({"credentials": '["x-secret"]'}, "key of a service account"),
        ({"credentials": json.dumps(ACCOUNT | {"type": "authorized_user"})}, "key of a service account"),
        ({"credentials": json.dumps(ACCOUNT | {"client_email": 7, "token_uri": ""})}, "lacks client_email, token_uri"),
        ({"credentials": json.dumps(ACCOUNT | {"private_key": "x-secret"})}, "no key in PEM"),
        (
            {"credentials": json.dumps(ACCOUNT | {"private_key": pem(ec.generate_private_key(ec.SECP256R1()))})},
            "no RSA",
        ),
        ({"credentials": json.dumps(ACCOUNT | {"token_uri": "ftp://x-secret"})}, "http:// or https://"),
        ({"token_url": "ftp://x-secret"}, "http:// or https://"),
    ],
)
def test_wrong_options_are_refused_without_showing_them(options: dict[str, Any], words: str) -> None:
    """The error says what is wrong and shows nothing of the key."""
    with pytest.raises(ValidationError) as refused:
        target(**options)
    assert words in str(refused.value)
    assert "x-secret" not in str(refused.value)
    assert "PRIVATE" not in str(refused.value)
