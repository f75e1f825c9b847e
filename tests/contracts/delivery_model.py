"""What deliveries ought to do, in plain Python: the stores are held against it, step by step."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from relay.domain.delivery import LEASE, OPEN, Claimed, Lane, State

LANES = {
    "free": Lane("free", 3),
    "narrow": Lane("narrow", 3, most=2),
    "line": Lane("line", 3, ordered=True),
    "strict": Lane("strict", 3, ordered=True, blocking=True),
}
"""How each target is claimed for."""

EDGES = {
    State.PENDING: {State.SENDING, State.CANCELLED},
    State.SENDING: {State.PENDING, State.DELIVERED, State.DEAD},
    State.DELIVERED: {State.PENDING},
    State.DEAD: {State.PENDING},
    State.CANCELLED: {State.PENDING},
}
"""The ways a state may change in one step; those from a final state are replays."""


@dataclass(frozen=True)
class Known:
    """One delivery as it ought to be. `lease` is whose it is, or was when it was last claimed."""

    id: str
    event_id: str
    seq: int
    target: str
    subject: str | None
    due: datetime
    state: State = State.PENDING
    attempts: int = 0
    tries: int = 0
    lease: str | None = None
    until: datetime | None = None
    replay: str | None = None

    @property
    def over(self) -> bool:
        """Whether it has come to an end."""
        return self.state not in OPEN


@dataclass
class Model:
    """All deliveries, the targets that there are, and the time."""

    now: datetime
    targets: set[str] = field(default_factory=lambda: set(LANES))
    paused: set[str] = field(default_factory=set)
    deliveries: dict[str, Known] = field(default_factory=dict)
    attempts: int = 0

    def all(self, *states: State) -> list[Known]:
        """Return the deliveries in these states, the oldest event first; without any, all."""
        found = [one for one in self.deliveries.values() if not states or one.state in states]
        return sorted(found, key=lambda one: (one.seq, one.id))

    def change(self, ids: Iterable[str], **fields: object) -> int:
        """Change these deliveries; return how many they were."""
        changed = {delivery_id: replace(self.deliveries[delivery_id], **fields) for delivery_id in ids}  # type: ignore[arg-type]
        self.deliveries |= changed
        return len(changed)

    def claimable(self, lane: Lane) -> list[str]:
        """Return what a claim for this lane gets when nothing else bounds it, what was due first before the others."""
        due = [one for one in self.all(State.PENDING) if one.target == lane.target and one.due <= self.now]
        free = [one for one in due if not (lane.ordered and self._behind(one, lane))]
        sending = sum(one.target == lane.target for one in self.all(State.SENDING))
        quota = lane.quota if lane.most is None else max(0, min(lane.quota, lane.most - sending))
        return [one.id for one in sorted(free, key=lambda one: (one.due, one.id))][:quota]

    def _behind(self, this: Known, lane: Lane) -> bool:
        states = (*OPEN, State.DEAD) if lane.blocking else OPEN
        return any(
            one.target == this.target and one.subject == this.subject and one.seq < this.seq
            for one in self.all(*states)
            if this.subject is not None
        )

    def claim(self, ids: Iterable[str], lease: str) -> None:
        """Put deliveries under a lease."""
        self.change(ids, state=State.SENDING, lease=lease, until=self.now + LEASE)

    def holds(self, claimed: Claimed) -> bool:
        """Say whether a claim still is one."""
        mine = self.deliveries[claimed.id]
        return mine.state is State.SENDING and mine.lease == claimed.lease

    def late(self) -> list[str]:
        """Return what is under a lease that has ended."""
        return [one.id for one in self.all(State.SENDING) if one.until is not None and one.until < self.now]

    def orphans(self) -> list[str]:
        """Return what waits for a target that there is not."""
        return [one.id for one in self.all(State.PENDING) if one.target not in self.targets]

    def replayable(self, ids: Sequence[str] | None, state: State | None, target: str | None) -> list[Known]:
        """Return what a replay of this takes, in its order."""
        return [
            one
            for one in self.all()
            if one.over
            and one.target in self.targets
            and (ids is None or one.id in ids or one.event_id in ids)
            and (state is None or one.state is state)
            and (target is None or one.target == target)
        ]

    def due(self, names: Iterable[str]) -> bool:
        """Say whether anything waits for one of these targets and its time has come."""
        return any(one.target in set(names) and one.due <= self.now for one in self.all(State.PENDING))

    def pass_time(self, seconds: float) -> None:
        """Let so much time pass."""
        self.now += timedelta(seconds=seconds)
