"""Google Chat, through a space's incoming webhook."""

import hashlib
import re
from datetime import datetime
from typing import Annotated, Any, ClassVar
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID, uuid5

import orjson
import requests
from pydantic import Field

from relay.domain.durations import Rate
from relay.domain.judgement import judge_status, retry_after
from relay.domain.retry import Schedule
from relay.domain.target import Message, Outcome, Refused, TargetOptions, TryLater
from relay.domain.url import HttpUrl
from relay.targets.google_chat import text
from relay.targets.google_chat.card import Room, card_body
from relay.targets.google_chat.cutting import cut_message

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

# Truncated exponential backoff to 64 s, as the docs ask, for some five hours: longer than a chat is away, and no
# longer than news stays news. Pacing keeps the tries of all waiting messages within the space's quota.
BACKOFF = {"first": "1s", "factor": 2, "max": "64s", "attempts": 300}

_NAMESPACE = UUID("8d2f6a4e-52f5-4f0c-9d7b-3f6c1b7a90e1")
_SPACE = re.compile(r"/v1/(spaces/[A-Za-z0-9_-]+)/messages/?")
_URL = re.compile(r"\b[a-z]+://\S+", re.IGNORECASE)
_SHORTEST_KEY = 6


class GoogleChatOptions(TargetOptions):
    """Fields of a `google_chat` target: `url` is the webhook's URL as Chat shows it, key and token included."""

    url: HttpUrl
    rate: Rate | None = PER_SECOND
    concurrency: Annotated[int, Field(ge=1, le=1000)] = 1
    retry: Schedule = Schedule.model_validate(BACKOFF)


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
        parts = urlsplit(self._url)
        self._keys = [value for _, value in parse_qsl(parts.query) if len(value) >= _SHORTEST_KEY]
        self._pace = f"{self.kind}:{_space(parts.hostname or '', parts.path)}"

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
        # A retry that lands twice shows once; a replay is meant to be seen again.
        params = {"requestId": str(uuid5(_NAMESPACE, f"{message.id} {message.earlier}"))}
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
        status, words = _api_error(response)
        for key in self._keys:
            words = words.replace(key, "***")
        outcome = judge_status(response, now, words)
        passing = response.status_code == requests.codes.unauthorized or status == "RESOURCE_EXHAUSTED"
        if isinstance(outcome, Refused) and passing:
            return TryLater(outcome.reason, retry_after(response.headers.get("retry-after"), now))
        return outcome


def _body(message: Message, extra: dict[str, Any]) -> bytes:
    words = text.clean(message.text or "").strip()
    if words:
        return orjson.dumps({"text": cut_message(words, TEXT_UNITS)} | extra)
    body = b""
    for room in ROOMS:
        body = orjson.dumps(card_body(message, room) | extra)
        if len(body) <= MESSAGE_BYTES:
            break
    return body


def _thread_key(thread: str | None) -> str | None:
    key = text.clean(thread or "").strip()
    return key if len(key) <= THREAD_KEY else hashlib.sha256(key.encode()).hexdigest()


def _space(host: str, path: str) -> str:
    """Return the space's name; where the path names none, a digest of host and path, which may hold a secret."""
    if match := _SPACE.fullmatch(path):
        return match[1]
    return hashlib.sha256(f"{host}{path}".encode()).hexdigest()[:16]


def _api_error(response: requests.Response) -> tuple[str, str]:
    """Return the status and the words of a `google.rpc.Status`; empty where the body is none."""
    try:
        error = orjson.loads(response.content)["error"]
        status, words = error.get("status"), error.get("message")
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, requests.RequestException):
        return "", ""
    words = text.line(words, 300) if isinstance(words, str) else ""
    return status if isinstance(status, str) else "", _URL.sub("[URL]", words)


TARGET = GoogleChatTarget
