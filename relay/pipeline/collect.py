"""Collect: outbox rows become events."""

import time
from collections.abc import Callable

from relay import log
from relay.domain.database import Database
from relay.errors import StoreUnavailable
from relay.pipeline.live import Following
from relay.pipeline.ports import EventStore, OutboxReader

_log = log.get(__name__)

BATCH = 1000
RETRY_SECONDS = 2.0
"""How long an outbox that could not be read is left alone."""


class Collect:
    """Moves rows from every outbox to the events, oldest first, each exactly once.

    Rows are deleted after their events are stored. Whoever dies in between, or reads beside another, stores them
    again under the same ids, which changes nothing.
    """

    def __init__(
        self,
        own: OutboxReader,
        open_outbox: Callable[[Database], OutboxReader],
        events: EventStore,
        following: Following,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._own = own
        self._open = open_outbox
        self._events = events
        self._following = following
        self._clock = clock
        self._foreign: dict[Database, OutboxReader] = {}
        self._not_before: dict[str, float] = {}

    def run(self) -> int:
        """Move one batch of each outbox; return how many rows the fullest had. `BATCH` means there may be more."""
        return max((self._move(outbox) for outbox in self.outboxes() if self._readable(outbox)), default=0)

    def waiting(self) -> bool:
        """Say whether any outbox has rows."""
        return any(outbox.waiting() for outbox in self.outboxes() if self._readable(outbox))

    def outboxes(self) -> list[OutboxReader]:
        """Return the outboxes in force: the relay's own, and one for each configured database."""
        wanted = self._following.current().databases
        for gone in self._foreign.keys() - set(wanted):
            self._foreign.pop(gone).close()
        for database in wanted:
            if database not in self._foreign:
                self._foreign[database] = self._open(database)
        return [self._own, *self._foreign.values()]

    def _readable(self, outbox: OutboxReader) -> bool:
        return self._not_before.get(outbox.name, 0.0) <= self._clock()

    def _move(self, outbox: OutboxReader) -> int:
        try:
            seqs, events = outbox.read(BATCH)
        except StoreUnavailable as error:
            return self._leave(outbox, "outbox.unreadable", error)
        if not seqs:
            return 0
        # A crash that loses what was added to its own database brings the rows back too.
        self._events.add(events, hurried=outbox is self._own)
        try:
            outbox.forget(seqs)
        except StoreUnavailable as error:
            # The events are stored: reading the rows again will find that out, and nothing comes of asking at once.
            self._leave(outbox, "outbox.not_emptied", error)
            return min(len(seqs), BATCH - 1)
        return len(seqs)

    def _leave(self, outbox: OutboxReader, what: str, error: StoreUnavailable) -> int:
        self._not_before[outbox.name] = self._clock() + RETRY_SECONDS
        _log.warning(what, database=outbox.name, error=error.message)
        return 0
