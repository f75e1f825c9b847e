"""A service account's key, as Google's console hands it out: one JSON document."""

from typing import Annotated, Any

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import AfterValidator, SecretStr

from relay.domain.grants import JwtBearer
from relay.domain.url import checked_url
from relay.secrets import SecretText

SCOPE = "https://www.googleapis.com/auth/chat.bot"
"""What an app may do in the spaces it was added to (Google Chat docs, "Authenticate as a Chat app")."""

_FIELDS = ("client_email", "private_key", "private_key_id", "token_uri")


def grant_of(key: SecretStr, token_url: SecretStr | None) -> JwtBearer:
    """Return the way to this account's tokens; `token_url` replaces the key's own. Raises `ValueError`."""
    email, private_key, key_id, token_uri = _fields(key)
    return JwtBearer(token_url.get_secret_value() if token_url else token_uri, email, SCOPE, key_id, private_key)


def _fields(key: SecretStr) -> list[str]:
    try:
        document: Any = orjson.loads(key.get_secret_value())
    except orjson.JSONDecodeError:
        raise ValueError("should be the JSON of a service account's key, such as file:service-account.json") from None
    if not isinstance(document, dict) or document.get("type") != "service_account":
        raise ValueError('should be the key of a service account, with "type": "service_account"')
    found = [document.get(name) for name in _FIELDS]
    missing = [name for name, value in zip(_FIELDS, found, strict=True) if not (isinstance(value, str) and value)]
    if missing:
        raise ValueError(f"the key lacks {', '.join(missing)}")
    return [str(value) for value in found]


def _checked(key: SecretStr) -> SecretStr:
    _, private_key, _, token_uri = _fields(key)
    try:
        loaded = load_pem_private_key(private_key.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("its private_key is no key in PEM") from None
    if not isinstance(loaded, RSAPrivateKey):
        raise ValueError("its private_key is no RSA key")  # noqa: TRY004  pydantic tells ValueErrors
    checked_url(SecretStr(token_uri))
    return key


ServiceAccount = Annotated[SecretText, AfterValidator(_checked)]
"""The JSON key of a service account, kept as a secret."""
