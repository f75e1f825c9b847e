"""Meta: Facebook, Instagram, WhatsApp."""

from datetime import datetime
from hashlib import sha256
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from relay.domain.inbound import (
    Answer,
    Inbound,
    Provider,
    Reading,
    SignedOptions,
    SourceOptions,
    epoch,
    first_text,
    member,
)
from relay.domain.signed import HubProvider
from relay.errors import BadSignature
from relay.secrets import SecretText
from relay.signing import require

MODE = "hub.mode"
SHOWN = "hub.verify_token"
CHALLENGE = "hub.challenge"
MESSAGES = "messaging"
MAX_FIELDS = 20
CHALLENGE_LENGTH = 1024


class MetaOptions(SignedOptions):
    """Fields of a `meta` source: the app's secret, and the verify token that was typed into its dashboard."""

    verify_token: SecretText


class Meta(HubProvider):
    """Webhooks of Meta: Facebook pages, Messenger, Instagram, WhatsApp.

    `secret` is the app's secret, `verify_token` the one that is typed into the app's dashboard: the GET with which Meta
    looks whether the address is yours is answered. The event type is `meta.`, the object, and the field that changed
    where it is one only, such as `meta.page.feed`, `meta.page.messaging` or `meta.whatsapp_business_account.messages`.
    The subject is the id of the page or account.
    """

    kind: ClassVar[str] = "meta"
    header: ClassVar[str] = "x-hub-signature-256"
    Options: ClassVar[type[SourceOptions]] = MetaOptions

    def __init__(self, options: MetaOptions) -> None:
        super().__init__(options)
        self._verify_token = options.verify_token.get_secret_value()

    def read(self, request: Inbound, data: Any) -> Reading:
        """Return what changed, and of which page or account."""
        entries = member(data, "entry")
        listed = entries if isinstance(entries, list) else []
        fields = {field for entry in listed for field in _fields(entry)}
        words = (first_text(data, "object") or "event", fields.pop() if len(fields) == 1 else None)
        owners = {first_text(entry, "id") for entry in listed}
        return Reading(
            type=".".join((self.kind, *(word for word in words if word))),
            dedupe=sha256(request.body).hexdigest(),
            subject=owners.pop() if len(owners) == 1 else None,
            occurred_at=_time(listed[0]) if listed else None,
        )

    def greet(self, request: Inbound) -> Answer | None:
        """Return the challenge to whoever knows the verify token."""
        try:
            query = parse_qs(urlsplit(request.url).query, max_num_fields=MAX_FIELDS)
        except ValueError:
            return None
        if request.method != "GET" or query.get(MODE) != ["subscribe"]:
            return None
        require([self._verify_token], query.get(SHOWN, []))
        challenge = query.get(CHALLENGE, [""])[0]
        if not challenge or len(challenge) > CHALLENGE_LENGTH:
            raise BadSignature("there is no challenge to answer")
        return Answer(200, challenge.encode(errors="replace"))


def _fields(entry: Any) -> set[str]:
    changes = member(entry, "changes")
    named = {first_text(change, "field") for change in (changes if isinstance(changes, list) else [])}
    if member(entry, MESSAGES) is not None:
        named.add(MESSAGES)
    return {name for name in named if name}


def _time(entry: Any) -> datetime | None:
    """Return an entry's time: pages count seconds, messages milliseconds."""
    return epoch(member(entry, "time"), per_second=1000 if member(entry, MESSAGES) is not None else 1)


PROVIDER: type[Provider] = Meta
