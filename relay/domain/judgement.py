"""What an HTTP response means for a delivery: the rules that every target kind starts from."""

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from relay.domain.retry import RETRY_AFTER_CAP
from relay.domain.target import Delivered, Outcome, Refused, TryLater

if TYPE_CHECKING:
    import requests

PASSING = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
"""Client errors that pass by themselves: 408, 425 and 429."""

_SECONDS = re.compile(r"\d{1,12}(?:\.\d{1,9})?", re.ASCII)
_LONGEST_DATE = 64


def retry_after(value: str | None, now: datetime) -> datetime | None:
    """Return the moment a `Retry-After` names: seconds from `now`, or an HTTP date (RFC 9110, section 10.2.3).

    At most `RETRY_AFTER_CAP` from `now`; `None` for a missing, past or unreadable value.
    """
    text = (value or "").strip()
    if _SECONDS.fullmatch(text):
        seconds = min(float(text), RETRY_AFTER_CAP.total_seconds())
        return now + timedelta(seconds=seconds) if seconds else None
    try:
        date = parsedate_to_datetime(text[:_LONGEST_DATE])
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return min(date, now + RETRY_AFTER_CAP) if date > now else None


def judge_status(response: "requests.Response", now: datetime, detail: str = "") -> Outcome:
    """Return what the status alone says: 2xx is taken, 408, 425, 429 and 5xx may pass, the rest never will.

    410 says that the address takes nothing any more. A status that is none of HTTP's may pass too. `detail` is put
    behind the status in the reason: what the body said, free of secrets.
    """
    # What was taken need not be asked when it may be tried again.
    if 200 <= response.status_code < 300:
        return Delivered()
    return judge_code(response.status_code, detail, retry_after(response.headers.get("retry-after"), now))


def judge_code(status: int, detail: str = "", not_before: datetime | None = None) -> Outcome:
    """Return what a status means that may have come in a reply's body: some services tell it there."""
    if 200 <= status < 300:
        return Delivered()
    reason = f"{phrase(status)}: {detail}" if detail else phrase(status)
    if status in PASSING or not 300 <= status < 500:
        return TryLater(reason, not_before)
    if status < 400:
        return Refused(f"{reason} (redirects are not followed)")
    return Refused(reason, gone=status == HTTPStatus.GONE)


def phrase(status: int) -> str:
    """Return a status with its name: `503 Service Unavailable`; the bare number where it has none."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
