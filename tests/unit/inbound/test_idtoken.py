"""Identity tokens: what of a token has to hold, one claim at a time."""

import json
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from relay.domain.idtoken import GOOGLE_KEYS
from relay.domain.inbound import Inbound
from relay.errors import BadSignature
from relay.inbound.google_chat import CHAT, CHAT_KEYS, GoogleChat
from relay.inbound.pubsub import PubSub

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEY = generate_private_key(65537, 2048)
JWK = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key())) | {"kid": "one"}
SET = json.dumps({"keys": [JWK | {"kid": "zero"}, JWK]}).encode()
CLAIMS = {
    "iss": "https://accounts.google.com",
    "aud": "https://relay.example/in/push",
    "email": "push@example.com",
    "email_verified": True,
    "iat": int(NOW.timestamp()) - 60,
    "exp": int(NOW.timestamp()) + 3540,
}


def signed(claims: dict[str, Any], algorithm: str = "RS256", key: Any = KEY, **headers: Any) -> str:
    """Return a token; `None` leaves a claim out."""
    kept = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(kept, key, algorithm, headers={"kid": "one"} | headers)


def check(token: str, *, at: datetime = NOW, keys: bytes = SET) -> None:
    """Verify a request of Pub/Sub that carries this token."""
    options = {"name": "push", "verify": "pubsub", "audience": CLAIMS["aud"], "email": CLAIMS["email"]}
    provider = PubSub(PubSub.Options.model_validate(options))
    request = Inbound("POST", "", {"authorization": f"Bearer {token}"}, b"{}", {GOOGLE_KEYS: keys})
    provider.needs(request)
    provider.verify(request, at)


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://accounts.example.com"},
        {"iss": None},
        {"aud": "https://another.example/in/push"},
        {"aud": None},
        {"aud": ["https://another.example/in/push"]},
        {"email": "somebody@example.com"},
        {"email": None},
        {"email_verified": False},
        {"email_verified": "true"},
        {"email_verified": None},
        {"exp": None},
        {"iat": None},
        {"exp": "never"},
    ],
)
def test_every_claim_counts(claims: dict[str, Any]) -> None:
    """A token of Google's for somebody else, or of somebody else, is none."""
    check(signed(CLAIMS))
    with pytest.raises(BadSignature):
        check(signed(CLAIMS | claims))


def test_tokens_end() -> None:
    """A token holds from when it was made until it ends, give or take a minute."""
    for held in (timedelta(seconds=-119), timedelta(seconds=3599)):
        check(signed(CLAIMS), at=NOW + held)
    for past in (timedelta(seconds=-121), timedelta(seconds=3601)):
        with pytest.raises(BadSignature, match="time window"):
            check(signed(CLAIMS), at=NOW + past)


def test_only_rs256_signs() -> None:
    """A token that is not signed at all, or with the public key as if it were a secret, is none."""
    unsigned = ".".join((*signed(CLAIMS, "none", None).split(".")[:2], ""))
    secret = urlsafe_b64encode(SET).decode()
    for token in (unsigned, signed(CLAIMS, "HS256", secret), signed(CLAIMS, "RS512"), signed(CLAIMS, "PS256")):
        with pytest.raises(BadSignature):
            check(token)


@pytest.mark.parametrize("kid", ["two", "", 7, "x" * 257, None])
def test_the_key_has_to_be_in_the_set(kid: Any) -> None:
    """A key that is not published, or not named, signs nothing."""
    head = {"alg": "RS256"} if kid is None else {"alg": "RS256", "kid": kid}
    encoded = urlsafe_b64encode(json.dumps(head).encode()).decode().rstrip("=")
    token = ".".join((encoded, *signed(CLAIMS).split(".")[1:]))
    with pytest.raises(BadSignature):
        check(token)


@pytest.mark.parametrize("token", ["", "a", "a.b", "a.b.c", "é.é.é", "." * 9000, signed(CLAIMS) + "=", "[].[].[]"])
def test_what_is_no_token(token: str) -> None:
    """Whatever stands after `Bearer`, the answer is that the signature is bad."""
    with pytest.raises(BadSignature):
        check(token)


def test_chat_signs_in_two_ways() -> None:
    """For a project's number the keys are Chat's own, for an address they are Google's, and the account is Chat's."""
    for audience, keys in (("1234567890", CHAT_KEYS), ("https://relay.example/in/chat", GOOGLE_KEYS)):
        provider = GoogleChat(
            GoogleChat.Options.model_validate({"name": "chat", "verify": "google_chat", "audience": audience})
        )
        for issuer, email in ((CHAT, CHAT), (CLAIMS["iss"], CHAT), (CLAIMS["iss"], CLAIMS["email"])):
            token = signed(CLAIMS | {"aud": audience, "iss": issuer, "email": email})
            request = Inbound("POST", "", {"authorization": f"Bearer {token}"}, b"{}", {keys: SET})
            need = provider.needs(request)
            assert need is not None
            assert need.url == keys
            genuine = (issuer == CHAT) if keys == CHAT_KEYS else (issuer, email) == (CLAIMS["iss"], CHAT)
            if genuine:
                provider.verify(request, NOW)
            else:
                with pytest.raises(BadSignature):
                    provider.verify(request, NOW)


def test_tokens_need_no_secret() -> None:
    """Whoever writes a secret beside an audience has mixed something up."""
    with pytest.raises(ValueError, match="leave the secret out"):
        GoogleChat.Options.model_validate({"name": "a", "verify": "google_chat", "audience": "1", "secret": "s"})
