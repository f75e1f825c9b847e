"""What a provider sees of a request, and what it says about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict, Field

from relay.domain.durations import Duration
from relay.domain.names import Name
from relay.secrets import SecretText

MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Inbound:
    """A request as it came in: header names in lower case, the body as raw bytes.

    A header sent twice is joined with a comma, as HTTP allows; a signature made of two never verifies.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def content_type(self) -> str:
        """The content type as sent; JSON when the sender named none."""
        return self.headers.get("content-type", "application/json")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a provider reads from a verified request. `dedupe` is the sender's own id of the delivery, if it has one."""

    type: str
    dedupe: str | None = None
    subject: str | None = None
    occurred_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a sender wants to hear instead of 202: the answer to a handshake."""

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"


class SourceOptions(BaseModel):
    """What every `[[sources]]` table may hold. `secret` takes a list during rotation: any of them verifies."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    verify: str
    secret: SecretText | Annotated[tuple[SecretText, ...], Field(min_length=1)] | None = None
    max_body: Annotated[int, Field(gt=0, le=64 * MEBIBYTE)] = MEBIBYTE

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets in clear, newest first; empty when the source has none."""
        match self.secret:
            case None:
                return ()
            case tuple():
                return tuple(secret.get_secret_value() for secret in self.secret)
            case _:
                return (self.secret.get_secret_value(),)


class SignedOptions(SourceOptions):
    """Options of a provider that signs: it needs a secret."""

    secret: SecretText | Annotated[tuple[SecretText, ...], Field(min_length=1)]


class TimedOptions(SignedOptions):
    """Options of a provider that signs the time too: `tolerance` bounds the clock's difference, both ways."""

    tolerance: Duration = timedelta(minutes=5).total_seconds()


class Provider(Protocol):
    """One sender's way of signing and naming its webhooks. Verifies bytes first, reads their meaning after."""

    kind: ClassVar[str]
    Options: ClassVar[type[SourceOptions]]

    def __init__(self, options: Any) -> None: ...

    def verify(self, request: Inbound, now: datetime) -> None:
        """Return if the sender signed these very bytes. Raises `BadSignature`."""

    def read(self, request: Inbound, data: Any) -> Reading:
        """Return what the verified request says; `data` is its decoded body. Raises `Unreadable`."""

    def handshake(self, request: Inbound) -> Answer | None:
        """Return the answer to a verified request that is a handshake and no event, else `None`."""


def first_text(data: Any, *names: str) -> str | None:
    """Return the first of the named members of a JSON object that is a non-empty string."""
    if not isinstance(data, Mapping):
        return None
    values: Sequence[Any] = [data.get(name) for name in names]
    return next((value for value in values if isinstance(value, str) and value), None)
