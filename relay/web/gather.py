"""Group commit: what arrives while one group is being stored, and a moment after, becomes the next group."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress

from relay.domain.event import Event
from relay.errors import StoreUnavailable
from relay.web.problems import Problem

GROUP = 500
GROUP_BYTES = 8 << 20
"""Bounds of one group: the database takes its bodies in one statement."""

WORTH_STORING = 32
GATHER_SECONDS = 0.001
"""How long a smaller group is left to grow, where another was just stored: senders who were answered send again, and a
group costs the database little more than an event does. The first after a lull is stored at once."""

WAITING_AT_MOST = 5000
BYTES_AT_MOST = 64 << 20
"""Events that may wait for their group, and the bytes of their bodies; beyond it senders are told to come back."""

PATIENCE = 10.0
"""Seconds that a sender waits for a database that is slow, twice that at most; then it is told to come back."""

ANNOUNCE_EVERY = 0.01
ANNOUNCE_CROWDS_EVERY = 0.05
"""Seconds between two announcements: the first event is announced at once, those of a busy moment together.

While so much comes in that groups are worth storing at once, workers find it without being told each time, and the
thread that tells them would take a tenth of what the loop has.
"""


class _Several:
    """What waits for the events of one request that brings several: it hears of all of them at once, as a future would.

    They are stored in their order.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._ids: list[str] = []
        self.all: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()

    def done(self) -> bool:
        """Say whether nobody waits any more."""
        return self.all.done()

    def set_result(self, known: str) -> None:
        """Take the id of the next event."""
        self._ids.append(known)
        if len(self._ids) == self._count:
            self.all.set_result(self._ids)

    def set_exception(self, error: Exception) -> None:
        """Hear that one of them is not stored."""
        self.all.set_exception(error)


Waiting = tuple[Event, asyncio.Future[str] | _Several]


class Gatherer:
    """Stores events from many requests in one transaction each time: no added delay when idle, one commit when busy."""

    def __init__(self, store: Callable[[Sequence[Event]], Awaitable[list[str]]], announce: Callable[[], None]) -> None:
        """Work with `store`, which takes a group and returns its ids, and `announce`, called after, which may block."""
        self._store = store
        self._announce = announce
        self._waiting: deque[Waiting] = deque()
        self._bytes = 0
        self._enough = asyncio.Event()
        self._storing: asyncio.Task[None] | None = None
        self._announcing: asyncio.Task[None] | None = None
        self._unannounced = False
        self._crowded = False

    async def add(self, event: Event) -> str:
        """Return the id an event is known by, once it is on disk. Raises `StoreUnavailable`; `Problem` when full."""
        self._require_room(len(event.body))
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting.append((event, future))
        self._look()
        return await future

    async def add_all(self, events: Sequence[Event]) -> list[str]:
        """Return the ids of a request's events, in their order, once all are on disk. Raises as `add` does."""
        if not events:
            return []
        self._require_room(sum(len(event.body) for event in events))
        several = _Several(len(events))
        self._waiting.extend((event, several) for event in events)
        self._look()
        return await several.all

    def _require_room(self, size: int) -> None:
        """Count bytes that are to wait. Raises `Problem` when too many wait already."""
        if len(self._waiting) >= WAITING_AT_MOST or (self._bytes and self._bytes + size > BYTES_AT_MOST):
            raise Problem(503, "too many events wait to be stored: send it again", {"retry-after": "1"})
        self._bytes += size

    def _look(self) -> None:
        """See to it that what waits is stored."""
        if self._storing is None:
            self._storing = asyncio.create_task(self._store_all())
        elif len(self._waiting) >= WORTH_STORING:
            self._enough.set()

    async def _store_all(self) -> None:
        try:
            while self._waiting:
                group = self._next_group()
                await self._store_group(group)
                self._bytes -= sum(len(event.body) for event, _ in group)
                await self._grown()
        finally:
            self._storing = None

    async def _grown(self) -> None:
        """Wait until what waits is worth storing, but not for long."""
        if 0 < len(self._waiting) < WORTH_STORING:
            self._enough.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(GATHER_SECONDS):
                    await self._enough.wait()

    def _next_group(self) -> list[Waiting]:
        # Half of those that wait: these are answered, and send again, while the others are stored.
        most = min(GROUP, max(WORTH_STORING, len(self._waiting) // 2))
        group = [self._waiting.popleft()]
        size = len(group[0][0].body)
        while self._waiting and len(group) < most:
            size += len(self._waiting[0][0].body)
            if size > GROUP_BYTES:
                break
            group.append(self._waiting.popleft())
        return group

    async def _store_group(self, group: list[Waiting]) -> None:
        try:
            ids = await self._stored(group)
        except Exception as error:  # noqa: BLE001  whatever it was, every sender of the group has to hear of it
            _refuse(group, error)
            return
        for (_, waiter), known in zip(group, ids, strict=True):
            if not waiter.done():
                waiter.set_result(known)
        self._unannounced = True
        self._crowded = len(group) >= WORTH_STORING
        if self._announcing is None:
            self._announcing = asyncio.create_task(self._announce_all())

    async def _stored(self, group: list[Waiting]) -> list[str]:
        """Return the ids of a group; whoever waits while the database hangs is told so, and may send again."""
        storing = {asyncio.ensure_future(self._store([event for event, _ in group]))}
        while not (await asyncio.wait(storing, timeout=PATIENCE))[0]:
            _refuse([*group, *self._waiting], StoreUnavailable())
            self._bytes -= sum(len(event.body) for event, _ in self._waiting)
            self._waiting.clear()
        return storing.pop().result()

    async def _announce_all(self) -> None:
        """Announce beside the storing: a frozen broker delays no sender."""
        try:
            while self._unannounced:
                self._unannounced = False
                await asyncio.to_thread(self._announce)
                await asyncio.sleep(ANNOUNCE_CROWDS_EVERY if self._crowded else ANNOUNCE_EVERY)
        finally:
            self._announcing = None


def _refuse(group: Iterable[Waiting], error: Exception) -> None:
    for _, waiter in group:
        if not waiter.done():
            waiter.set_exception(error)
