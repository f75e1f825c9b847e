"""Group commit: what arrives while one group is being stored becomes the next group."""

import asyncio
from collections.abc import Callable, Sequence

from anyio import to_thread

from relay.domain.event import Event
from relay.web.problems import Problem

GROUP = 500
WAITING_AT_MOST = 5000
"""Events that may wait for their group; beyond it senders are told to come back."""


class Gatherer:
    """Stores events from many requests in one transaction each time: no added delay when idle, one commit when busy."""

    def __init__(self, keep: Callable[[Sequence[Event]], list[str]]) -> None:
        self._keep = keep
        self._waiting: list[tuple[Event, asyncio.Future[str]]] = []
        self._task: asyncio.Task[None] | None = None

    async def add(self, event: Event) -> str:
        """Return the id an event is known by, once it is on disk. Raises `StoreUnavailable`; `Problem` when full."""
        if len(self._waiting) >= WAITING_AT_MOST:
            raise Problem(503, "too many events wait to be stored: send it again", {"retry-after": "1"})
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting.append((event, future))
        if self._task is None:
            self._task = asyncio.create_task(self._store())
        return await future

    async def _store(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting[:GROUP], self._waiting[GROUP:]
                await self._store_group(group)
        finally:
            self._task = None

    async def _store_group(self, group: list[tuple[Event, asyncio.Future[str]]]) -> None:
        try:
            ids = await to_thread.run_sync(self._keep, [event for event, _ in group])
        except Exception as error:  # noqa: BLE001  whatever it was, every sender of the group has to hear of it
            for _, future in group:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), known in zip(group, ids, strict=True):
            if not future.done():
                future.set_result(known)
