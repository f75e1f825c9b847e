"""What a reply says, read without trust: it may be anything, and may repeat what is secret."""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson
import requests

from relay.domain.retry import RETRY_AFTER_CAP
from relay.domain.text import one_line

_URL = re.compile(r"\b[a-z]+://\S+", re.IGNORECASE)
_LONGEST = 300
_SHORTEST_VALUE = 6
_SHORTEST_SEGMENT = 8


def document(response: requests.Response) -> Any:
    """Return the JSON of a reply's body, `None` where it is none."""
    try:
        return orjson.loads(response.content)
    except (ValueError, requests.RequestException):
        return None


def member(value: Any, *path: str) -> Any:
    """Return what stands at a path into objects, `None` where nothing does."""
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def safe_words(words: Any, secrets: Iterable[str]) -> str:
    """Return a remote's words in one short line, without addresses and secrets; empty for what is no text."""
    if not isinstance(words, str):
        return ""
    for secret in secrets:
        words = words.replace(secret, "***")
    return _URL.sub("[URL]", one_line(words, _LONGEST))


def wait_until(seconds: Any, now: datetime) -> datetime | None:
    """Return the moment so many seconds from now, at most `RETRY_AFTER_CAP`; `None` for what is no such number."""
    if not isinstance(seconds, int | float) or not 0 < seconds < float("inf"):
        return None
    return now + timedelta(seconds=min(seconds, RETRY_AFTER_CAP.total_seconds()))


def keys_in(url: str) -> list[str]:
    """Return what in a URL may be its key: values of the query, and long parts of the path that are no words."""
    parts = urlsplit(url)
    values = [value for _, value in parse_qsl(parts.query) if len(value) >= _SHORTEST_VALUE]
    segments = [part for part in parts.path.split("/") if len(part) >= _SHORTEST_SEGMENT and not part.isalpha()]
    return sorted({*values, *segments}, key=len, reverse=True)
