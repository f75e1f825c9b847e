"""Circuit breakers: which targets are left alone, and which one delivery is to try."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol

from relay import log
from relay.domain.delivery import OutcomeName, State, Verdict
from relay.domain.health import GIVE_UP, Health
from relay.errors import StoreUnavailable

_log = log.get(__name__)

LOOK_EVERY = 1.0
"""Seconds until a worker hears of a circuit that another one opened or closed."""

BLAMELESS = frozenset({OutcomeName.REJECTED, OutcomeName.TEMPLATE, OutcomeName.INTERNAL, OutcomeName.BLOCKED})
"""Outcomes that say nothing of how the target is: one message was refused or could not be made, or the relay failed."""


class HealthKeeper(Protocol):
    """Where the health of targets is kept."""

    def load(self) -> dict[str, Health]:
        """Return the health of every target that is not well."""

    def record(self, outcomes: Mapping[str, Sequence[bool]], now: datetime) -> dict[str, Health | None]:
        """Note attempts; return the health after them."""

    def take_probe(self, target: str, now: datetime) -> bool:
        """Say whether this worker is the one to probe."""


class Breakers:
    """The circuits of all targets, as one worker knows them: its own news at once, those of others within a second."""

    def __init__(self, store: HealthKeeper, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._looked = -LOOK_EVERY
        self._unwell: dict[str, Health] = {}

    def closed(self, target: str) -> bool:
        """Say whether deliveries may go to a target as usual."""
        self._look()
        health = self._unwell.get(target)
        return health is None or not health.is_open

    def may_probe(self, target: str) -> bool:
        """Say whether an open circuit has waited long enough for a probe."""
        health = self._unwell.get(target)
        return health is not None and health.open_until is not None and health.open_until <= datetime.now(UTC)

    def probe(self, target: str) -> bool:
        """Take the one probe of an open circuit; another worker may have been quicker. Raises `StoreUnavailable`."""
        taken = self._store.take_probe(target, datetime.now(UTC))
        self._looked = -LOOK_EVERY
        return taken

    def record(self, verdicts: Iterable[Verdict]) -> list[str]:
        """Learn from attempts; return the targets that have failed for so long that they are to be paused.

        Targets that are well and stay so cost nothing. Raises `StoreUnavailable`.
        """
        outcomes: dict[str, list[bool]] = defaultdict(list)
        for verdict in verdicts:
            if verdict.attempt.outcome not in BLAMELESS:
                outcomes[verdict.claimed.target].append(verdict.state is State.DELIVERED)
        telling = {name: told for name, told in outcomes.items() if name in self._unwell or not all(told)}
        if not telling:
            return []
        now = datetime.now(UTC)
        for name, health in self._store.record(telling, now).items():
            self._learn(name, health)
        return [name for name in telling if name in self._unwell and self._unwell[name].has_failed_for(now) >= GIVE_UP]

    def _learn(self, name: str, health: Health | None) -> None:
        was_open = name in self._unwell and self._unwell[name].is_open
        is_open = health is not None and health.is_open
        if is_open != was_open:
            _log.warning("circuit.opened" if is_open else "circuit.closed", target=name)
        if health is None:
            self._unwell.pop(name, None)
        else:
            self._unwell[name] = health

    def refresh(self) -> None:
        """Look now how targets fare; what was known last stays while the database is away."""
        self._looked = self._clock()
        try:
            self._unwell = self._store.load()
        except StoreUnavailable as error:
            _log.warning("health.unreachable", error=error.message)

    def _look(self) -> None:
        if self._clock() - self._looked >= LOOK_EVERY:
            self.refresh()
