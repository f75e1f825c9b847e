"""Google Chat, through a space's incoming webhook."""

import hashlib
import re
from datetime import datetime
from typing import Annotated, Any, ClassVar
from urllib.parse import urlsplit
from uuid import UUID, uuid5

import orjson
import requests
from pydantic import Field

from relay.domain.durations import Rate
from relay.domain.judgement import judge_status, retry_after
from relay.domain.layout import Room, roomiest
from relay.domain.markup import ANGLES
from relay.domain.replies import document, keys_in, member, safe_words
from relay.domain.retry import PATIENT, Schedule
from relay.domain.target import Message, Outcome, Refused, TargetOptions, TryLater, WordsOptions
from relay.domain.text import clean
from relay.domain.url import HttpUrl, fingerprint
from relay.targets.google_chat import text
from relay.targets.google_chat.card import card_body

MESSAGE_BYTES = 32_000
"""Largest message, all of it (Google Chat docs, "Create a message")."""

TEXT_UNITS = 4_000
"""Longest text, in UTF-16 units: the API refuses texts over 4,096 characters."""

THREAD_KEY = 4_000
"""Longest thread key (Google Chat API reference, `Thread.threadKey`)."""

REPLY = "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"
"""Without this option the thread key is ignored (Google Chat API reference, `messageReplyOption`)."""

ROOMS = (Room(60, 500, 2_000), Room(40, 200, 1_000), Room(20, 100, 500), Room(8, 60, 200))
"""Sizes of a card, tried in turn until the message fits; a card holds 100 widgets at most."""

PER_SECOND = 1.0
"""Requests a second that a space takes, from all its webhooks together (Google Chat docs, "Usage limits")."""

_NAMESPACE = UUID("8d2f6a4e-52f5-4f0c-9d7b-3f6c1b7a90e1")
_SPACE = re.compile(r"/v1/(spaces/[A-Za-z0-9_-]+)/messages/?")


class GoogleChatOptions(WordsOptions):
    """Fields of a `google_chat` target: `url` is the webhook's URL as Chat shows it, key and token included."""

    url: HttpUrl
    rate: Rate | None = PER_SECOND
    concurrency: Annotated[int, Field(ge=1, le=1000)] = 1
    retry: Schedule = PATIENT


class GoogleChatTarget:
    """Posts each event to a Google Chat space, through the space's incoming webhook.

    A route's `text` becomes the message; values inside it can neither mention, link nor format, only the template's
    own markup can. Without `text` a card shows what changed in a row, or the fields of any other event. With a
    `thread` the message joins that thread; database changes have one thread a row.

    A message that is too long is cut and says how much is missing. Requests are paced per space, whichever webhook
    they use: 1 a second by default. 429, 401 and 5xx are tried again with exponential backoff; other errors are
    final.
    """

    kind: ClassVar[str] = "google_chat"
    Options: ClassVar[type[TargetOptions]] = GoogleChatOptions
    words: ClassVar[bool] = True

    def __init__(self, options: GoogleChatOptions) -> None:
        self._url = options.url.get_secret_value()
        self._keys = keys_in(self._url)
        self._pace = f"{self.kind}:{_space(self._url)}"

    @property
    def pace(self) -> str:
        """The space: all its webhooks share one quota."""
        return self._pace

    @staticmethod
    def escape(value: str) -> str:
        """Return a value that neither mentions, links nor formats."""
        return text.escape(value)

    def render(self, message: Message) -> requests.Request:
        """Return the request that posts the message, its text if it has one and else the event's card."""
        # A retry that lands twice shows once; a replay is meant to be seen again, and so is what tells more.
        told = f"{message.id} {message.earlier}" + (f" {message.folded}" if message.folded else "")
        params = {"requestId": str(uuid5(_NAMESPACE, told))}
        extra: dict[str, Any] = {}
        if key := _thread_key(message.thread):
            params["messageReplyOption"] = REPLY
            extra["thread"] = {"threadKey": key}
        return requests.Request(
            "POST",
            self._url,
            params=params,
            headers={"content-type": "application/json; charset=UTF-8"},
            data=_body(message, extra),
        )

    def judge(self, response: requests.Response, now: datetime) -> Outcome:
        """Return what the status says, with the API's own words; a 401 may pass, it happens to valid webhooks."""
        error = member(document(response), "error")
        status = member(error, "status")
        outcome = judge_status(response, now, safe_words(member(error, "message"), self._keys))
        passing = response.status_code == requests.codes.unauthorized or status == "RESOURCE_EXHAUSTED"
        if isinstance(outcome, Refused) and passing:
            return TryLater(outcome.reason, retry_after(response.headers.get("retry-after"), now))
        return outcome


def _body(message: Message, extra: dict[str, Any]) -> bytes:
    words = clean(message.text or "").strip()
    if words:
        return orjson.dumps({"text": ANGLES.cut(words, TEXT_UNITS)} | extra)
    return roomiest(
        ROOMS,
        lambda room: orjson.dumps(card_body(message, room) | extra),
        lambda body: len(body) <= MESSAGE_BYTES,
    )


def _thread_key(thread: str | None) -> str | None:
    key = clean(thread or "").strip()
    return key if len(key) <= THREAD_KEY else hashlib.sha256(key.encode()).hexdigest()


def _space(url: str) -> str:
    """Return the space's name; where the path names none, a digest, for the path may hold a secret."""
    match = _SPACE.fullmatch(urlsplit(url).path)
    return match[1] if match else fingerprint(url)


TARGET = GoogleChatTarget
