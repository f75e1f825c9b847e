"""The line: the steps in their order, as one worker walks them."""

import time
from collections.abc import Callable

from relay import log
from relay.domain.delivery import Routed, TakeOn
from relay.errors import StoreUnavailable
from relay.pipeline.collect import BATCH as COLLECTED
from relay.pipeline.collect import Collect
from relay.pipeline.deliver import Deliver
from relay.pipeline.fan_out import BATCH as ROUTED
from relay.pipeline.fan_out import FanOut
from relay.pipeline.ports import Nudge
from relay.pipeline.sweep import Sweep

_log = log.get(__name__)

NOTHING_ROUTED = Routed(0, 0)

LOOK_EVERY = 0.002
"""Seconds between two looks, while delivering, for what waits at the steps before: one question to Redis."""
SWEEP_EVERY = 1.0
DATABASE_AWAY = 1.0
"""Seconds until a database that did not answer is asked again."""


class Line:
    """Runs a step and, in the same breath, the steps it gives work to: one nudge from commit to request.

    While it delivers it also answers for the steps before it, so that a worker whose processes all deliver still
    takes in and routes. Each step's batch is its own transaction: whoever dies leaves nothing half done.
    """

    def __init__(
        self,
        collect: Collect,
        fan_out: FanOut,
        deliver: Deliver,
        sweep: Sweep,
        nudge: Nudge,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._collect = collect
        self._fan_out = fan_out
        self._deliver = deliver
        self._sweep = sweep
        self._nudge = nudge
        self._clock = clock
        self._looked = self._swept = clock()

    def collect(self) -> None:
        """Take in what outboxes hold, route it and deliver it."""
        if self._nudge.answer("collect") and self._take_in():
            self._walk()

    def fan_out(self) -> None:
        """Route what waits, and deliver it."""
        if self._nudge.answer("fan_out"):
            self._walk()

    def deliver(self) -> None:
        """Deliver what is due."""
        if self._nudge.answer("deliver"):
            self._deliver.drain(self._meanwhile)

    def sweep(self) -> None:
        """Nudge whatever is due, orphaned or late."""
        self._sweep.run()

    def _walk(self) -> None:
        self._deliver.drain(self._meanwhile, self._route)

    def _take_in(self) -> bool:
        moved = self._collect.run()
        if moved == COLLECTED:
            self._nudge.collect()
        return moved > 0

    def _route(self, take_on: TakeOn | None, most: int | None) -> Routed:
        # Not more than can be begun: what waits as an event costs less than what waits as deliveries.
        limit = ROUTED if most is None else min(most, ROUTED)
        routed = self._fan_out.run(take_on, limit)
        if routed.events == limit:
            self._nudge.fan_out()
        return routed

    def _meanwhile(self, take_on: TakeOn | None, most: int | None) -> Routed:
        """Answer, while delivering, for the steps before it; return what came of it."""
        now = self._clock()
        if now - self._looked < LOOK_EVERY:
            return NOTHING_ROUTED
        self._looked = now
        try:
            return self._look(now, take_on, most)
        except StoreUnavailable as error:
            _log.warning("line.waits", error=error.message)
            self._looked = now + DATABASE_AWAY
            return NOTHING_ROUTED

    def _look(self, now: float, take_on: TakeOn | None, most: int | None) -> Routed:
        asked = self._nudge.take("collect", "fan_out")
        if now - self._swept >= SWEEP_EVERY:
            self._swept = now
            self._sweep.run()
        moved = "collect" in asked and self._take_in()
        return self._route(take_on, most) if moved or "fan_out" in asked else NOTHING_ROUTED
