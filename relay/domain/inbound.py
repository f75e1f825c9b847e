"""What a provider sees of a request, and what it says about it."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, StrictInt

from relay.domain.card import Card
from relay.domain.durations import Duration, Rate
from relay.domain.event import Event
from relay.domain.names import Name
from relay.errors import BadSignature, Unreadable
from relay.secrets import SecretText

MEBIBYTE = 1 << 20

TYPE_LENGTH = 256
DEDUPE_LENGTH = 256
SUBJECT_LENGTH = 512

LEVELS = 64
"""How deeply JSON may be nested: what lies deeper has no reader but the careless."""

EVENT_TYPE = "x-event-type"
IDEMPOTENCY_KEY = "idempotency-key"


@dataclass(frozen=True, slots=True)
class Inbound:
    """A request as it came in: header names in lower case, the body as raw bytes, `url` in full as its sender used it.

    A header sent twice is joined by a comma and a space; a signature made of two never verifies. While it is verified
    the body is as it was sent, compressed if it was; what is read afterwards is unpacked. `documents` are those that
    the provider said it needs, by address.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    documents: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def content_type(self) -> str:
        """The content type as sent; JSON when the sender named none."""
        return self.headers.get("content-type", "application/json")

    def proof(self, name: str) -> str:
        """Return a header that a signature rests on. Raises `BadSignature` when it is missing, empty or sent twice."""
        value = self.headers.get(name, "")
        if not value:
            raise BadSignature(f"the header {name} is missing")
        if ", " in value:
            raise BadSignature(f"the header {name} was sent twice")
        return value


@dataclass(frozen=True, slots=True)
class Reading:
    """What a provider reads from a verified request. `dedupe` is the sender's own id of the delivery, if it has one.

    `body` and `content_type` are what the event keeps, where that is not the request's own: one of several events, or
    JSON that its sender calls text. Raises `Unreadable` for what cannot be stored: an empty or overlong value, or one
    with control characters.
    """

    type: str
    dedupe: str | None = None
    subject: str | None = None
    occurred_at: datetime | None = None
    body: bytes | None = None
    content_type: str | None = None

    def __post_init__(self) -> None:
        _storable("event type", self.type, TYPE_LENGTH)
        if self.dedupe is not None:
            _storable("delivery id", self.dedupe, DEDUPE_LENGTH)
        if self.subject is not None:
            _storable("subject", self.subject, SUBJECT_LENGTH)


def _storable(what: str, value: str, length: int) -> None:
    if not 0 < len(value) <= length:
        raise Unreadable(f"the {what} has {len(value)} characters: 1 to {length} are allowed")
    if not value.isprintable():
        raise Unreadable(f"the {what} holds characters that cannot be printed")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a sender wants to hear instead of 202: the answer to a handshake.

    `visit` is an https address that has to be fetched first, with which a subscription is confirmed.
    """

    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    visit: str | None = None


@dataclass(frozen=True, slots=True)
class Need:
    """A public document without which a request cannot be verified: a set of keys, a certificate.

    A copy that lacks the text `holds` is out of date: keys are rotated.
    """

    url: str
    holds: str = ""


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, str | SecretStr) else value


Secrets = Annotated[tuple[SecretText, ...], Field(min_length=1), BeforeValidator(_listed)]
"""One secret or a list of them, newest first: any of them verifies, so that they can be rotated."""


class SourceOptions(BaseModel):
    """What every `[[sources]]` table may hold. `secret` takes a list during rotation: any of them verifies.

    `max_body` is in bytes, packed and unpacked. `rate` bounds the genuine requests that are taken. `dedupe` is a CEL
    expression over `event` and `data` whose value tells a repeat, in place of the sender's own id.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    verify: str
    secret: Secrets | None = None
    max_body: Annotated[StrictInt, Field(gt=0, le=64 * MEBIBYTE)] = MEBIBYTE
    rate: Rate | None = None
    dedupe: Annotated[str, Field(min_length=1, max_length=2048)] | None = None

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets in clear, newest first; empty when the source has none."""
        return tuple(secret.get_secret_value() for secret in self.secret or ())

    @property
    def keys(self) -> tuple[bytes, ...]:
        """The secrets as the bytes that key an HMAC."""
        return tuple(secret.encode() for secret in self.secrets)


class SignedOptions(SourceOptions):
    """Options of a provider that signs: it needs a secret."""

    secret: Secrets


class TimedOptions(SignedOptions):
    """Options of a provider that signs the time too: `tolerance` bounds the clock's difference, both ways."""

    tolerance: Duration = timedelta(minutes=5).total_seconds()


