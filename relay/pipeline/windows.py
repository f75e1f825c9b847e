"""Windows: what a route gathers into one message, and what it tells but once in a while."""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from relay import log
from relay.domain.delivery import Delivery, Gathering, State, Told
from relay.domain.durations import format_duration
from relay.domain.event import Event
from relay.domain.route import Dedupe, Digest
from relay.domain.templates import TemplateFailed
from relay.pipeline.live import Live
from relay.pipeline.rendering import CompiledRoute

_log = log.get(__name__)


class WindowStore(Protocol):
    """Where deliveries are kept that gather, or told something before."""

    def gathering(self, digests: Collection[str], now: datetime) -> dict[str, Gathering]:
        """Return what each of these digests gathers in the window that ends last."""

    def told(self, dedupes: Collection[str], since: datetime) -> list[Told]:
        """Return the deliveries that told these since then, or will, in the order of their making."""


@dataclass(frozen=True, slots=True)
class _New:
    """A new delivery, and what its route makes of it where that is anything."""

    delivery: Delivery
    digest: Digest | None = None
    dedupe: Dedupe | None = None


class Windows:
    """Gives new deliveries their place: at once, at the end of a window, or behind the one that tells the same."""

    def __init__(self, store: WindowStore) -> None:
        self._store = store

    def place(self, live: Live, batch: Sequence[Event], made: Sequence[Delivery], now: datetime) -> Sequence[Delivery]:
        """Return a batch's deliveries as they are to be stored: two look-ups, whatever its size."""
        routes = {name: live.router.named(name) for name in {one.route for one in made}}
        if not any(route and (route.route.digest or route.route.dedupe) for route in routes.values()):
            return made
        events = {event.seq: event for event in batch}
        new = [_new(live, routes[one.route], one, events[one.event_seq]) for one in made]
        told = self._told(new, now)
        singles = [_told_once(one, told, now) for one in new]
        gathering = self._store.gathering({one.delivery.digest for one in singles if one.delivery.digest}, now)
        return [_gathered(one, gathering, now) for one in singles]

    def _told(self, new: Iterable[_New], now: datetime) -> dict[str, Told]:
        asked = {one.delivery.dedupe: one.dedupe for one in new if one.dedupe and one.delivery.dedupe}
        longest = max((dedupe.window for dedupe in asked.values()), default=0.0)
        return {one.dedupe: one for one in self._store.told(asked.keys(), now - timedelta(seconds=longest))}


def _new(live: Live, route: CompiledRoute | None, delivery: Delivery, event: Event) -> _New:
    """Return a delivery with the names of what it gathers with and of what it tells."""
    if route is None or delivery.state is not State.PENDING:
        return _New(delivery)
    target = live.targets.get(delivery.target)
    digest = route.route.digest if target and target.gathers else None
    dedupe = route.route.dedupe
    named = replace(
        delivery,
        digest=_name(delivery, _digest_key(route, event)) if digest else None,
        dedupe=_name(delivery, key) if dedupe and (key := _dedupe_key(route, event)) else None,
    )
    return _New(named, digest, dedupe if named.dedupe else None)


def _digest_key(route: CompiledRoute, event: Event) -> str:
    try:
        return route.digest_key(event)
    except TemplateFailed as failure:
        _log.warning("digest.key_failed", route=route.route.name, event_id=event.id, error=str(failure))
        return ""


def _dedupe_key(route: CompiledRoute, event: Event) -> str:
    """Return what the event has in common with others; nothing if its template fails: rather told twice than never."""
    try:
        return route.dedupe_key(event)
    except TemplateFailed as failure:
        _log.warning("dedupe.key_failed", route=route.route.name, event_id=event.id, error=str(failure))
        return ""


def _name(delivery: Delivery, key: str) -> str:
    whole = "\0".join((delivery.route, delivery.target, key))
    return hashlib.blake2b(whole.encode(errors="surrogatepass"), digest_size=16).hexdigest()


def _told_once(new: _New, told: dict[str, Told], now: datetime) -> _New:
    """Return the delivery, or fold it into the one that tells the same; `told` learns of it."""
    one, dedupe = new.delivery, new.dedupe
    if dedupe is None or one.dedupe is None:
        return new
    earlier = told.get(one.dedupe)
    if earlier is None or (earlier.at is not None and earlier.at <= now - timedelta(seconds=dedupe.window)):
        told[one.dedupe] = Told(one.dedupe, one.id, None)
        return new
    repeat = replace(
        one,
        state=State.FOLDED,
        folded_into=earlier.delivery_id,
        repeat=True,
        finished_at=now,
        last_error=f"told once in {format_duration(dedupe.window)}",
        digest=None,
        # What is not told itself must not keep the next from being told.
        dedupe=None,
    )
    return _New(repeat)


def _gathered(new: _New, gathering: dict[str, Gathering], now: datetime) -> Delivery:
    """Return the delivery due when its window ends, or later if it was to be; `gathering` learns of it."""
    one, digest = new.delivery, new.digest
    if digest is None or one.digest is None:
        return one
    window = gathering.pop(one.digest, None)
    if window is None or (window.due and window.count + 1 >= digest.max):
        # None is open, or it was filled and has only not left yet.
        window = Gathering(now + timedelta(seconds=digest.window), 0)
    if window.count + 1 >= digest.max:
        # Due by itself, and with it all that it gathered with: the next begins a new window.
        return one
    gathering[one.digest] = replace(window, count=window.count + 1)
    return replace(one, next_attempt_at=max(one.next_attempt_at, window.until))
