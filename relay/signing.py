"""Signatures over raw bytes: HMAC in the shapes that webhooks use, and Standard Webhooks in both directions."""

import hmac
from base64 import b64decode, b64encode
from binascii import Error as BinasciiError
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import lru_cache, partial

import requests
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from relay.errors import BadSignature


def digest(secret: bytes, content: bytes, algorithm: str = "sha256") -> bytes:
    """Return the HMAC of `content`. Raises `BadSignature` for an empty secret, which would let anybody sign."""
    if not secret:
        raise BadSignature("the secret is empty")
    keyed = _keyed(secret, algorithm).copy()
    keyed.update(content)
    return keyed.digest()


@lru_cache(maxsize=256)
def _keyed(secret: bytes, algorithm: str) -> hmac.HMAC:
    # `hmac.digest` gives the interpreter away, however short the text: a busy event loop waits long to get it back.
    return hmac.new(secret, digestmod=algorithm)


def hex_digest(secret: bytes, content: bytes, algorithm: str = "sha256") -> str:
    """Return the HMAC of `content` in lower-case hexadecimal digits."""
    return digest(secret, content, algorithm).hex()


def base64_digest(secret: bytes, content: bytes, algorithm: str = "sha256") -> str:
    """Return the HMAC of `content` in base64."""
    return b64encode(digest(secret, content, algorithm)).decode()


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


def require(candidates: Iterable[str], given: Iterable[str]) -> None:
    """Return if any given signature is one of the expected ones. Raises `BadSignature`."""
    if not matches(candidates, given):
        raise BadSignature("the signature does not match")


def require_timely(timestamp: str, now: datetime, tolerance: float) -> None:
    """Return if `timestamp`, in Unix seconds, is at most `tolerance` seconds from now. Raises `BadSignature`."""
    # Twelve digits reach the year 33658; longer ones would only be work.
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise BadSignature("the timestamp is not a number of seconds")
    if abs(now.timestamp() - int(timestamp)) > tolerance:
        raise BadSignature("the timestamp is outside the time window")


def require_near(sent: datetime | None, now: datetime, tolerance: float) -> None:
    """Return if `sent` is a time at most `tolerance` seconds from now. Raises `BadSignature`."""
    if sent is None or abs((now - sent).total_seconds()) > tolerance:
        raise BadSignature("the timestamp is missing or outside the time window")


def standard_key(secret: str) -> bytes:
    """Return the key bytes of a `whsec_` secret. Raises `ValueError` when it is not base64."""
    try:
        key = b64decode(secret.removeprefix("whsec_"), validate=True)
    except (BinasciiError, ValueError):
        raise ValueError("a signing secret is `whsec_` and base64") from None
    if not key:
        raise ValueError("a signing secret is `whsec_` and base64, and not empty")
    return key


def standard_content(message_id: str, timestamp: str, body: bytes) -> bytes:
    """Return what the Standard Webhooks specification signs."""
    return b".".join((message_id.encode(), timestamp.encode(), body))


def standard_signature(key: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    """Return the `v1` signature of the Standard Webhooks specification, with its version."""
    return _hmac_signature(key, standard_content(message_id, timestamp, body))


def _hmac_signature(key: bytes, content: bytes) -> str:
    return "v1," + b64encode(digest(key, content)).decode()


PUBLIC_KEY = "whpk_"
"""How a Standard Webhooks public key begins: what it verifies are `v1a` signatures."""

PRIVATE_KEY = "whsk_"
"""How the private key begins that makes them."""

_SEED = 32

Sign = Callable[[bytes], str]
"""Signs `standard_content`; returns the signature with its version."""


def standard_signer(secret: str) -> Sign:
    """Return what signs with a secret: `whsec_` makes `v1` signatures, the private key `whsk_` makes `v1a`.

    Raises `ValueError` when it is neither.
    """
    if secret.startswith(PUBLIC_KEY):
        raise ValueError(f"a public key cannot sign: the private one begins with `{PRIVATE_KEY}`")
    if not secret.startswith(PRIVATE_KEY):
        return partial(_hmac_signature, standard_key(secret))
    private = standard_private_key(secret)
    return lambda content: "v1a," + b64encode(private.sign(content)).decode()


def standard_private_key(key: str) -> Ed25519PrivateKey:
    """Return what `whsk_` and base64 stand for: a seed, alone or with its public key. Raises `ValueError`."""
    try:
        raw = b64decode(key.removeprefix(PRIVATE_KEY), validate=True)
        private = Ed25519PrivateKey.from_private_bytes(raw[:_SEED])
    except (BinasciiError, ValueError):
        raise ValueError("a private key is `whsk_` and the base64 of 32 or 64 bytes") from None
    if raw[_SEED:] not in (b"", private.public_key().public_bytes_raw()):
        raise ValueError("the second half of the private key is not its public key")
    return private


def standard_public_key(key: str) -> Ed25519PublicKey:
    """Return what `whpk_` and base64 stand for. Raises `ValueError` when it is not 32 bytes of base64."""
    try:
        return Ed25519PublicKey.from_public_bytes(b64decode(key.removeprefix(PUBLIC_KEY), validate=True))
    except (BinasciiError, ValueError):
        raise ValueError("a public key is `whpk_` and the base64 of 32 bytes") from None


StandardKey = bytes | Ed25519PublicKey
"""What accounts for a Standard Webhooks signature: the bytes of a secret, or a public key."""


def standard_verifier(secret: str) -> StandardKey:
    """Return the key of a `whsec_` secret or a `whpk_` public key. Raises `ValueError` when it is neither."""
    return standard_public_key(secret) if secret.startswith(PUBLIC_KEY) else standard_key(secret)


def require_standard(
    keys: Iterable[StandardKey], message_id: str, timestamp: str, body: bytes, signatures: Sequence[str]
) -> None:
    """Return if any key accounts for any of the signatures.

    `signatures` are as sent, each with its version; versions nobody knows are passed over. Raises `BadSignature`.
    """
    found = False
    for key in keys:
        if isinstance(key, bytes):
            found |= matches([standard_signature(key, message_id, timestamp, body)], signatures)
        else:
            content = standard_content(message_id, timestamp, body)
            found |= _any_signed(key, content, signatures)
    if not found:
        raise BadSignature("the signature does not match")


def _any_signed(key: Ed25519PublicKey, content: bytes, signatures: Iterable[str]) -> bool:
    return any(
        _signed(key, content, text) for version, _, text in (s.partition(",") for s in signatures) if version == "v1a"
    )


def _signed(key: Ed25519PublicKey, content: bytes, text: str) -> bool:
    try:
        raw = b64decode(text, validate=True)
        key.verify(raw, content)
    except (BinasciiError, ValueError, InvalidSignature):
        return False
    # Base64 leaves bits unused at its end: only one spelling of a signature counts.
    return b64encode(raw).decode() == text


class StandardWebhooks(requests.auth.AuthBase):
    """Names, dates and (with secrets) signs a request as Standard Webhooks asks; during rotation, with each of them."""

    def __init__(self, message_id: str, timestamp: int, signers: Sequence[Sign] = ()) -> None:
        self._id = message_id
        self._timestamp = str(timestamp)
        self._signers = signers

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Return the request with its headers set; its body must stand, for it is what is signed."""
        request.headers["webhook-id"] = self._id
        request.headers["webhook-timestamp"] = self._timestamp
        if self._signers:
            body = request.body or b""
            raw = body.encode() if isinstance(body, str) else body
            content = standard_content(self._id, self._timestamp, raw)
            request.headers["webhook-signature"] = " ".join(sign(content) for sign in self._signers)
        return request
