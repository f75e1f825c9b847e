"""HTTP as uvicorn speaks it, with bounds on what comes in: how long a head may be, and how slow a request."""

import sys
from asyncio import TimerHandle
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from relay.web.problems import MEDIA_TYPE, problem_of

HEAD_AT_MOST = 64 << 10
"""Bytes of a request's line and headers."""

SECONDS = 30
"""How long a sender may take for its request's head, and then for its body."""

TOO_LONG = 431
TOO_SLOW = 408

_HEAD = b"content-type: %b\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"


class BoundedProtocol(HttpToolsProtocol):
    """Closes a connection whose request does not come to its end.

    A request that arrives whole, as nearly all do, never waits: no clock is set for it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head = self._in_body = False
        self._head = 0
        self._data = b""
        self._deadline: TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Wait for a first request."""
        super().connection_made(transport)
        self._set_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what comes; where it ends in the middle of a request, wait for the rest, but not for ever."""
        was_in_head = self._in_head
        self._data = data
        super().data_received(data)
        self._data = b""
        if self._in_head:
            self._head = self._head + len(data) if was_in_head else len(data)
            if self._head > HEAD_AT_MOST:
                self._refuse(TOO_LONG, f"the head of the request has more than {HEAD_AT_MOST} bytes")
        if not self._in_head and not self._in_body:
            self._stop_clock()
        elif self._deadline is None:
            self._set_clock()

    def on_message_begin(self) -> None:
        """Begin a head: a request may follow another on its connection."""
        super().on_message_begin()
        self._in_head = True

    def on_headers_complete(self) -> None:
        """Begin a body, with time of its own. What comes after it as trailers is no header."""
        self._stop_clock()
        self._in_head, self._in_body = False, True
        if not self.parser.should_upgrade():
            super().on_headers_complete()
            self.headers = []

    def on_message_complete(self) -> None:
        """End the request."""
        self._in_body = False
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def _unsupported_upgrade_warning(self) -> None:
        """Read a request once more without its wish to go on in another language; a server may be deaf to it.

        The parser takes nothing for a body that comes after such a wish, which clients of HTTP/2 send with each POST.
        """
        error, method = sys.exc_info()[1], self.parser.get_method()
        if error is None or method == b"CONNECT":
            self._refuse(405, "this is no proxy")
            return
        rest = self._data[error.args[0] :]
        lines = [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self._data = b"\r\n".join((b"%b %b HTTP/1.1" % (method, self.url), *lines, b"", rest))
        super().data_received(self._data)

    def _set_clock(self) -> None:
        self._deadline = self.loop.call_later(SECONDS, self._too_slow)

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._refuse(TOO_SLOW, f"the request did not arrive within {SECONDS} seconds")

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP as every other problem is answered."""
        self._refuse(400, "this is no HTTP request")

    def _refuse(self, status: int, detail: str) -> None:
        self._stop_clock()
        if self.transport.is_closing():
            return
        if self._is_next():
            content = problem_of(status, detail)
            self.transport.write(STATUS_LINE[status] + _HEAD % (MEDIA_TYPE.encode(), len(content)) + content)
        elif not self._in_body and not self.pipeline and not self.cycle.response_complete:
            # The request before is about to be answered; its answer ends the connection.
            self.cycle.keep_alive = False
            return
        self.transport.close()

    def _is_next(self) -> bool:
        """Say whether the request that is coming in is the next to be answered, and not begun to be."""
        if self.cycle is None:
            return True
        return self.cycle.response_complete if not self._in_body else not (self.pipeline or self.cycle.response_started)
