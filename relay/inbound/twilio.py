"""Twilio."""

from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256
from typing import Any, ClassVar
from urllib.parse import parse_qs, parse_qsl, urlsplit

from relay.domain.card import Card
from relay.domain.event import Event
from relay.domain.inbound import Inbound, Provider, Reading, first_text
from relay.domain.news import Part, phrase, rows, spaced, thread_of, tone_of
from relay.domain.signed import KeyedProvider
from relay.domain.words import counted
from relay.errors import BadSignature
from relay.signing import base64_digest, require, same

SIGNATURE = "x-twilio-signature"
IDEMPOTENCY = "i-twilio-idempotency-token"
FORM = "application/x-www-form-urlencoded"
BODY_DIGEST = "bodySHA256"
DEFAULT_PORTS = {"https": 443, "http": 80}
MAX_FIELDS = 1000
FAILED = ("failed", "undelivered")
DIGITS = tuple(str(number) for number in range(11))


class Twilio(KeyedProvider):
    """Webhooks of Twilio: messages, calls and their status.

    `secret` is the account's auth token. Twilio signs its own idea of the address: it must be the one under which the
    relay is reached, query included. The event type is `twilio.message`, `twilio.call` or, for anything else,
    `twilio.event`; the status is in the data. The subject is the id of the message or call.
    """

    kind: ClassVar[str] = "twilio"

    def verify(self, request: Inbound, now: datetime) -> None:
        """Check the HMAC-SHA1 of address and form fields; of another body, its digest is part of the address."""
        given = request.proof(SIGNATURE)
        fields = _signed_fields(request)
        contents = [(url + fields).encode() for url in _spellings(request.url)]
        require((base64_digest(key, content, "sha1") for key in self._keys for content in contents), [given])

    def read(self, request: Inbound, data: Any) -> Reading:
        """Return whether it is a message or a call, and which."""
        message, call = first_text(data, "MessageSid", "SmsSid"), first_text(data, "CallSid")
        name = "message" if message else "call" if call else "event"
        return Reading(type=f"{self.kind}.{name}", dedupe=_dedupe(request, data), subject=message or call)

    @staticmethod
    def card(event: Event) -> Card | None:
        """Return what is worth reading of the event."""
        return card_of(event)


def _dedupe(request: Inbound, data: Any) -> str | None:
    """Return Twilio's token for a delivery. Without it, a message is known by its id and status, a call by nothing.

    One message reports several states, and one call asks several times: neither id alone tells a repeat.
    """
    if token := request.headers.get(IDEMPOTENCY):
        return token
    message, status = first_text(data, "MessageSid", "SmsSid"), first_text(data, "MessageStatus", "SmsStatus")
    return f"{message}:{status or ''}" if message else None


def _signed_fields(request: Inbound) -> str:
    """Return what is signed after the address: nothing where the address holds the body's digest, else the fields."""
    try:
        digests = parse_qs(urlsplit(request.url).query, max_num_fields=MAX_FIELDS).get(BODY_DIGEST)
        if digests:
            if not all(same(sha256(request.body).hexdigest(), digest) for digest in digests):
                raise BadSignature("the body is not the one that was signed")
            return ""
        if request.body and request.content_type.partition(";")[0].strip().lower() != FORM:
            raise BadSignature("the body is not signed")
        return _joined(parse_qsl(request.body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError:
        raise BadSignature("the address or the form cannot be read") from None


def _joined(fields: list[tuple[str, str]]) -> str:
    # Sorted, and each field once: a repeated one is signed once.
    return "".join(name + value for name, value in sorted(set(fields)))


def _spellings(url: str) -> Iterator[str]:
    """Yield the address as it is, without its default port and with it: Twilio signs one of them."""
    yield url
    parts = urlsplit(url)
    default = DEFAULT_PORTS.get(parts.scheme)
    if default is None:
        return
    suffix = f":{default}"
    if parts.netloc.endswith(suffix):
        yield parts._replace(netloc=parts.netloc.removesuffix(suffix)).geturl()
    elif parts.port is None:
        yield parts._replace(netloc=parts.netloc + suffix).geturl()


def card_of(event: Event) -> Card | None:
    """Return the card of a message that came in or of one's state, or of a call; `None` for the rest."""
    said = Part(event.data)
    kind, sender, receiver = event.type.partition(".")[2], said.text("From"), said.text("To")
    if kind not in ("message", "call") or not (sender or receiver):
        return None
    state = said.text("MessageStatus") or said.text("CallStatus") or said.text("SmsStatus")
    came_in = said.text("Direction").startswith("inbound") or (kind == "message" and state in ("", "received"))
    whom = f"from {sender}" if came_in and sender else f"to {receiver}" if receiver else f"from {sender}"
    media = said.text("NumMedia")
    return Card(
        title=phrase(kind.capitalize(), whom, "" if state == "received" else spaced(state)),
        subtitle=event.source,
        text=said.text("Body"),
        rows=rows(
            ("From", sender if not came_in else ""),
            ("To", receiver if came_in else ""),
            ("Attached", counted(int(media), "file") if media in DIGITS and media != "0" else ""),
            ("Took", f"{said.text('CallDuration')} s" if said.text("CallDuration") else ""),
            ("Error", phrase(said.text("ErrorCode"), said.text("ErrorMessage"))),
        ),
        tone=tone_of(state, good=("delivered", "completed"), warning=("no-answer", "busy"), bad=FAILED),
        thread=thread_of(event),
    )


PROVIDER: type[Provider] = Twilio
