"""Access tokens: kept by a process until shortly before they end, and fetched by one thread at a time."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from relay.domain.grants import Grant, Token

EARLY = 30.0
"""Seconds before its end at which a token is no longer used, or a tenth of its life if that is less."""

FETCH_TIMEOUT = 10.0
"""Seconds that a token may take to come."""

FRESH = 30.0
"""Seconds for which a token is believed in against a 401: a new one would fare no better."""

KEPT = 1024


@dataclass(frozen=True, slots=True)
class _Kept:
    value: str
    since: float
    until: float


class Tokens:
    """The tokens of all grants. May be shared by threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[Grant, _Kept] = {}
        self._fetched_until: dict[Grant, float] = {}
        self._lock = Lock()

    def find(self, grant: Grant) -> str | None:
        """Return the token that is good for this grant, if there is one."""
        kept = self._kept.get(grant)
        return kept.value if kept is not None and self._clock() < kept.until else None

    def begin(self, grant: Grant) -> bool:
        """Say whether the caller is to fetch the token: nobody else does. `keep` or `fail` ends it."""
        with self._lock:
            now = self._clock()
            if self._fetched_until.get(grant, now) > now:
                return False
            # Whoever began and never came back does not hold up the others for long.
            self._fetched_until[grant] = now + FETCH_TIMEOUT + 1
            return True

    def keep(self, grant: Grant, token: Token) -> None:
        """Take a token that was fetched."""
        now = self._clock()
        until = now + token.seconds - min(EARLY, token.seconds / 10)
        with self._lock:
            self._fetched_until.pop(grant, None)
            if len(self._kept) >= KEPT:
                self._kept = {known: kept for known, kept in self._kept.items() if kept.until > now}
            self._kept[grant] = _Kept(token.value, now, until)

    def fail(self, grant: Grant) -> None:
        """Note that no token came: the next who needs one may try."""
        with self._lock:
            self._fetched_until.pop(grant, None)

    def drop(self, grant: Grant, value: str) -> bool:
        """Forget a token that a receiver refused; say whether another may help: not if it was fetched just now."""
        with self._lock:
            kept = self._kept.get(grant)
            if kept is None or kept.value != value:
                return True
            if self._clock() - kept.since < FRESH:
                return False
            del self._kept[grant]
            return True
