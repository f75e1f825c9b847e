"""What a request to the API names: an id, filters, limits and cursors."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request

from relay.domain.listing import LIMIT_DEFAULT, LIMIT_MOST, filters_of, is_id
from relay.errors import UsageError
from relay.web.problems import Problem


def path_id(request: Request) -> str:
    """Return the id that the path names. Raises `Problem` 404 for what cannot be one."""
    given: str = request.path_params["id"]
    if not is_id(given):
        raise Problem(404, "there is nothing of this id")
    return given


def read_query(
    query: QueryParams, known: Sequence[str], is_cursor: Callable[[str], bool] = is_id
) -> tuple[dict[str, Any], str | None, int]:
    """Return filters, where to go on, and the limit. Raises `Problem` 400 for what is unknown or unreadable.

    `is_cursor` says whether a listing can go on from there.
    """
    unknown = query.keys() - {*known, "limit", "cursor"}
    if unknown:
        raise Problem(400, f"unknown filter {min(unknown)}: there are {', '.join(sorted(known))}, limit and cursor")
    try:
        filters = filters_of({name: query[name] for name in known if name in query})
    except UsageError as error:
        raise Problem(400, error.message) from None
    return filters, _read_cursor(query.get("cursor"), is_cursor), _limit(query.get("limit"))


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


def _read_cursor(text: str | None, is_cursor: Callable[[str], bool]) -> str | None:
    if text is None:
        return None
    with suppress(ValueError):
        key = urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
        if is_cursor(key):
            return key
    raise Problem(400, "cursor: give the next_cursor of the page before")
