"""One libcurl easy handle and the request it carries; used again and again."""

import re
import socket
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import certifi
import pycurl
import requests

from relay import __version__
from relay.domain.tls import Tls
from relay.outbound import failures
from relay.outbound.failures import Failure
from relay.outbound.guard import Guard
from relay.outbound.prepare import Headers
from relay.outbound.response import CurlResponse

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BODILESS = frozenset({"GET", "HEAD"})
KIBIBYTE = 1024
UNANSWERED_MS = 20_000
USER_AGENT = f"Relay/{__version__}"
"""Some receivers turn away whoever does not say who they are."""

# A kept HTTP/2 connection outlives the timeouts of its requests: one that nobody acknowledges must end on its own.
_TCP_USER_TIMEOUT: int | None = getattr(socket, "TCP_USER_TIMEOUT", None)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of every request: bytes of a response's body, seconds to connect, the file of trusted authorities."""

    body_limit: int = 256 * KIBIBYTE
    connect_timeout: float = 10.0
    ca_file: str = certifi.where()


class Exchange:
    """A request and its reply on one easy handle. `head` and `body` gather what comes back.

    `usual` says that the handle fits any other request: one with a TLS of its own fits none.
    """

    def __init__(self, guard: Guard, limits: Limits, tls: Tls | None = None) -> None:
        self.key: Any = None
        self.curl = pycurl.Curl()
        self._guard = guard
        self._request = requests.PreparedRequest()
        self._timeout = 0.0
        self._method = ""
        self._connect_timeout = limits.connect_timeout
        self._host = ""
        self._refused = ""
        self._permitted = False
        self._head: list[bytes] = []
        self._body: list[bytes] = []
        self._set_up(limits)
        self.usual = tls is None
        if tls is not None:
            self._secure(tls)

    def _set_up(self, limits: Limits) -> None:
        """Set what never changes."""
        curl = self.curl
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.PROXY, "")
        curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        curl.setopt(pycurl.FOLLOWLOCATION, 0)
        curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2TLS)
        curl.setopt(pycurl.CAINFO, limits.ca_file)
        curl.setopt(pycurl.MAXFILESIZE, limits.body_limit)
        curl.setopt(pycurl.USERAGENT, USER_AGENT)
        curl.setopt(pycurl.OPENSOCKETFUNCTION, self._open)
        # A list's own append: no Python runs for each line and block.
        curl.setopt(pycurl.HEADERFUNCTION, self._head.append)
        curl.setopt(pycurl.WRITEFUNCTION, self._body.append)

    def _secure(self, tls: Tls) -> None:
        """Show a certificate of the relay's own, and trust one authority alone. Connections are shared accordingly."""
        wanted = (
            (pycurl.SSLCERT_BLOB, tls.certificate),
            (pycurl.SSLKEY_BLOB, tls.key),
            (pycurl.CAINFO_BLOB, tls.authority),
        )
        for option, content in wanted:
            if content:
                self.curl.setopt(option, content)

    def load(self, key: Any, request: requests.PreparedRequest, timeout: float) -> Failure | None:
        """Make the handle ready to send this request, within `timeout` seconds; return why it cannot be sent."""
        self._begin(key, request, timeout)
        try:
            self._set_request(request.method or "GET", request.url or "", request.body)
            self.curl.setopt(pycurl.HTTPHEADER, header_lines(request.headers))
        except _Unsendable as error:
            return failures.malformed(str(error))
        except (pycurl.error, TypeError, UnicodeError):
            return failures.malformed("the request's URL or method cannot be sent")
        return None

    def _begin(self, key: Any, request: requests.PreparedRequest, timeout: float) -> None:
        """Forget the last request; this one may take so many seconds."""
        self.key = key
        self._request = request
        self._refused = ""
        self._permitted = False
        self._head.clear()
        self._body.clear()
        # Most requests are like the last one, and telling libcurl what it knows costs as much as what it does not.
        if timeout != self._timeout:
            self._timeout = timeout
            self.curl.setopt(pycurl.TIMEOUT_MS, max(1, int(timeout * 1000)))
            self.curl.setopt(pycurl.CONNECTTIMEOUT_MS, max(1, int(min(timeout, self._connect_timeout) * 1000)))

    def _set_request(self, method: str, url: str, body: Any) -> None:
        scheme, self._host = place(url)
        if scheme not in ("http", "https"):
            raise _Unsendable("only http and https can be reached")
        curl = self.curl
        curl.setopt(pycurl.URL, url)
        if method != self._method:
            if not _TOKEN.fullmatch(method):
                raise _Unsendable("the method is no word")
            self._method = method
            curl.setopt(pycurl.NOBODY, method == "HEAD")
            curl.setopt(pycurl.CUSTOMREQUEST, method)
        if body or method not in _BODILESS:
            curl.setopt(pycurl.POSTFIELDS, body.encode() if isinstance(body, str) else body or b"")
        elif method == "GET":
            curl.setopt(pycurl.HTTPGET, 1)

    def _open(self, purpose: int, address: pycurl.CurlSockAddr) -> socket.socket | int:
        """Open a socket to the very address that libcurl is about to connect, if the guard permits it."""
        family, kind, protocol, place = address
        if family not in (socket.AF_INET, socket.AF_INET6) or not isinstance(place, tuple):
            return pycurl.SOCKET_BAD
        ip, port = str(place[0]), int(place[1])
        if not self._guard.permits(ip, port, self._host):
            self._refused = self._refused or ip
            return pycurl.SOCKET_BAD
        self._permitted = True
        try:
            lent = _Lent(family, kind, protocol)
            if _TCP_USER_TIMEOUT is not None:
                lent.setsockopt(socket.IPPROTO_TCP, _TCP_USER_TIMEOUT, UNANSWERED_MS)
        except OSError:
            return pycurl.SOCKET_BAD
        return lent

    def response(self) -> tuple[float, CurlResponse]:
        """Return the milliseconds it took and the complete response."""
        seconds = self.curl.getinfo(pycurl.TOTAL_TIME)
        status = self.curl.getinfo(pycurl.RESPONSE_CODE)
        return seconds * 1000, CurlResponse(self._request, status, self._head[:], b"".join(self._body), seconds)

    def is_answered(self, code: int, message: str) -> bool:
        """Say whether it failed only because a response with a declared, finite body is longer than is kept."""
        # libcurl forgets the length it refused; the header is still there.
        declared = any(line[:15].lower() == b"content-length:" for line in self._head)
        return code == pycurl.E_FILESIZE_EXCEEDED and declared and self.curl.getinfo(pycurl.RESPONSE_CODE) > 0

    def failure(self, code: int, message: str) -> tuple[float, Failure]:
        """Return the milliseconds it took and why there is no response."""
        ms = self.curl.getinfo(pycurl.TOTAL_TIME) * 1000
        if self._refused and not self._permitted and code == pycurl.E_COULDNT_CONNECT:
            return ms, failures.blocked(self._refused)
        if code == pycurl.E_OPERATION_TIMEDOUT:
            # A kept connection took no time to make.
            connected = self.curl.getinfo(pycurl.CONNECT_TIME) > 0 or self.curl.getinfo(pycurl.NUM_CONNECTS) == 0
            limit = self._timeout if connected else min(self._timeout, self._connect_timeout)
            return ms, failures.timed_out(limit, connected=connected)
        return ms, failures.from_code(code, message, self._host, self.curl.getinfo(pycurl.OS_ERRNO))