class Provider(ABC):
    """One sender's way of signing and naming its webhooks. Verifies bytes first, reads their meaning after."""

    kind: ClassVar[str]
    Options: ClassVar[type[SourceOptions]] = SignedOptions

    @abstractmethod
    def __init__(self, options: Any) -> None: ...

    def needs(self, request: Inbound) -> Need | None:
        """Return which document the request cannot be verified without. Raises `BadSignature`."""
        return None

    @abstractmethod
    def verify(self, request: Inbound, now: datetime) -> None:
        """Return if the sender signed these very bytes. Raises `BadSignature`."""

    def handshake(self, request: Inbound) -> Answer | None:
        """Return the answer to a verified request that is a handshake and no event, else `None`."""
        return None

    @abstractmethod
    def read(self, request: Inbound, data: Any) -> Reading:
        """Return what the verified request says; `data` is its decoded body. Raises `Unreadable`."""

    def readings(self, request: Inbound, data: Any) -> Sequence[Reading]:
        """Return every event of the verified request, for senders whose events have ids of their own."""
        return [self.read(request, data)]

    @staticmethod
    def card(event: Event) -> Card | None:
        """Return what is worth reading of a stored event; `None` where the card of any event says it as well.

        Never raises, whatever the event holds: by now nobody remembers who signed it.
        """
        return None

    def greet(self, request: Inbound) -> Answer | None:
        """Return the answer to a GET or OPTIONS, which nobody signs; `None` where the sender never asks so.

        Raises `BadSignature`.
        """
        return None


def require_shallow(data: Any, body: bytes) -> None:
    """Return if arrays and objects of `data`, read from `body`, lie at most `LEVELS` deep. Raises `Unreadable`."""
    if body.count(b"[") + body.count(b"{") <= LEVELS:
        return
    level = [data]
    for _ in range(LEVELS):
        level = [inner for outer in level for inner in _inside(outer) if isinstance(inner, dict | list)]
        if not level:
            return
    raise Unreadable(f"the body is nested more than {LEVELS} levels deep")


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def read_plain(
    request: Inbound, data: Any, source: str, event_type: str = EVENT_TYPE, dedupe: str = IDEMPOTENCY_KEY
) -> Reading:
    """Read a request whose sender follows no convention of its own.

    The type is the header `event_type`, else the body's `type`, else `<source>.received`; the delivery's id is the
    header `dedupe`. Raises `Unreadable` for values that cannot be stored.
    """
    named = request.headers.get(event_type) or first_text(data, "type")
    return Reading(type=named or f"{source}.received", dedupe=request.headers.get(dedupe) or None)


class PlainProvider(Provider):
    """What providers share whose senders follow no convention of their own: only how they prove themselves differs."""

    def __init__(self, options: SourceOptions) -> None:
        self._options = options

    def read(self, request: Inbound, data: Any) -> Reading:
        """Return what the headers name."""
        return read_plain(request, data, self._options.name)


def first_text(data: Any, *names: str) -> str | None:
    """Return the first of the named members of a JSON object that is a non-empty string."""
    if not isinstance(data, dict):
        return None
    for name in names:
        value = data.get(name)
        if isinstance(value, str) and value:
            return value
    return None


def member(data: Any, *path: str) -> Any:
    """Return what lies at `path` of nested JSON objects, `None` where there is no such member."""
    for name in path:
        if not isinstance(data, Mapping):
            return None
        data = data.get(name)
    return data


def moment(text: Any) -> datetime | None:
    """Return the time that ISO 8601 text names, in UTC; `None` for anything else. Without a zone it is UTC."""
    if not isinstance(text, str):
        return None
    try:
        parsed = datetime.fromisoformat(text)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def epoch(number: Any, per_second: int = 1) -> datetime | None:
    """Return the time that so many seconds (or parts of one) after 1970 make, in UTC; `None` for what is no number."""
    if not isinstance(number, int | float) or isinstance(number, bool):
        return None
    try:
        return datetime.fromtimestamp(number / per_second, UTC)
    except (ValueError, OverflowError, OSError):
        return None
