"""SendGrid."""

from base64 import b64decode, b64encode
from contextlib import suppress
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any, ClassVar

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key
from pydantic import AfterValidator, SecretStr

from relay.domain.card import Card, Row, Tone
from relay.domain.event import Event
from relay.domain.inbound import (
    Inbound,
    Provider,
    Reading,
    Secrets,
    SourceOptions,
    TimedOptions,
    epoch,
    first_text,
    member,
)
from relay.domain.news import Part, dotted, spaced
from relay.domain.words import NOTHING, counted
from relay.errors import BadSignature
from relay.signing import require_timely

SIGNATURE = "x-twilio-email-event-webhook-signature"
TIMESTAMP = "x-twilio-email-event-webhook-timestamp"
MAILS = 10
LOST = ("bounce", "dropped", "spamreport", "blocked")


def _public_key(text: str) -> EllipticCurvePublicKey:
    with suppress(ValueError, UnsupportedAlgorithm):
        key = load_der_public_key(b64decode(text, validate=True))
        if isinstance(key, EllipticCurvePublicKey):
            return key
    raise ValueError("the secret is SendGrid's verification key: base64, without PEM lines")


def _usable(secrets: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    for secret in secrets:
        _public_key(secret.get_secret_value())
    return secrets


class SendGridOptions(TimedOptions):
    """Fields of a `sendgrid` source."""

    secret: Annotated[Secrets, AfterValidator(_usable)]


class SendGrid(Provider):
    """The event webhook of SendGrid.

    `secret` is the verification key that SendGrid shows once signing is on. One request carries many events: the type
    is `sendgrid.` and their name, such as `sendgrid.bounce`, or `sendgrid.events` where they differ; the data is the
    list of them. SendGrid tries for a day and does not say whether it signs anew each time: where a retry is refused
    for its time, widen `tolerance`.
    """

    kind: ClassVar[str] = "sendgrid"
    Options: ClassVar[type[SourceOptions]] = SendGridOptions

    def __init__(self, options: SendGridOptions) -> None:
        self._keys = [_public_key(secret) for secret in options.secrets]
        self._tolerance = options.tolerance

    def verify(self, request: Inbound, now: datetime) -> None:
        """Check the ECDSA signature of time and body, and that the time is near."""
        timestamp = request.proof(TIMESTAMP)
        require_timely(timestamp, now, self._tolerance)
        content = timestamp.encode() + request.body
        signature = request.proof(SIGNATURE)
        if not any(_signed(key, content, signature) for key in self._keys):
            raise BadSignature("the signature does not match")

    def read(self, request: Inbound, data: Any) -> Reading:
        """Return what the events of the body have in common."""
        events = data if isinstance(data, list) else []
        names = {first_text(event, "event") for event in events}
        name = names.pop() if len(names) == 1 else None
        times = [epoch(member(event, "timestamp")) for event in events]
        return Reading(
            type=f"{self.kind}.{name or 'events'}",
            dedupe=_dedupe([first_text(event, "sg_event_id") for event in events]),
            occurred_at=min((time for time in times if time is not None), default=None),
        )

    @staticmethod
    def card(event: Event) -> Card | None:
        """Return what is worth reading of the event."""
        return card_of(event)


def _dedupe(ids: list[str | None]) -> str | None:
    known = [event_id for event_id in ids if event_id]
    if len(known) <= 1:
        return known[0] if known else None
    return sha256("\n".join(known).encode(errors="replace")).hexdigest()


def _signed(key: EllipticCurvePublicKey, content: bytes, signature: str) -> bool:
    try:
        raw = b64decode(signature, validate=True)
        key.verify(raw, content, ECDSA(SHA256()))
    except (ValueError, InvalidSignature):
        return False
    # Base64 leaves bits unused at its end: only one spelling of a signature counts.
    return b64encode(raw).decode() == signature


def card_of(event: Event) -> Card | None:
    """Return the card of the mails that something happened to."""
    mails = Part(event.data).each()
    if not mails:
        return None
    names = [spaced(mail.text("event")) or "event" for mail in mails]
    different = list(dict.fromkeys(names))
    return Card(
        title=", ".join(f"{counted(names.count(name), 'mail')} {name}" for name in different[:MAILS]),
        subtitle=event.source,
        rows=tuple(Row(dotted(mail.text("email"), name), _told(mail)) for mail, name in zip(mails, names, strict=True)),
        tone=Tone.WARNING if any(name in LOST for name in names) else Tone.NEUTRAL,
    )


def _told(mail: Part) -> str:
    return mail.text("reason") or mail.text("response") or mail.text("url") or mail.text("subject") or NOTHING


PROVIDER: type[Provider] = SendGrid
