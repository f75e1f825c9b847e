"""Addresses that requests go to: checked when they are configured, never shown."""

import hashlib
import re
from typing import Annotated
from urllib.parse import urlsplit

import requests
from pydantic import AfterValidator, SecretStr

from relay.secrets import SecretText

_UNSAFE = re.compile(r"[\x00-\x20\x7f]")


def checked_url(secret: SecretStr) -> SecretStr:
    """Return the URL if it can be requested. Raises `ValueError`, whose words do not hold the URL."""
    url = secret.get_secret_value()
    if _UNSAFE.search(url):
        raise ValueError("the URL holds a space or a control character")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError("the URL cannot be read: https://host[:port]/path is expected") from None
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname:
        raise ValueError("the URL needs http:// or https:// and a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("the URL holds a user or a password: send them in a header instead")
    try:
        requests.Request("POST", url).prepare()
    except (requests.RequestException, UnicodeError):
        raise ValueError("the URL's host is not one that can be requested") from None
    return secret


def fingerprint(url: str) -> str:
    """Return a digest of an address without its query: tells addresses apart, and shows none of them."""
    parts = urlsplit(url)
    return hashlib.sha256(f"{parts.hostname}{parts.path}".encode()).hexdigest()[:16]


HttpUrl = Annotated[SecretText, AfterValidator(checked_url)]
"""An http or https URL with a host, kept as a secret: chat and webhook URLs carry their own key."""
