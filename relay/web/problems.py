"""Problems as RFC 9457 tells them: one shape for every error."""

from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from relay.domain.event import encode
from relay.errors import (
    BadSignature,
    NotFound,
    RelayError,
    StoreUnavailable,
    TooLarge,
    TooMany,
    Unfetched,
    Unreadable,
    Unsupported,
)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = "5"
"""Seconds after which a sender may ask again while the database, or what signatures are checked against, is away."""

_STATUS: dict[type[RelayError], int] = {
    BadSignature: 401,
    NotFound: 404,
    TooLarge: 413,
    Unreadable: 400,
    Unsupported: 415,
}


class Problem(RelayError):
    """A request that is answered with an error status."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        self.status = status
        self.headers = headers or {}
        super().__init__(detail)


async def answer(_: Request, error: Exception) -> Response:
    """Return the response that tells of an error, for Starlette."""
    return told(error)


def told(error: Exception) -> Response:
    """Return the response that tells of an error; what nobody foresaw is a 500 that tells nothing."""
    match error:
        case Problem():
            return _response(error.status, error.message, error.headers)
        case StoreUnavailable():
            detail = "the database is away: nothing was stored, send it again"
            return _response(503, detail, {"retry-after": RETRY_AFTER})
        case Unfetched():
            return _response(503, error.message, {"retry-after": RETRY_AFTER})
        case TooMany():
            return _response(429, error.message, {"retry-after": str(error.retry_after)})
        case RelayError():
            return _response(_STATUS.get(type(error), 400), error.message)
        case HTTPException():
            return _response(error.status_code, error.detail, dict(error.headers or {}))
        case _:
            return _response(500, "the relay failed: its log tells more")


HANDLERS: dict[Any, Any] = {RelayError: answer, HTTPException: answer, Exception: answer}


def problem_of(status: int, detail: str) -> bytes:
    """Return the document that tells of a problem."""
    title = HTTPStatus(status).phrase
    return encode({"type": "about:blank", "title": title, "status": status, "detail": detail})


def _response(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    return Response(problem_of(status, detail), status, headers, MEDIA_TYPE)
