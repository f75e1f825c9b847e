"""Secrets: read from where they are kept, sealed where they are stored, never shown."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import BeforeValidator, PlainSerializer, SecretStr, ValidationInfo

from relay.errors import InvalidConfiguration

REVEAL = {"reveal": True}
"""Serialisation context under which secrets are written in clear: only for what is sealed right after."""

RESOLVE = {"resolve": True}
"""Validation context under which `env:NAME` and `file:PATH` are looked up; without it, text is taken as it is."""


def resolve(reference: str) -> str:
    """Return what `env:NAME`, `file:PATH` or the text itself stands for. Raises `ValueError` when it is missing."""
    scheme, _, name = reference.partition(":")
    if scheme == "env":
        value = os.environ.get(name, "")
        if not value:
            raise ValueError(f"the environment variable {name} is not set")
        return value
    if scheme == "file":
        try:
            value = Path(name).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"the file {name} cannot be read: {getattr(error, 'strerror', 'not text')}") from None
        if not value:
            raise ValueError(f"the file {name} is empty")
        return value
    return reference


def _resolved(value: Any, info: ValidationInfo) -> Any:
    if isinstance(value, str) and info.context and info.context.get("resolve"):
        value = resolve(value)
    if value == "":
        raise ValueError("a secret cannot be empty")
    return value


def _serialised(value: SecretStr, info: Any) -> str:
    context = info.context or {}
    return value.get_secret_value() if context.get("reveal") else "**********"


SecretText = Annotated[SecretStr, BeforeValidator(_resolved), PlainSerializer(_serialised, return_type=str)]
"""A secret of the configuration: written in clear only under `REVEAL`, looked up only under `RESOLVE`."""


class Sealer:
    """Encrypts what is stored, with the newest key; decrypts with any of them, so that keys can be rotated."""

    def __init__(self, keys: Iterable[str]) -> None:
        try:
            fernets = [Fernet(key) for key in keys]
            self._newest, self._fernet = fernets[0], MultiFernet(fernets)
        except (ValueError, IndexError):
            raise InvalidConfiguration(
                "RELAY_SECRET_KEYS holds something that is no Fernet key",
                hint="a key is 32 random bytes in URL-safe base64; newest first, separated by commas",
            ) from None

    @staticmethod
    def new_key() -> str:
        """Return a fresh Fernet key."""
        return Fernet.generate_key().decode()

    def seal(self, text: str) -> str:
        """Return `text` encrypted and authenticated."""
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """Return what was sealed. Raises `InvalidConfiguration` when none of the keys opens it."""
        try:
            return self._fernet.decrypt(sealed).decode()
        except InvalidToken:
            raise InvalidConfiguration(
                "the stored configuration is sealed with another key",
                hint="add the earlier key to RELAY_SECRET_KEYS, or apply the configuration again",
            ) from None

    def is_newest(self, sealed: str) -> bool:
        """Say whether something was sealed with the newest key."""
        try:
            self._newest.decrypt(sealed)
        except InvalidToken:
            return False
        return True
