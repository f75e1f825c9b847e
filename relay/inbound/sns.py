"""Amazon SNS."""

import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, ClassVar
from urllib.parse import quote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.x509 import Certificate, load_pem_x509_certificate
from pydantic import BeforeValidator, Field, StringConstraints, field_validator

from relay.domain.card import Card, field_rows
from relay.domain.durations import Duration
from relay.domain.event import JSON, Event, parse_json
from relay.domain.inbound import Answer, Inbound, Need, Provider, Reading, Secrets, SourceOptions, first_text, moment
from relay.domain.news import Part, dotted, listed, phrase, rows, spaced, thread_of, titled, tone_of
from relay.errors import BadSignature, Unreadable
from relay.signing import require_near

NOTIFICATION = "Notification"
SUBSCRIPTION = "SubscriptionConfirmation"
SIGNED: Mapping[str, tuple[str, ...]] = {
    NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    SUBSCRIPTION: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
OPTIONAL = frozenset({"Subject"})
ALARM_STATES = {"ALARM": "in alarm", "OK": "OK again", "INSUFFICIENT_DATA": "without data"}
HASHES: Mapping[str, type[SHA1 | SHA256]] = {"1": SHA1, "2": SHA256}

_HOST = r"https://sns\.[a-z]{2}(?:-[a-z]{1,12}){1,3}-[0-9]\.amazonaws\.com(?:\.cn)?"
CERTIFICATE = re.compile(_HOST + r"/SimpleNotificationService-[0-9a-f]{32}\.pem")
CONFIRMATION = re.compile(_HOST + r"/\?[A-Za-z0-9._~%&=:+-]{1,2048}")

Topic = Annotated[str, StringConstraints(pattern=r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_.-]{1,256}$")]


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


class SnsOptions(SourceOptions):
    """Fields of an `sns` source: anybody's topic is signed by Amazon alike, so the topics have to be named."""

    topics: Annotated[tuple[Topic, ...], Field(min_length=1), BeforeValidator(_listed)]
    tolerance: Duration = 3900.0

    @field_validator("secret")
    @classmethod
    def _no_secret(cls, secret: Secrets | None) -> Secrets | None:
        if secret is not None:
            raise ValueError("Amazon's certificate checks the signature: leave the secret out")
        return secret


class Sns(Provider):
    """Amazon SNS, subscribed over HTTPS without raw message delivery.

    `topics` are the ARNs of the topics, one or a list. A subscription is confirmed by itself. The event type is `sns.`
    and the message's type in small letters, such as `sns.notification`; the subject is the topic. The payload is text,
    in `data.Message`. Signature versions 1 and 2 are read; Amazon tries for an hour, so `tolerance` is a little more.
    """

    kind: ClassVar[str] = "sns"
    Options: ClassVar[type[SourceOptions]] = SnsOptions

    def __init__(self, options: SnsOptions) -> None:
        self._topics = frozenset(options.topics)
        self._tolerance = options.tolerance

    def needs(self, request: Inbound) -> Need:
        """Return Amazon's certificate: at Amazon's own host, or nowhere."""
        return Need(_certificate_url(_message(request.body)))

    def verify(self, request: Inbound, now: datetime) -> None:
        """Check that Amazon signed the message, that it is of a known topic, and that its time is near."""
        message = _message(request.body)
        certificate = _certificate(request.documents.get(_certificate_url(message), b""))
        _require_signed(message, certificate)
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            raise BadSignature("the certificate is out of date")
        require_near(moment(message["Timestamp"]), now, self._tolerance)
        if message["TopicArn"] not in self._topics:
            raise BadSignature("the topic is not one that was named")

    def handshake(self, request: Inbound) -> Answer | None:
        """Return the confirmation of a subscription: a visit to Amazon, at the address that it signed."""
        message = _message(request.body)
        if message["Type"] != SUBSCRIPTION:
            return None
        if not CONFIRMATION.fullmatch(message["SubscribeURL"]):
            raise BadSignature("the subscription would be confirmed elsewhere than at Amazon")
        return Answer(200, b"confirmed", visit=message["SubscribeURL"])

    def read(self, request: Inbound, data: Any) -> Reading:
        """Return the message. It is JSON, which Amazon calls text."""
        message = parse_json(request.body)
        name = first_text(message, "Type") or NOTIFICATION
        return Reading(
            type=f"{self.kind}.{name.lower()}",
            dedupe=first_text(message, "MessageId"),
            subject=first_text(message, "TopicArn"),
            occurred_at=moment(first_text(message, "Timestamp")),
            content_type=JSON,
        )

    @staticmethod
    def card(event: Event) -> Card | None:
        """Return what is worth reading of the event."""
        return card_of(event)


def _message(body: bytes) -> Mapping[str, str]:
    try:
        message = parse_json(body)
    except Unreadable:
        raise BadSignature("the body is no message of SNS") from None
    if not isinstance(message, dict):
        raise BadSignature("the body is no message of SNS")
    texts = {name: value for name, value in message.items() if isinstance(value, str)}
    kind = texts.get("Type", "")
    if kind not in SIGNED or any(name not in texts for name in SIGNED[kind] if name not in OPTIONAL):
        raise BadSignature("the body is no message of SNS")
    return texts


def _certificate_url(message: Mapping[str, str]) -> str:
    url = message.get("SigningCertURL", "")
    if not CERTIFICATE.fullmatch(url):
        raise BadSignature("the certificate is not Amazon's")
    return url


@lru_cache(maxsize=32)
def _certificate(pem: bytes) -> Certificate:
    try:
        return load_pem_x509_certificate(pem)
    except ValueError:
        raise BadSignature("the certificate is none") from None


def _require_signed(message: Mapping[str, str], certificate: Certificate) -> None:
    key, algorithm = certificate.public_key(), HASHES.get(message.get("SignatureVersion", ""))
    signature = message.get("Signature", "")
    if algorithm is None or not isinstance(key, RSAPublicKey):
        raise BadSignature("the signature is of a version that is not known")
    try:
        raw = b64decode(signature, validate=True)
        content = "".join(f"{name}\n{message[name]}\n" for name in SIGNED[message["Type"]] if name in message)
        key.verify(raw, content.encode(), PKCS1v15(), algorithm())
    except (ValueError, InvalidSignature):
        raise BadSignature("the signature does not match") from None
    # Base64 leaves bits unused at its end: only one spelling of a signature counts.
    if b64encode(raw).decode() != signature:
        raise BadSignature("the signature does not match")


def card_of(event: Event) -> Card | None:
    """Return the card of what a notification wraps: a CloudWatch alarm, other JSON, or text."""
    said = Part(event.data)
    topic = said.text("TopicArn").rpartition(":")[2]
    if said.text("Type") != NOTIFICATION:
        return Card(f"Amazon SNS: {spaced(said.text('Type')) or 'a message'}", dotted(event.source, topic))
    inner = _inner(said.text("Message"))
    if isinstance(inner, dict) and Part(inner).text("AlarmName"):
        return _alarm(event, Part(inner))
    title = said.text("Subject") or titled("Notification", topic)
    if isinstance(inner, dict):
        return Card(title, dotted(event.source, topic), rows=field_rows(inner))
    return Card(title, dotted(event.source, topic), said.text("Message"))


def _inner(text: str) -> Any:
    try:
        return parse_json(text.encode(errors="replace")) if text.startswith("{") else None
    except Unreadable:
        return None


def _alarm(event: Event, alarm: Part) -> Card:
    name, state = alarm.text("AlarmName"), alarm.text("NewStateValue")
    trigger = alarm.at("Trigger")
    return Card(
        title=f"{name} is {ALARM_STATES.get(state) or state or 'changed'}",
        subtitle=dotted(event.source, alarm.text("Region")),
        text=listed((alarm.text("AlarmDescription"), alarm.text("NewStateReason"))),
        rows=rows(
            ("Metric", phrase(trigger.text("Namespace"), trigger.text("MetricName"))),
            ("Threshold", trigger.said("Threshold")),
            ("Before", alarm.text("OldStateValue")),
            ("Account", alarm.text("AWSAccountId")),
        ),
        tone=tone_of(state, good=("OK",), warning=("INSUFFICIENT_DATA",), bad=("ALARM",)),
        link=_console(alarm, name),
        thread=thread_of(event, f"alarm/{alarm.text('AlarmArn') or name}"),
    )


def _console(alarm: Part, name: str) -> str | None:
    parts = alarm.text("AlarmArn").split(":")
    region = Part(parts[3]).plain() if len(parts) > 3 else ""
    page = f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}#alarmsV2:alarm/"
    return Part(page + quote(name, safe="", errors="replace")).link() if region else None


PROVIDER: type[Provider] = Sns
