"""Backtests: what a route would have made of the events that are stored. Nothing is stored or sent."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from relay.domain.event import Event
from relay.domain.listing import LIMIT_MOST, filters_of
from relay.domain.person import is_person
from relay.domain.route import Route
from relay.errors import NotFound, UsageError
from relay.pipeline.configure.complaints import suggestion
from relay.pipeline.configure.single import single
from relay.pipeline.live import Live
from relay.pipeline.preview import Preview, preview
from relay.pipeline.rendering import BadExpression, CompiledRoute, compile_route
from relay.pipeline.routing import Router

EVENTS_AT_MOST = 20_000
SECONDS_AT_MOST = 10.0
MESSAGES_AT_MOST = LIMIT_MOST
CHARACTERS_AT_MOST = 4_000_000
"""Past it no more messages are shown, however many were asked for: an endpoint's may be a megabyte each."""
PAGE = 500
"""Events that are read at once."""
SINCE = "7d"
UNNAMED = "backtest"
"""The name of a route that is given without one."""


class EventReader(Protocol):
    """Where events are looked up."""

    def find(self, filters: Mapping[str, Any], before: int | None, limit: int) -> list[Event]:
        """Return events, newest first."""


@dataclass(frozen=True, slots=True)
class Backtest:
    """What a route would have made of stored events, newest first.

    `looked` counts the events that it was asked about, `matched` those that it took; `targets` counts the messages for
    each target, `unheard` why people would have heard nothing. `messages` are the newest, `oldest` is when the last
    event that was looked at came. `cut_short` says why older ones were left out, `None` where all were looked at.
    """

    route: str
    looked: int
    matched: int
    targets: Mapping[str, int]
    unheard: Mapping[str, int]
    oldest: datetime | None
    cut_short: str | None
    messages: Sequence[tuple[str, Preview]]


def backtest(
    live: Live,
    events: EventReader,
    route: CompiledRoute,
    filters: Mapping[str, Any],
    limit: int,
    clock: Callable[[], float] = time.monotonic,
) -> Backtest:
    """Return what a route, asked alone and as if never muted, would have made of the events that `filters` pick.

    At most `limit` messages are made, and what is looked at is bounded in number and time. Quiet hours, digests and
    repeats are not played: each event is told by itself.
    """
    router = Router([route], live.targets.keys())
    closes = clock() + SECONDS_AT_MOST
    targets: Counter[str] = Counter()
    unheard: Counter[str] = Counter()
    messages: list[tuple[str, Preview]] = []
    looked = matched = size = 0
    oldest: datetime | None = None
    cut_short: str | None = None
    for event in _each(events, filters):
        if looked == EVENTS_AT_MOST or clock() > closes:
            bound = f"{looked} events" if looked == EVENTS_AT_MOST else f"{SECONDS_AT_MOST:g} s"
            cut_short = f"after {bound}: older events were not looked at"
            break
        looked, oldest = looked + 1, event.received_at
        (explanation,) = router.explain(event)
        if not explanation.matched:
            continue
        matched += 1
        targets.update(explanation.targets)
        if explanation.reason:
            unheard[explanation.reason] += 1
        if size < CHARACTERS_AT_MOST:
            new = [preview(live, target, route, event) for target in explanation.targets[: limit - len(messages)]]
            messages += [(event.id, one) for one in new]
            size += sum(len(one.body) for one in new)
    told = dict(targets.most_common()), dict(unheard.most_common())
    return Backtest(route.route.name, looked, matched, *told, oldest, cut_short, messages)


def route_for(live: Live, given: Any) -> CompiledRoute:
    """Return the route in force of a name, or the one that a table describes. Raises `UsageError` and `NotFound`."""
    if isinstance(given, str):
        if (known := live.router.named(given)) is None:
            raise NotFound(f"there is no route {given}", hint="`relay routes` lists them")
        return known
    if not isinstance(given, Mapping):
        raise UsageError("route: a route's fields, or the name of one that there is")
    route = single(Route, {"name": UNNAMED, **given}, under="route")
    for place, target in enumerate(route.to):
        if not is_person(target) and target not in live.targets:
            raise UsageError(f"route.to[{place}]: there is no target {target}", hint=suggestion(target, live.targets))
    try:
        return compile_route(route)
    except BadExpression as error:
        raise UsageError(f"route.{error.key}: {error}") from None


def period(since: str | None, until: str | None) -> dict[str, Any]:
    """Return the filters for a time, or how long ago, to another. Raises `UsageError`."""
    return filters_of({"since": since or SINCE, "until": until})


def show_backtest(found: Backtest) -> dict[str, Any]:
    """Return a backtest as JSON shows it."""
    return {
        "route": found.route,
        "looked": found.looked,
        "matched": found.matched,
        "targets": dict(found.targets),
        "unheard": dict(found.unheard),
        "oldest": found.oldest and found.oldest.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "cut_short": found.cut_short,
        "messages": [{"event": event, **asdict(one)} for event, one in found.messages],
    }


def _each(events: EventReader, filters: Mapping[str, Any]) -> Iterator[Event]:
    since: datetime = filters["since"]
    others = {name: value for name, value in filters.items() if name != "since"}
    before: int | None = None
    # Asked of the database, the beginning would be sought through all that is older.
    while found := events.find(others, before, PAGE):
        page = [event for event in found if event.received_at >= since]
        if not page:
            break
        yield from page
        before = found[-1].seq
