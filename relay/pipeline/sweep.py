"""Sweep: whatever is due, orphaned or late is nudged again."""

from datetime import UTC, datetime

from relay import log
from relay.pipeline.collect import Collect
from relay.pipeline.deliver import Deliver
from relay.pipeline.fan_out import FanOut
from relay.pipeline.ports import DeliveryStore, Nudge

_log = log.get(__name__)


class Sweep:
    """Runs once a second: it makes up for every nudge that was lost, and for every worker that died."""

    def __init__(
        self, collect: Collect, fan_out: FanOut, deliver: Deliver, deliveries: DeliveryStore, nudge: Nudge
    ) -> None:
        self._collect = collect
        self._fan_out = fan_out
        self._deliver = deliver
        self._deliveries = deliveries
        self._nudge = nudge

    def run(self) -> None:
        """Take back leases that ended, and nudge each step that has work."""
        now = datetime.now(UTC)
        self._nudge.swept()
        if late := self._deliveries.take_back(now):
            _log.warning("leases.ended", deliveries=late)
        if self._fan_out.waiting():
            self._nudge.fan_out()
        if self._deliver.due(now):
            self._nudge.deliver()
        # Last: a database of an application that does not answer must not keep the others waiting.
        if self._collect.waiting():
            self._nudge.collect()
