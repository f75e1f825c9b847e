"""Signatures over raw bytes: HMAC in the shapes that webhooks use, and Standard Webhooks in both directions."""

import hashlib
import hmac
from base64 import b64decode, b64encode
from binascii import Error as BinasciiError
from collections.abc import Callable, Iterable

import requests

from relay.errors import BadSignature

ALGORITHMS: dict[str, Callable[..., "hashlib._Hash"]] = {
    "sha1": hashlib.sha1,
    "sha256": hashlib.sha256,
    "sha512": hashlib.sha512,
}


def digest(secret: bytes, content: bytes, algorithm: str = "sha256") -> bytes:
    """Return the HMAC of `content`. Raises `BadSignature` for an empty secret, which would let anybody sign."""
    if not secret:
        raise BadSignature("the secret is empty")
    return hmac.new(secret, content, ALGORITHMS[algorithm]).digest()


def same(expected: str, given: str) -> bool:
    """Compare in constant time; text that is not ASCII is never equal."""
    return given.isascii() and hmac.compare_digest(expected.encode(), given.encode())


def matches(candidates: Iterable[str], given: Iterable[str]) -> bool:
    """Say whether any given signature is one of the expected ones; looks at every pair, whatever it finds."""
    offered = list(given)
    found = False
    for candidate in candidates:
        for signature in offered:
            found |= same(candidate, signature)
    return found


def standard_key(secret: str) -> bytes:
    """Return the key bytes of a `whsec_` secret. Raises `ValueError` when it is not base64."""
    try:
        key = b64decode(secret.removeprefix("whsec_"), validate=True)
    except (BinasciiError, ValueError):
        raise ValueError("a signing secret is `whsec_` and base64") from None
    if not key:
        raise ValueError("a signing secret is `whsec_` and base64, and not empty")
    return key


def standard_signature(key: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    """Return the `v1` signature of the Standard Webhooks specification, with its version."""
    content = b".".join((message_id.encode(), timestamp.encode(), body))
    return "v1," + b64encode(digest(key, content)).decode()


class StandardWebhooks(requests.auth.AuthBase):
    """Names, dates and (with keys) signs a request as Standard Webhooks asks; during rotation, with every key."""

    def __init__(self, message_id: str, timestamp: int, keys: Iterable[bytes] = ()) -> None:
        self._id = message_id
        self._timestamp = str(timestamp)
        self._keys = tuple(keys)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        body = request.body or b""
        raw = body.encode() if isinstance(body, str) else body
        request.headers["webhook-id"] = self._id
        request.headers["webhook-timestamp"] = self._timestamp
        if self._keys:
            request.headers["webhook-signature"] = " ".join(
                standard_signature(key, self._id, self._timestamp, raw) for key in self._keys
            )
        return request
