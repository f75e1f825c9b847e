"""A replay: finished deliveries that are sent again, together and at a pace, as a thing of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from relay.domain.delivery import OPEN, State


@dataclass(frozen=True, slots=True)
class Started:
    """A replay just begun: `count` deliveries are sent again, `events` events are routed again."""

    id: str
    count: int
    events: int


@dataclass(frozen=True, slots=True)
class Replay:
    """A replay and how far it is. `rate` is in deliveries a second, `None` for all at once.

    `states` counts its deliveries by state; those that a later replay took over, or retention removed, are in none.
    """

    id: str
    created_at: datetime
    rate: float | None
    count: int
    cancelled_at: datetime | None
    filter: Mapping[str, Any]
    states: Mapping[str, int]

    @property
    def state(self) -> Literal["running", "done", "cancelled"]:
        """Where it stands: cancelled for good, or running while any of its deliveries is open."""
        if self.cancelled_at is not None:
            return "cancelled"
        return "running" if any(self.states.get(state, 0) for state in OPEN) else "done"


SHOWN = (State.PENDING, State.SENDING, State.DELIVERED, State.FOLDED, State.DEAD, State.CANCELLED)
"""The states that a replay's progress is told in."""
