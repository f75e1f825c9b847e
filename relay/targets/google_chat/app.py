"""Google Chat, as an app: one message a subject, edited as things change."""

import hashlib
from datetime import datetime
from typing import Annotated, ClassVar, Literal

import requests
from pydantic import Field, SecretStr

from relay.domain.durations import Rate
from relay.domain.errand import Errand
from relay.domain.retry import PATIENT, Schedule
from relay.domain.style import Style
from relay.domain.target import Concurrency, Delivered, Message, Outcome, TargetOptions, WordsOptions
from relay.domain.url import HttpUrl
from relay.targets.google_chat import text
from relay.targets.google_chat.account import ServiceAccount, grant_of
from relay.targets.google_chat.content import HEADERS, PER_SECOND, body_of, judge_reply, pace_of, sending

API = "https://chat.googleapis.com"

EDITED = "text,cardsV2"
"""What of a message is replaced: a text that was there goes when a card comes."""


class GoogleChatAppOptions(WordsOptions):
    """Fields of a `google_chat_app` target: the space, and the key of the app's service account.

    `token_url` and `api_url` are Google's own unless said otherwise.
    """

    space: Annotated[str, Field(pattern=r"^spaces/[A-Za-z0-9_-]{1,128}$")]
    credentials: ServiceAccount
    token_url: HttpUrl | None = None
    api_url: HttpUrl = SecretStr(API)
    rate: Rate | None = PER_SECOND
    concurrency: Concurrency = 1
    order: Literal["none", "subject"] = "subject"
    retry: Schedule = PATIENT


class GoogleChatAppTarget:
    """Posts to a Google Chat space as a Chat app, and keeps one living message for each subject.

    The first event about a subject (a row, an alert) posts a message, each later one edits it: the space shows how
    things stand, not how they came to be. A route's `thread` says otherwise what belongs together. An event without
    either is a message of its own. What a message says is as for `google_chat`.

    `space` is the space's name, `spaces/AAAA`; the app has to be a member. `credentials` is the JSON key of its service
    account. Tokens are fetched with it, kept until shortly before they end, and fetched anew after a 401.

    `order` is `subject`, so that an older state never replaces a newer one; with `order = "none"` many waiting events
    fold into one message instead. Requests are paced per space, together with those of webhooks. 429, 401 and 5xx are
    tried again with exponential backoff; other errors are final.
    """

    kind: ClassVar[str] = "google_chat_app"
    Options: ClassVar[type[TargetOptions]] = GoogleChatAppOptions
    words: ClassVar[bool] = True
    style: ClassVar[Style] = text.STYLE

    def __init__(self, options: GoogleChatAppOptions) -> None:
        self._messages = f"{options.api_url.get_secret_value().rstrip('/')}/v1/{options.space}/messages"
        self._grant = grant_of(options.credentials, options.token_url)
        self._pace = pace_of(options.space)

    @property
    def pace(self) -> str:
        """The space: webhooks share its quota."""
        return self._pace

    @staticmethod
    def escape(value: str) -> str:
        """Return a value that neither mentions, links nor formats."""
        return text.escape(value)

    def render(self, message: Message) -> requests.Request:
        """Return the request that edits the subject's message, or posts it if it is not there yet."""
        body, living = body_of(message, {}), _living(message)
        if living is not None:
            params = {"updateMask": EDITED, "allowMissing": "true"}
            url = f"{self._messages}/{_message_id(living)}"
            return Errand("PATCH", url, params=params, headers=HEADERS, data=body, grant=self._grant)
        once = sending(message)
        params = {"messageId": _message_id(once), "requestId": once}
        return Errand("POST", self._messages, params=params, headers=HEADERS, data=body, grant=self._grant)

    def judge(self, response: requests.Response, now: datetime) -> Outcome:
        """Return what the status says, with the API's own words. That a message is there already is success."""
        if response.status_code == requests.codes.conflict and b'"ALREADY_EXISTS"' in response.content:
            return Delivered()
        return judge_reply(response, now, [self._grant.key_id])


def _living(message: Message) -> str | None:
    """Return what the message is about, `None` where it stands for itself: a fold tells of many."""
    if message.folded:
        return None
    event = message.event
    return message.thread or (f"{event.source}/{event.subject}" if event.subject else None)


def _message_id(of: str) -> str:
    """Return an id that an app may give: at most 63 small letters, digits and hyphens (API reference, `messageId`)."""
    return f"client-{hashlib.sha256(of.encode(errors='replace')).hexdigest()[:48]}"
