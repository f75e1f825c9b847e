"""What one drain has in its hands: started requests, and those that wait for their slot."""

import heapq
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import requests

from relay.domain.delivery import Claimed, Lane
from relay.domain.fold import ALONE
from relay.pipeline.live import LiveTarget

HAND = 512
"""How many deliveries a drain holds, beside those that hang: the database works on many at once for little more."""
WINDOW = 256
"""How many of them are on their way, beside those that hang."""
AT_ONCE = 64
"""How many are started before the replies are looked at: where these come at once, few connections serve many."""
HANGS_AFTER = 1.0
"""Seconds after which a request no longer counts against the window: targets that hang must not fill it."""
MOST = 1024
"""How many deliveries a drain holds at most, those that hang among them."""


Key = tuple[str, str]
"""A delivery's id and its lease: one whose lease was lost may be claimed again while its request is under way."""


class Started(NamedTuple):
    """A request on its way."""

    claimed: Claimed
    live: LiveTarget
    at: datetime

    @property
    def key(self) -> Key:
        """What tells it from every other request."""
        return self.claimed.id, self.claimed.lease


@dataclass(order=True, slots=True)
class _Held:
    due: float
    turn: int
    claimed: Claimed = field(compare=False)
    live: LiveTarget = field(compare=False)
    request: requests.Request | None = field(compare=False)


class Underway:
    """Counts what is held and on its way, in all and for each target."""

    def __init__(self) -> None:
        self._started: dict[Key, Started] = {}
        self._young: deque[tuple[float, Key]] = deque()
        self._hanging: set[Key] = set()
        self._held: list[_Held] = []
        self._next: deque[tuple[Claimed, LiveTarget]] = deque()
        self._of: Counter[str] = Counter()
        self._turns = 0

    def __len__(self) -> int:
        return len(self._started) + len(self._held) + len(self._next)

    @property
    def free(self) -> int:
        """How many more deliveries fit."""
        self._age()
        return min(HAND + len(self._hanging), MOST) - len(self)

    @property
    def startable(self) -> bool:
        """Whether any waits for nothing but its turn, and may have it."""
        return bool(self._next) and len(self._started) - len(self._hanging) < WINDOW

    @property
    def claims(self) -> list[Claimed]:
        """All claims in hand."""
        return [*(one.claimed for one in self._started.values()), *self._waiting()]

    def room(self, live: LiveTarget) -> int:
        """Return how many more deliveries may be in hand for a target; none while it is paused."""
        return 0 if live.paused is not None else max(0, self._places(live) - self._of[live.options.name])

    @staticmethod
    def _places(live: LiveTarget) -> int:
        places = live.options.concurrency
        if live.options.rate is not None:
            # Not much more than a second's worth: what is held here cannot be sent by another worker.
            places = min(places, max(1, int(live.options.rate)))
        if live.folds:
            # What is in hand leaves by itself: the rest is to ride along.
            places = min(places, ALONE)
        return places

    def lane(self, live: LiveTarget) -> Lane | None:
        """Return how much to claim for a target; `None` while too few places are free to be worth a claim.

        A claim for one place costs as much as one for sixteen: a lane is offered again when half of it is free.
        """
        places, free = self._places(live), self.room(live)
        if free < places - places // 2:
            return None
        options = live.options
        return Lane(
            target=options.name,
            quota=free,
            most=options.concurrency if "concurrency" in options.model_fields_set else None,
            ordered=options.order == "subject",
            blocking=options.after_dead == "block",
        )

    def queue(self, claimed: Claimed, live: LiveTarget) -> None:
        """Keep a delivery until its turn comes."""
        self._of[claimed.target] += 1
        self._next.append((claimed, live))

    def hold(self, claimed: Claimed, live: LiveTarget, seconds: float, request: requests.Request | None = None) -> None:
        """Keep a delivery until its slot comes, so many seconds from now, with its request if that is made."""
        self._turns += 1
        self._of[claimed.target] += 1
        heapq.heappush(self._held, _Held(time.monotonic() + seconds, self._turns, claimed, live, request))

    def ready(self) -> Iterator[tuple[Claimed, LiveTarget, requests.Request | None]]:
        """Yield those whose turn or slot has come, with the request if it is made; whoever takes them starts them."""
        for _ in range(AT_ONCE):
            if not self.startable:
                break
            claimed, live = self._next.popleft()
            self._of[claimed.target] -= 1
            yield claimed, live, None
        now = time.monotonic()
        while self._held and self._held[0].due <= now:
            held = heapq.heappop(self._held)
            self._of[held.claimed.target] -= 1
            yield held.claimed, held.live, held.request

    def let_go(self) -> list[Claimed]:
        """Return what was never started and forget it."""
        waiting = self._waiting()
        self._of.subtract(claimed.target for claimed in waiting)
        self._held.clear()
        self._next.clear()
        return waiting

    def _waiting(self) -> list[Claimed]:
        return [*(one.claimed for one in self._held), *(claimed for claimed, _ in self._next)]

    def next_slot(self) -> float | None:
        """Return in how many seconds the next slot comes; `None` when nothing is held."""
        return max(0.0, self._held[0].due - time.monotonic()) if self._held else None

    def start(self, started: Started) -> None:
        """Count a request that was sent."""
        self._started[started.key] = started
        self._young.append((time.monotonic(), started.key))
        self._of[started.claimed.target] += 1

    def finish(self, key: Key) -> Started:
        """Return a request that came back, and free its place."""
        started = self._started.pop(key)
        self._hanging.discard(key)
        self._of[started.claimed.target] -= 1
        return started

    def _age(self) -> None:
        """Count as hanging what was started long ago and has not come back."""
        old = time.monotonic() - HANGS_AFTER
        while self._young and self._young[0][0] < old:
            _, key = self._young.popleft()
            if key in self._started:
                self._hanging.add(key)

    @property
    def on_their_way(self) -> int:
        """How many requests have been sent and not come back."""
        return len(self._started)
