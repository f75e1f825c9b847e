"""Sweep: whatever is due, orphaned or late is nudged again."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from relay import log
from relay.pipeline.collect import Collect
from relay.pipeline.deliver import Deliver
from relay.pipeline.fan_out import FanOut
from relay.pipeline.ports import DeliveryStore, Nudge

_log = log.get(__name__)


ORPHANS_EVERY = 60.0
"""Seconds between two looks for deliveries without a target: they are rare, and nobody waits for them."""


class Sweep:
    """Runs once a second: it makes up for every nudge that was lost, and for every worker that died."""

    def __init__(
        self,
        collect: Collect,
        fan_out: FanOut,
        deliver: Deliver,
        deliveries: DeliveryStore,
        nudge: Nudge,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._collect = collect
        self._fan_out = fan_out
        self._deliver = deliver
        self._deliveries = deliveries
        self._nudge = nudge
        self._clock = clock
        self._orphans_at = clock()

    def run(self) -> None:
        """Take back leases that ended, cancel what has no target any more, and nudge each step that has work.

        Nothing of it where another process just did.
        """
        if not self._nudge.begin_sweep():
            return
        now = datetime.now(UTC)
        if late := self._deliveries.take_back(now):
            _log.warning("leases.ended", deliveries=late)
        self._cancel_orphans(now)
        if self._fan_out.waiting():
            self._nudge.fan_out()
        if self._deliver.due(now):
            self._nudge.deliver()
        # Last: a database of an application that does not answer must not keep the others waiting.
        if self._collect.waiting():
            self._nudge.collect()

    def _cancel_orphans(self, now: datetime) -> None:
        if self._clock() < self._orphans_at:
            return
        self._orphans_at = self._clock() + ORPHANS_EVERY
        if orphans := self._deliveries.cancel_orphans(now):
            _log.warning("deliveries.cancelled", deliveries=orphans, reason="their target was removed")
