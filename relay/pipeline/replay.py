"""Replay: what was sent, or died, is sent again; its id stays the same."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from relay.pipeline.ports import DeliveryStore, EventStore, Nudge


class Replay:
    """Makes deliveries due again."""

    def __init__(self, events: EventStore, deliveries: DeliveryStore, nudge: Nudge) -> None:
        self._events = events
        self._deliveries = deliveries
        self._nudge = nudge

    def by_id(self, ids: Sequence[str], now: datetime) -> tuple[int, int]:
        """Send these events (all their deliveries) and deliveries again; return how many deliveries, how many events.

        An event is also routed again: targets that routes have named since then hear of it too.
        """
        deliveries = self._deliveries.replay({"ids": ids}, now)
        events = self._events.unroute(ids)
        self._nudge.fan_out()
        self._nudge.deliver()
        return deliveries, events

    def by_filter(self, filters: Mapping[str, Any], now: datetime) -> int:
        """Send all deliveries that fit again; return how many. What is still on its way is left alone."""
        count = self._deliveries.replay(filters, now)
        self._nudge.deliver()
        return count
