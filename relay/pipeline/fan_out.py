"""Fan out: an event becomes one delivery for each target that a route names."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from relay import log
from relay.domain.delivery import Delivery, Routed, State, TakeOn
from relay.domain.event import Event, new_id
from relay.pipeline.alarms import FALLBACK, fallback_of
from relay.pipeline.live import Following, Live
from relay.pipeline.ports import EventStore
from relay.pipeline.windows import Windows

_log = log.get(__name__)

BATCH = 500


class FanOut:
    """Routes the events that wait, in the order in which they were stored."""

    def __init__(self, events: EventStore, windows: Windows, following: Following) -> None:
        self._events = events
        self._windows = windows
        self._following = following

    def run(self, take_on: TakeOn | None = None, limit: int = BATCH) -> Routed:
        """Route up to `limit` events; return what became of them. What `take_on` names is claimed at once."""
        # Looked up now, not at most half a second ago: what was just applied holds for what comes after it.
        live = self._following.refresh()
        return self._events.route(limit, lambda batch: self._decide(live, batch, datetime.now(UTC)), take_on)

    def waiting(self) -> bool:
        """Say whether any event is not routed yet."""
        return self._events.waiting()

    def _decide(self, live: Live, batch: Sequence[Event], now: datetime) -> Sequence[Delivery]:
        return self._windows.place(live, batch, list(_deliveries(live, batch, now)), now)


def _deliveries(live: Live, batch: Sequence[Event], now: datetime) -> Iterator[Delivery]:
    for event in batch:
        for target, route in _told(live, event):
            delivery = Delivery(
                id=new_id(),
                event_id=event.id,
                event_seq=event.seq,
                route=route,
                target=target,
                subject=event.subject,
                state=State.PENDING,
                attempts=0,
                tries=0,
                next_attempt_at=_due(live, route, now),
                created_at=now,
                ordered=live.targets[target].options.order == "subject",
            )
            until = live.muted.get(route)
            yield delivery if until is None or until <= now else _muted(delivery, until, now)


def _due(live: Live, name: str, now: datetime) -> datetime:
    """Return when a route tells what it takes now: at once, or when its quiet hours are over."""
    route = live.router.named(name)
    return (route.route.quiet.until(now) if route and route.route.quiet else None) or now


def _muted(delivery: Delivery, until: datetime, now: datetime) -> Delivery:
    """Return a delivery that is not made, but can be seen, and replayed."""
    words = f"route {delivery.route} is muted until {until.isoformat(timespec='seconds')}"
    return replace(delivery, state=State.CANCELLED, finished_at=now, last_error=words)


def _told(live: Live, event: Event) -> list[tuple[str, str]]:
    """Return who hears of an event, each with the name of the route that says so; an alarm, the fallback as well."""
    unheard: list[str] = []
    matched = live.router.match(event, unheard)
    for reason in unheard:
        _log.warning("person.unheard", event_id=event.id, reason=reason)
    told = [(target, route.route.name) for target, route in matched if target in live.targets]
    fallback = fallback_of(live, event)
    if fallback is not None and fallback not in dict(told):
        told.append((fallback, FALLBACK))
    return told
