"""Identity tokens: JSON Web Tokens, signed with RS256 by one key of a published set."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any

import jwt
from pydantic import Field, field_validator

from relay.domain.credentials import bearer_token
from relay.domain.durations import Duration
from relay.domain.inbound import Inbound, Need, Secrets, SourceOptions
from relay.domain.url import HttpUrl
from relay.errors import BadSignature

ALGORITHM = "RS256"
TOKEN_LENGTH = 8192
KEY_ID_LENGTH = 256

GOOGLE_ISSUERS = ("https://accounts.google.com", "accounts.google.com")
GOOGLE_KEYS = "https://www.googleapis.com/oauth2/v3/certs"

# Times are compared with the clock that is handed in, below.
_CHECKS: Any = {
    "require": ["aud", "exp", "iat", "iss"],
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
}


class TokenOptions(SourceOptions):
    """Options of a provider whose sender shows a token: `audience` is for whom, `tolerance` bounds clocks both ways.

    `key_set` is the address of the public keys, for a service that stands in for the sender.
    """

    audience: Annotated[str, Field(min_length=1, max_length=1024)]
    tolerance: Duration = 60.0
    key_set: HttpUrl | None = None

    @field_validator("secret")
    @classmethod
    def _no_secret(cls, secret: Secrets | None) -> Secrets | None:
        if secret is not None:
            raise ValueError("public keys check the sender's token: leave the secret out")
        return secret

    def keys_at(self, usual: str) -> str:
        """Return the address of the public keys."""
        return usual if self.key_set is None else self.key_set.get_secret_value()


def need_of(request: Inbound, key_set: str) -> Need:
    """Return the need for a key set that holds the key which signed the token. Raises `BadSignature`."""
    return Need(key_set, holds=json.dumps(_key_id(_token(request))))


def require_token(
    request: Inbound, options: TokenOptions, key_set: str, issuers: Collection[str], now: datetime
) -> Mapping[str, Any]:
    """Return the claims of a token that one of the issuers made for this audience, and that holds now.

    Raises `BadSignature`.
    """
    token = _token(request)
    key = _key(request.documents.get(key_set, b""), _key_id(token))
    try:
        claims = jwt.decode(token, key, [ALGORITHM], _CHECKS, audience=options.audience, issuer=issuers)
    except jwt.PyJWTError as error:
        raise BadSignature(f"the token does not hold: {type(error).__name__}") from None
    begins, ends = claims["iat"], claims["exp"]
    if not (isinstance(begins, int | float) and isinstance(ends, int | float)):
        raise BadSignature("the token's times are no numbers")
    if not begins - options.tolerance <= now.timestamp() <= ends + options.tolerance:
        raise BadSignature("the token is outside its time window")
    return claims


def require_email(claims: Mapping[str, Any], email: str) -> None:
    """Return if the token speaks for the verified owner of an address. Raises `BadSignature`."""
    if claims.get("email") != email or claims.get("email_verified") is not True:
        raise BadSignature("the token is another account's")


def _token(request: Inbound) -> str:
    token = bearer_token(request)
    if not token.isascii() or len(token) > TOKEN_LENGTH or token.count(".") != 2:
        raise BadSignature("the bearer token is no signed token")
    signature = token.rpartition(".")[2]
    try:
        raw = urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    except ValueError:
        raise BadSignature("the bearer token is no signed token") from None
    # Base64 leaves bits unused at its end: only one spelling of a signature counts.
    if urlsafe_b64encode(raw).decode().rstrip("=") != signature:
        raise BadSignature("the bearer token is no signed token")
    return token


def _key_id(token: str) -> str:
    try:
        key_id = jwt.get_unverified_header(token).get("kid")
    except jwt.PyJWTError:
        raise BadSignature("the bearer token is no signed token") from None
    if not isinstance(key_id, str) or not 0 < len(key_id) <= KEY_ID_LENGTH:
        raise BadSignature("the token names no key")
    return key_id


@lru_cache(maxsize=64)
def _key(key_set: bytes, key_id: str) -> jwt.PyJWK:
    try:
        keys = json.loads(key_set)["keys"]
        (key,) = (key for key in keys if key.get("kid") == key_id)
        return jwt.PyJWK(key, ALGORITHM)
    except (ValueError, TypeError, KeyError, AttributeError, jwt.PyJWTError):
        raise BadSignature("the token is signed with a key that is not known") from None
