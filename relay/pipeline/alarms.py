"""Alarms: a target in trouble is told to its `fallback`, once, by an event like any other."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from relay.domain.delivery import State, Verdict
from relay.domain.event import Event, encode, new_id
from relay.pipeline.live import Live
from relay.pipeline.ports import EventStore, Nudge

SOURCE = "relay"
DEAD = "relay.delivery.dead"
PAUSED = "relay.target.paused"
FALLBACK = "fallback"
"""What stands for the route of a delivery to a fallback."""

ONCE_IN = timedelta(hours=1)
"""A target in trouble is told of no more often, however many deliveries die."""


class Alarms:
    """Records alarms of targets that have a fallback. The event's `dedupe` makes them rare, whoever records them."""

    def __init__(self, events: EventStore, nudge: Nudge) -> None:
        self._events = events
        self._nudge = nudge

    def dead(self, live: Live, verdicts: Iterable[Verdict]) -> None:
        """Tell of the first delivery that died at each target. Raises `StoreUnavailable`."""
        first: dict[str, Verdict] = {}
        for verdict in verdicts:
            if verdict.state is State.DEAD and _has_fallback(live, verdict.claimed.target):
                first.setdefault(verdict.claimed.target, verdict)
        if first:
            self._record([_dead(verdict) for verdict in first.values()])

    def paused(self, live: Live, target: str, reason: str, now: datetime) -> None:
        """Tell that a target was paused. Raises `StoreUnavailable`."""
        if _has_fallback(live, target):
            self._record([_alarm(PAUSED, target, now, {"target": target, "reason": reason})])

    def _record(self, events: list[Event]) -> None:
        self._events.add(events)
        self._nudge.fan_out()


def fallback_of(live: Live, event: Event) -> str | None:
    """Return the fallback that an event is an alarm for, if it is one."""
    if event.source != SOURCE or event.type not in (DEAD, PAUSED) or event.subject is None:
        return None
    target = live.targets.get(event.subject.removeprefix("targets/"))
    fallback = target.options.fallback if target else None
    return fallback if fallback in live.targets else None


def _has_fallback(live: Live, name: str) -> bool:
    target = live.targets.get(name)
    return target is not None and target.options.fallback is not None


def _dead(verdict: Verdict) -> Event:
    claimed, attempt = verdict.claimed, verdict.attempt
    facts = {
        "target": claimed.target,
        "error": attempt.error or f"status {attempt.status}",
        "attempts": attempt.number,
        "event": claimed.event.id,
        "type": claimed.event.type,
        "subject": claimed.event.subject,
        "folded": claimed.riders,
    }
    return _alarm(DEAD, claimed.target, attempt.at, facts)


def _alarm(kind: str, target: str, now: datetime, facts: dict[str, object]) -> Event:
    return Event(
        id=new_id(),
        source=SOURCE,
        type=kind,
        subject=f"targets/{target}",
        dedupe=f"{kind} {target} {now.timestamp() // ONCE_IN.total_seconds():.0f}",
        occurred_at=now,
        received_at=now,
        body=encode(facts),
    )
