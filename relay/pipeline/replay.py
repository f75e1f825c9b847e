"""Replay: what was sent, or died, is sent again; its id stays the same."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from relay.domain.durations import parse_rate
from relay.domain.replay import Replay, Started
from relay.errors import NotFound, UsageError
from relay.pipeline.ports import Nudge, ReplayStore

SLOWEST = 1 / 3600
"""Deliveries a second, at least: slower, the last of many would be due in another age."""


class Replaying:
    """Starts, shows and cancels replays."""

    def __init__(self, replays: ReplayStore, nudge: Nudge) -> None:
        self._replays = replays
        self._nudge = nudge

    def by_id(self, ids: Sequence[str], rate: float | None, now: datetime) -> Started:
        """Send these events (all their deliveries) and deliveries again. Raises `NotFound` when they name nothing.

        An event is also routed again: targets that routes have named since then hear of it too.
        """
        started = self._replays.start({"ids": list(ids)}, rate, now)
        if started.events:
            self._nudge.fan_out()
        self._nudge.deliver()
        return started

    def by_filter(self, filters: Mapping[str, Any], rate: float | None, now: datetime) -> Started:
        """Send all deliveries that fit again. What is still on its way is left alone."""
        started = self._replays.start(filters, rate, now)
        self._nudge.deliver()
        return started

    def find(self, before: str | None, limit: int) -> list[Replay]:
        """Return replays, newest first, from `before` (an id) backwards."""
        return self._replays.find(before, limit)

    def get(self, replay_id: str) -> Replay:
        """Return one replay. Raises `NotFound`."""
        replay = self._replays.get(replay_id)
        if replay is None:
            raise NotFound("there is no such replay", hint="`relay replays` lists them")
        return replay

    def cancel(self, replay_id: str, now: datetime) -> Replay:
        """Cancel what still waits, and return what is left. Raises `NotFound`."""
        self._replays.cancel(replay_id, now)
        return self.get(replay_id)


def pace(text: str | None) -> float | None:
    """Return deliveries a second for `20/s`, `1000/h`. Raises `UsageError`."""
    if text is None:
        return None
    try:
        rate = parse_rate(text)
    except ValueError as error:
        raise UsageError(f"rate: {error}") from None
    if rate < SLOWEST:
        raise UsageError("rate: 1/h or more")
    return rate
