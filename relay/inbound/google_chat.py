"""Google Chat."""

from datetime import datetime
from hashlib import sha256
from typing import Any, ClassVar

from relay.domain.card import Card
from relay.domain.event import Event
from relay.domain.idtoken import GOOGLE_ISSUERS, GOOGLE_KEYS, TokenOptions, need_of, require_email, require_token
from relay.domain.inbound import Inbound, Need, Provider, Reading, SourceOptions, first_text, member, moment
from relay.domain.news import Part, by, dotted, spaced, thread_of
from relay.errors import Unreadable

CHAT = "chat@system.gserviceaccount.com"
CHAT_KEYS = f"https://www.googleapis.com/service_accounts/v1/jwk/{CHAT}"
MESSAGE = "MESSAGE"


class GoogleChat(Provider):
    """Interaction events of a Google Chat app: what people say to it and do with it.

    `audience` is what the app's configuration says: the project's number, or the address of the endpoint. The event
    type is `google_chat.` and the kind of interaction in small letters, such as `google_chat.message` or
    `google_chat.added_to_space`. The subject is the space.
    """

    kind: ClassVar[str] = "google_chat"
    Options: ClassVar[type[SourceOptions]] = TokenOptions

    def __init__(self, options: TokenOptions) -> None:
        self._options = options
        # For a project's number Chat signs the tokens itself, for an address Google's accounts sign in its name.
        self._own = options.audience.isdecimal()
        self._key_set = options.keys_at(CHAT_KEYS if self._own else GOOGLE_KEYS)

    def needs(self, request: Inbound) -> Need:
        """Return the keys of Chat, or of Google's accounts."""
        return need_of(request, self._key_set)

    def verify(self, request: Inbound, now: datetime) -> None:
        """Check that the token is Chat's, for this audience, and that it holds now."""
        issuers = (CHAT,) if self._own else GOOGLE_ISSUERS
        claims = require_token(request, self._options, self._key_set, issuers, now)
        if not self._own:
            require_email(claims, CHAT)

    def read(self, request: Inbound, data: Any) -> Reading:
        """Return the interaction that the body describes."""
        name = first_text(data, "type")
        if name is None:
            raise Unreadable("the body has no type: it is no interaction event")
        said = first_text(member(data, "message"), "name")
        # A card may be clicked again and again: only what is said is named once.
        dedupe = said if name == MESSAGE and said else sha256(request.body).hexdigest()
        return Reading(
            type=f"{self.kind}.{name.lower()}",
            dedupe=dedupe,
            subject=first_text(member(data, "space"), "name"),
            occurred_at=moment(first_text(data, "eventTime")),
        )

    @staticmethod
    def card(event: Event) -> Card | None:
        """Return what is worth reading of the event."""
        return card_of(event)


def card_of(event: Event) -> Card | None:
    """Return the card of what somebody said to the app or did with it."""
    said = Part(event.data)
    message, who = said.at("message"), said.text("user", "displayName")
    verb = event.type.partition(".")[2]
    return Card(
        title=f"{who or 'Somebody'} wrote" if verb == "message" else spaced(verb).capitalize() or "Google Chat",
        subtitle=dotted(said.text("space", "displayName") or event.source, by(who) if verb != "message" else ""),
        text=message.text("argumentText") or message.text("text"),
        thread=thread_of(event, message.text("thread", "name") or None),
    )


PROVIDER: type[Provider] = GoogleChat