class _Lent(socket.socket):
    """A socket of which libcurl takes a copy: this one closes without a word."""

    def __del__(self) -> None:
        self.close()


class _Unsendable(ValueError):
    """The request cannot be sent as it is."""


def header_lines(headers: Any) -> list[bytes]:
    """Return headers as libcurl takes them, so that it adds none. Raises `ValueError` for what is no header."""
    lines = [b"Expect:"]
    for name, value in headers.pairs() if isinstance(headers, Headers) else headers.items():
        start = _start(name)
        if start is None:
            continue
        if type(value) is str and value.isascii() and value.isprintable() and value.strip():
            lines.append(start + value.encode())
        else:
            lines.append(_odd(name, start, value))
    if "accept" not in headers:
        lines.append(b"Accept:")
    if "content-type" not in headers:
        lines.append(b"Content-Type:")
    return lines


@lru_cache(maxsize=1024)
def _start(name: Any) -> bytes | None:
    """Return how the line of a header begins; `None` for the one that libcurl writes."""
    if not isinstance(name, str) or not _TOKEN.fullmatch(name):
        raise _Unsendable("a header's name is no word")
    return None if name.lower() == "content-length" else b"%s: " % name.encode()


def _odd(name: str, start: bytes, value: Any) -> bytes:
    """Return a header as a line whose value is empty, or has more than printable text in it."""
    try:
        content = value if isinstance(value, bytes) else value.encode("latin-1")
    except (AttributeError, UnicodeError):
        raise _Unsendable(f"the header {name} holds what no header can") from None
    if b"\n" in content or b"\r" in content or b"\0" in content:
        raise _Unsendable(f"the header {name} holds a line break")
    # libcurl takes `Name:` as the wish to leave a header out; an empty one is written with a semicolon.
    return start + content if content.strip() else name.encode() + b";"


@lru_cache(maxsize=1024)
def place(url: str) -> tuple[str, str]:
    """Return the scheme and host of a URL as libcurl reads it: two parsers could be played off against each other."""
    parts = pycurl.CurlUrl(url)
    return parts.scheme or "", (parts.host or "").strip("[]")
