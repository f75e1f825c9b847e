"""A `requests.Response` over what libcurl received, made cheaply: headers are parsed when somebody asks for them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import requests
from requests.cookies import RequestsCookieJar
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers


class CurlResponse(requests.Response):
    """A response whose body is complete. Its headers, and what follows from them, are read when they are asked for."""

    raw = None
    _next = None
    _content_consumed = True

    def __init__(
        self, request: requests.PreparedRequest, status: int, head: Sequence[bytes], content: bytes, seconds: float
    ) -> None:
        # Not the parent's: it makes a cookie jar for every response, which costs more than all of the rest.
        self.request = request
        self.url = request.url or ""
        self.status_code = status
        self._seconds = seconds
        self._head = head
        self._content: bytes = content

    def hide(self, secret: str) -> None:
        """Take a secret out of the body: what a receiver echoes is stored."""
        self._content = self._content.replace(secret.encode(), b"[secret]")

    def __getattr__(self, name: str) -> Any:
        match name:
            case "headers":
                value: Any = _headers(self._head)
            case "reason":
                value = _reason(self._head)
            case "encoding":
                value = get_encoding_from_headers(self.headers)
            case "elapsed":
                value = timedelta(seconds=self._seconds)
            case "cookies":
                value = RequestsCookieJar()
            case "history":
                value = []
            case _:
                raise AttributeError(name)
        setattr(self, name, value)
        return value


def _final(head: Sequence[bytes]) -> list[str]:
    """Return the lines of the last status line and what follows: earlier ones are of 1xx responses."""
    lines = [line.decode("latin-1").rstrip("\r\n") for line in head]
    start = max((number for number, line in enumerate(lines) if line.startswith("HTTP/")), default=0)
    return lines[start:]


def _headers(head: Sequence[bytes]) -> CaseInsensitiveDict[str]:
    headers: CaseInsensitiveDict[str] = CaseInsensitiveDict()
    for line in _final(head)[1:]:
        name, colon, value = line.partition(":")
        if colon:
            value = value.strip()
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _reason(head: Sequence[bytes]) -> str:
    return "".join(_final(head)[:1]).partition(" ")[2].partition(" ")[2]
