"""HTTP as uvicorn speaks it, with a bound on what comes before a body: how long it may be, and how slow."""

from asyncio import TimerHandle, Transport
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_AT_MOST = 64 << 10
"""Bytes of a request's line and headers."""

HEAD_SECONDS = 30
"""How long a sender may take for them."""


class BoundedProtocol(HttpToolsProtocol):
    """Closes a connection that never comes to the end of its headers."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head = 0
        self._deadline: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Begin to wait for a first request."""
        super().connection_made(transport)
        self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._end()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what comes, as long as it belongs to one and the same head."""
        waited = self._deadline
        super().data_received(data)
        if waited is not None and waited is self._deadline:
            self._head += len(data)
            if self._head > HEAD_AT_MOST:
                self._refuse(b"431 Request Header Fields Too Large")

    def on_message_begin(self) -> None:
        """Begin to count: a request may follow another on its connection."""
        super().on_message_begin()
        if self._deadline is None:
            self._begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; what comes after a chunked body, as trailers, is none."""
        if self._deadline is not None:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Count no more: bodies have bounds of their own."""
        self._end()
        super().on_headers_complete()

    def _begin(self) -> None:
        self._head = 0
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._refuse, b"408 Request Timeout")

    def _end(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, status: bytes) -> None:
        self._end()
        if not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 " + status + b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            self.transport.close()
