"""Group commit: what arrives while one group is being stored becomes the next group."""

import asyncio
from collections.abc import Callable, Sequence

from anyio import to_thread

from relay.domain.event import Event
from relay.web.problems import Problem

GROUP = 500
WAITING_AT_MOST = 5000
"""Events that may wait for their group; beyond it senders are told to come back."""

ANNOUNCE_EVERY = 0.01
"""Seconds between two announcements: the first event is announced at once, those of a busy moment together."""


class Gatherer:
    """Stores events from many requests in one transaction each time: no added delay when idle, one commit when busy."""

    def __init__(self, store: Callable[[Sequence[Event]], list[str]], announce: Callable[[], None]) -> None:
        """Work with `store`, which takes a group and returns its ids, and `announce`, called after; both may block."""
        self._store = store
        self._announce = announce
        self._waiting: list[tuple[Event, asyncio.Future[str]]] = []
        self._storing: asyncio.Task[None] | None = None
        self._announcing: asyncio.Task[None] | None = None
        self._unannounced = False

    async def add(self, event: Event) -> str:
        """Return the id an event is known by, once it is on disk. Raises `StoreUnavailable`; `Problem` when full."""
        if len(self._waiting) >= WAITING_AT_MOST:
            raise Problem(503, "too many events wait to be stored: send it again", {"retry-after": "1"})
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting.append((event, future))
        if self._storing is None:
            self._storing = asyncio.create_task(self._store_all())
        return await future

    async def _store_all(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting[:GROUP], self._waiting[GROUP:]
                await self._store_group(group)
        finally:
            self._storing = None

    async def _store_group(self, group: list[tuple[Event, asyncio.Future[str]]]) -> None:
        try:
            ids = await to_thread.run_sync(self._store, [event for event, _ in group])
        except Exception as error:  # noqa: BLE001  whatever it was, every sender of the group has to hear of it
            for _, future in group:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), known in zip(group, ids, strict=True):
            if not future.done():
                future.set_result(known)
        self._unannounced = True
        if self._announcing is None:
            self._announcing = asyncio.create_task(self._announce_all())

    async def _announce_all(self) -> None:
        """Announce beside the storing: a frozen broker delays no sender."""
        try:
            while self._unannounced:
                self._unannounced = False
                await to_thread.run_sync(self._announce)
                await asyncio.sleep(ANNOUNCE_EVERY)
        finally:
            self._announcing = None
