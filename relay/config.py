"""Settings from the environment: one frozen object, read once."""

import base64
import os
import sys
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from relay.errors import InvalidConfiguration

LOOPBACK = ("127.0.0.1", "localhost", "::1")
BROKERS = ("redis", "rediss", "sentinel", "amqp", "amqps")
_KEY_BYTES = 32


class Settings(BaseSettings):
    """What `RELAY_*` variables say. `redis_url`, `secret_keys` and others fall back to files in the data directory."""

    model_config = SettingsConfigDict(
        env_prefix="RELAY_", frozen=True, env_ignore_empty=True, hide_input_in_errors=True
    )

    data_dir: Path = Path(".relay")
    database_url: str | None = None
    broker_url: str | None = None
    redis_url: str | None = None
    config: Path | None = None
    secret_keys: Annotated[tuple[str, ...], NoDecode] = ()
    api_token: str | None = None
    egress_allow: Annotated[tuple[str, ...], NoDecode] = ()
    base_url: str = "http://127.0.0.1:8000"
    log: Literal["console", "json"] | None = None
    sandbox: Annotated[bool, Field(description="serve the sandbox space; `relay up --demo` sets it")] = False

    @field_validator("secret_keys", "egress_allow", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("secret_keys")
    @classmethod
    def _sealing(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for key in value:
            try:
                size = len(base64.urlsafe_b64decode(key))
            except ValueError:
                size = 0
            if size != _KEY_BYTES:
                raise ValueError("it holds what is no Fernet key: 32 random bytes in URL-safe base64")
        return value

    @field_validator("broker_url", "redis_url")
    @classmethod
    def _spoken(cls, value: str | None) -> str | None:
        if value is not None and value.partition("://")[0] not in BROKERS:
            raise ValueError(f"the URL begins with one of {', '.join(f'{scheme}://' for scheme in BROKERS)}")
        return value

    @field_validator("base_url")
    @classmethod
    def _without_slash(cls, value: str) -> str:
        return value.rstrip("/")

    @property
    def public_url(self) -> str | None:
        """Where senders reach the relay, whatever proxy stands before it; `None` where no more than this host is named.

        Then the address is the one that each request names.
        """
        return None if urlsplit(self.base_url).hostname in LOOPBACK else self.base_url

    @property
    def pages_url(self) -> str | None:
        """Where people reach the relay's pages, for links in messages; `None` where `base_url` was never set."""
        return self.base_url if "base_url" in self.model_fields_set else None

    @property
    def database(self) -> str:
        """The database's URL: SQLite in the data directory unless one is named."""
        return self.database_url or f"sqlite:///{self.data_dir.absolute() / 'relay.sqlite3'}"

    @cached_property
    def broker(self) -> str:
        """The broker's URL: that of the embedded Valkey, as `relay up` wrote it down, unless one is named."""
        return self.broker_url or self._kept("broker-url") or "redis://127.0.0.1:6379/0"

    @property
    def redis(self) -> str | None:
        """Where pacing and wake tokens live: the broker, where that is Redis; `None` beside RabbitMQ alone."""
        if self.redis_url:
            return self.redis_url
        return self.broker if self.broker.startswith(("redis://", "rediss://")) else None

    def require_redis(self) -> None:
        """Raise `InvalidConfiguration` where the broker is RabbitMQ and nothing says which Redis stands beside it."""
        if self.redis is None and self.broker.startswith("amqp"):
            raise InvalidConfiguration(
                "RELAY_REDIS_URL is not set: beside RabbitMQ a Redis paces targets and wakes workers",
                hint="set RELAY_REDIS_URL to redis://... beside RELAY_BROKER_URL",
            )

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The Fernet keys that seal secrets, newest first. Raises `InvalidConfiguration` when there is none."""
        keys = self.secret_keys or tuple(self._kept("secret-keys").split())
        if not keys:
            raise InvalidConfiguration(
                "there is no key to seal secrets with", hint="set RELAY_SECRET_KEYS, or start with `relay up` once"
            )
        return keys

    @cached_property
    def token(self) -> str | None:
        """The bootstrap token of the API; `None` leaves the API shut."""
        return self.api_token or self._kept("api-token") or None

    @property
    def egress(self) -> tuple[str, ...]:
        """Private places that targets may reach: those named, and the sandbox of `relay up --demo`."""
        return (*self.egress_allow, *self._kept("egress-allow").split())

    @property
    def config_file(self) -> Path | None:
        """The configuration to apply at start: the one named, or `./relay.toml` if it is there."""
        if self.config is not None:
            return self.config
        default = Path("relay.toml")
        return default if default.is_file() else None

    @property
    def log_format(self) -> str:
        """How log lines look: `console` on a terminal, `json` elsewhere, unless said."""
        return self.log or ("console" if sys.stderr.isatty() else "json")

    def _kept(self, name: str) -> str:
        """Return what `relay up` keeps in the data directory under this name; empty when it is not there."""
        try:
            return (self.data_dir / name).read_text().strip()
        except OSError:
            return ""


def load() -> Settings:
    """Read the environment. Raises `InvalidConfiguration` that names the variable."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "RELAY_" + str(first["loc"][0]).upper()
        said = first["msg"].removeprefix("Value error, ").removeprefix("Input ")
        raise InvalidConfiguration(f"{name}: {said}", hint=f"correct or unset {name}") from None


def keep(data_dir: Path, name: str, content: str) -> None:
    """Write a file of the data directory that only its owner may read."""
    make_private(data_dir)
    path = data_dir / name
    fresh = path.with_name(f".{name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(content + "\n")
    fresh.replace(path)


def make_private(directory: Path) -> None:
    """Make a directory that only its owner may enter; one that exists keeps its content and loses its openness."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.chmod(0o700)
    except OSError as error:
        raise InvalidConfiguration(
            f"{directory} cannot be used: {(error.strerror or 'error').lower()}",
            hint="set RELAY_DATA_DIR to another place",
        ) from None
