"""Documents that signatures are checked against: fetched through the egress guard, kept, and fetched again in time."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from urllib.parse import urlsplit

import requests

from relay import log
from relay.domain.rate import Gcra
from relay.errors import Unfetched
from relay.outbound.carrier import Carrier
from relay.outbound.transport import Transport

_log = log.get(__name__)

TIMEOUT = 10.0
FRESH = 3600.0
"""Seconds for which a document is taken as it is."""

STALE = 86_400.0
"""Seconds for which an old one serves while no newer can be fetched."""

AGAIN = 60.0
"""Seconds before a document is fetched again because something is not in it, or because fetching failed."""

KEPT = 64
PER_SECOND = 5.0
"""Documents fetched in a second, at most: strangers choose some of the addresses."""


@dataclass(slots=True)
class _Copy:
    """A document, when it was fetched, and when that was last tried."""

    content: bytes | None
    fetched: float
    tried: float


class Fetcher:
    """Fetches one document at a time. May be shared by threads."""

    def __init__(
        self, transport: Callable[[], Transport | Carrier], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._copies: OrderedDict[str, _Copy] = OrderedDict()
        self._pace = Gcra(PER_SECOND)
        self._lock = Lock()

    def known(self, url: str, holds: str) -> bytes | None:
        """Return the copy that is good enough to be used without fetching; never waits."""
        copy, now = self._copies.get(url), self._clock()
        if copy is None or copy.content is None:
            return None
        current = now - copy.fetched < FRESH and holds.encode() in copy.content
        waiting = now - copy.tried < AGAIN and now - copy.fetched < STALE
        return copy.content if current or waiting else None

    def fetch(self, url: str, holds: str) -> bytes:
        """Return a document, fetched if need be; an older copy while that fails. Raises `Unfetched`."""
        with self._lock:
            content = self.known(url, holds)
            return self._renewed(url) if content is None else content

    def visit(self, url: str) -> None:
        """Fetch an address for the effect that it has. Raises `Unfetched`."""
        with self._lock:
            self._get(url)

    def _renewed(self, url: str) -> bytes:
        copy, now = self._copies.get(url), self._clock()
        if copy is not None and now - copy.tried < AGAIN:
            raise Unfetched
        try:
            copy = _Copy(self._get(url), now, now)
        except Unfetched:
            copy = _Copy(copy.content, copy.fetched, now) if copy else _Copy(None, now, now)
        self._copies[url] = copy
        self._copies.move_to_end(url)
        if len(self._copies) > KEPT:
            self._copies.popitem(last=False)
        if copy.content is None or now - copy.fetched > STALE:
            raise Unfetched
        return copy.content

    def _get(self, url: str) -> bytes:
        if self._pace.wait(self._clock()):
            raise Unfetched
        transport = self._transport()
        transport.send(url, requests.Request("GET", url), TIMEOUT)
        (reply,) = transport.poll(TIMEOUT + 1)
        response = reply.response
        if response is not None and response.ok and not response.is_redirect:
            return response.content
        reason = reply.failure.reason if reply.failure else f"it answered {response.status_code if response else 0}"
        _log.warning("document.unfetched", host=urlsplit(url).hostname, reason=reason)
        raise Unfetched
