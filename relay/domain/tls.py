"""Who the relay is to a receiver over TLS, and whom it believes: certificates and keys in PEM."""

from dataclasses import dataclass, field
from typing import Annotated

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from pydantic import AfterValidator, SecretStr

from relay.secrets import SecretText


@dataclass(frozen=True, slots=True)
class Tls:
    """What a connection is made with, in PEM: the relay's own certificate and key, and the one authority it trusts.

    What is empty is left out: no certificate is shown, the usual authorities are trusted.
    """

    certificate: bytes = field(default=b"", repr=False)
    key: bytes = field(default=b"", repr=False)
    authority: bytes = field(default=b"", repr=False)


def _certificates(secret: SecretStr) -> SecretStr:
    try:
        x509.load_pem_x509_certificates(secret.get_secret_value().encode())
    except ValueError:
        raise ValueError("should be certificates in PEM: -----BEGIN CERTIFICATE-----") from None
    return secret


def _private_key(secret: SecretStr) -> SecretStr:
    _loaded(secret)
    return secret


def _loaded(secret: SecretStr) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(secret.get_secret_value().encode(), None)
    except TypeError:
        raise ValueError("the key is encrypted: give it without its passphrase") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("should be a private key in PEM: -----BEGIN PRIVATE KEY-----") from None


Certificates = Annotated[SecretText, AfterValidator(_certificates)]
"""One certificate in PEM or several, the relay's own first."""

PrivateKey = Annotated[SecretText, AfterValidator(_private_key)]
"""A private key in PEM, not encrypted."""


def tls_of(certificate: SecretStr | None, key: SecretStr | None, authority: SecretStr | None) -> Tls | None:
    """Return what options ask for, `None` where they ask for nothing. Raises `ValueError` for a pair that is none."""
    if (certificate is None) != (key is None):
        raise ValueError("client_cert and client_key belong together")
    if certificate is not None and key is not None:
        (own, *_) = x509.load_pem_x509_certificates(_bytes(certificate))
        if _public(own.public_key()) != _public(_loaded(key).public_key()):
            raise ValueError("client_key is not the key of client_cert")
    if certificate is None and authority is None:
        return None
    return Tls(_bytes(certificate), _bytes(key), _bytes(authority))


def _bytes(secret: SecretStr | None) -> bytes:
    return secret.get_secret_value().encode() if secret is not None else b""


def _public(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
