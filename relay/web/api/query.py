"""Filters, limits and cursors of the listings."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as BinasciiError
from collections.abc import Sequence
from typing import Any

from starlette.datastructures import QueryParams

from relay.domain.listing import LIMIT_DEFAULT, LIMIT_MOST, filters_of
from relay.errors import UsageError
from relay.web.problems import Problem


def read_query(query: QueryParams, known: Sequence[str]) -> tuple[dict[str, Any], str | None, int]:
    """Return filters, where to go on, and the limit. Raises `Problem` 400 for what is unknown or unreadable."""
    unknown = query.keys() - {*known, "limit", "cursor"}
    if unknown:
        raise Problem(400, f"unknown filter {min(unknown)}: there are {', '.join(sorted(known))}, limit and cursor")
    try:
        filters = filters_of({name: query[name] for name in known if name in query})
    except UsageError as error:
        raise Problem(400, error.message) from None
    return filters, _read_cursor(query.get("cursor")), _limit(query.get("limit"))


def page(items: Sequence[Any], limit: int, key: str) -> dict[str, Any]:
    """Return a page of a listing that asked for one item more than `limit`, to know whether there are more."""
    more = len(items) > limit
    shown = list(items[:limit])
    return {"items": shown, "next_cursor": _cursor(str(shown[-1][key])) if more else None}


def _limit(text: str | None) -> int:
    if text is None:
        return LIMIT_DEFAULT
    if not text.isdecimal() or not 1 <= int(text) <= LIMIT_MOST:
        raise Problem(400, f"limit: a number from 1 to {LIMIT_MOST}")
    return int(text)


def _cursor(key: str) -> str:
    return urlsafe_b64encode(key.encode()).decode().rstrip("=")


def _read_cursor(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except (BinasciiError, ValueError):
        raise Problem(400, "cursor: give the next_cursor of the page before") from None
