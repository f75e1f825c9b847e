"""Group commit: what arrives while one group is being stored, and a moment after, becomes the next group."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from anyio import to_thread

from relay.domain.event import Event
from relay.errors import StoreUnavailable
from relay.web.problems import Problem

GROUP = 500
GROUP_BYTES = 8 << 20
"""Bounds of one group: the database takes its bodies in one statement."""

GATHER_SECONDS = 0.004
WORTH_STORING = 48
"""How long a group smaller than that is left to grow, where another was just stored: senders who were answered send
again, and a group costs the database little more than an event does. The first after a lull is stored at once."""

WAITING_AT_MOST = 5000
BYTES_AT_MOST = 64 << 20
"""Events that may wait for their group, and the bytes of their bodies; beyond it senders are told to come back."""

PATIENCE = 10.0
"""Seconds that a sender waits for a database that is slow, twice that at most; then it is told to come back."""

ANNOUNCE_EVERY = 0.01
"""Seconds between two announcements: the first event is announced at once, those of a busy moment together."""


Waiting = tuple[Event, asyncio.Future[str]]


class Gatherer:
    """Stores events from many requests in one transaction each time: no added delay when idle, one commit when busy."""

    def __init__(self, store: Callable[[Sequence[Event]], list[str]], announce: Callable[[], None]) -> None:
        """Work with `store`, which takes a group and returns its ids, and `announce`, called after; both may block."""
        self._store = store
        self._announce = announce
        self._waiting: deque[Waiting] = deque()
        self._bytes = 0
        self._storing: asyncio.Task[None] | None = None
        self._announcing: asyncio.Task[None] | None = None
        self._unannounced = False

    async def add(self, event: Event) -> str:
        """Return the id an event is known by, once it is on disk. Raises `StoreUnavailable`; `Problem` when full."""
        size = len(event.body)
        if len(self._waiting) >= WAITING_AT_MOST or (self._bytes and self._bytes + size > BYTES_AT_MOST):
            raise Problem(503, "too many events wait to be stored: send it again", {"retry-after": "1"})
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting.append((event, future))
        self._bytes += size
        if self._storing is None:
            self._storing = asyncio.create_task(self._store_all())
        return await future

    async def _store_all(self) -> None:
        try:
            while self._waiting:
                group = self._next_group()
                await self._store_group(group)
                self._bytes -= sum(len(event.body) for event, _ in group)
                if 0 < len(self._waiting) < WORTH_STORING:
                    await asyncio.sleep(GATHER_SECONDS)
        finally:
            self._storing = None

    def _next_group(self) -> list[Waiting]:
        group = [self._waiting.popleft()]
        size = len(group[0][0].body)
        while self._waiting and len(group) < GROUP:
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
        for (_, future), known in zip(group, ids, strict=True):
            if not future.done():
                future.set_result(known)
        self._unannounced = True
        if self._announcing is None:
            self._announcing = asyncio.create_task(self._announce_all())

    async def _stored(self, group: list[Waiting]) -> list[str]:
        """Return the ids of a group; whoever waits while the database hangs is told so, and may send again."""
        storing = {asyncio.create_task(to_thread.run_sync(self._store, [event for event, _ in group]))}
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
                await to_thread.run_sync(self._announce)
                await asyncio.sleep(ANNOUNCE_EVERY)
        finally:
            self._announcing = None


def _refuse(group: Iterable[Waiting], error: Exception) -> None:
    for _, future in group:
        if not future.done():
            future.set_exception(error)
