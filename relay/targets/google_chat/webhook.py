"""Google Chat, through a space's incoming webhook."""

import hashlib
import re
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import urlsplit

import requests

from relay.domain.durations import Rate
from relay.domain.replies import keys_in
from relay.domain.retry import PATIENT, Schedule
from relay.domain.style import Style
from relay.domain.target import Concurrency, Message, Outcome, TargetOptions, WordsOptions
from relay.domain.text import clean
from relay.domain.url import HttpUrl, fingerprint
from relay.targets.google_chat import text
from relay.targets.google_chat.content import HEADERS, PER_SECOND, body_of, judge_reply, pace_of, sending

THREAD_KEY = 4_000
"""Longest thread key (Google Chat API reference, `Thread.threadKey`)."""

REPLY = "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"
"""Without this option the thread key is ignored (Google Chat API reference, `messageReplyOption`)."""

_SPACE = re.compile(r"/v1/(spaces/[A-Za-z0-9_-]+)/messages/?")


class GoogleChatOptions(WordsOptions):
    """Fields of a `google_chat` target: `url` is the webhook's URL as Chat shows it, key and token included."""

    url: HttpUrl
    rate: Rate | None = PER_SECOND
    concurrency: Concurrency = 1
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
    style: ClassVar[Style] = text.STYLE

    def __init__(self, options: GoogleChatOptions) -> None:
        self._url = options.url.get_secret_value()
        self._keys = keys_in(self._url)
        self._pace = pace_of(_space(self._url))

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
        params = {"requestId": sending(message)}
        extra: dict[str, Any] = {}
        if key := _thread_key(message.thread):
            params["messageReplyOption"] = REPLY
            extra["thread"] = {"threadKey": key}
        return requests.Request("POST", self._url, params=params, headers=HEADERS, data=body_of(message, extra))

    def judge(self, response: requests.Response, now: datetime) -> Outcome:
        """Return what the status says, with the API's own words; a 401 may pass, it happens to valid webhooks."""
        return judge_reply(response, now, self._keys)


def _thread_key(thread: str | None) -> str | None:
    key = clean(thread or "").strip()
    return key if len(key) <= THREAD_KEY else hashlib.sha256(key.encode()).hexdigest()


def _space(url: str) -> str:
    """Return the space's name; where the path names none, a digest, for the path may hold a secret."""
    match = _SPACE.fullmatch(urlsplit(url).path)
    return match[1] if match else fingerprint(url)


TARGET = GoogleChatTarget
