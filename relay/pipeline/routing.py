"""Which targets hear of an event, and through which route."""

import re
from collections import defaultdict
from collections.abc import Container, Sequence
from dataclasses import dataclass

from relay.domain.event import Event
from relay.domain.person import PREFIX, is_person
from relay.pipeline.conditions import Facts
from relay.pipeline.rendering import CompiledRoute

_WILD = re.compile(r"[*?\[]")

MEMORY = 4096
"""Pairs of type and source whose routes are remembered."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What one route makes of an event: `targets` are those that hear of it through this route."""

    route: str
    matched: bool
    reason: str | None
    targets: tuple[str, ...]


class Router:
    """Routes in the order of the configuration. The first that matches tells a target of an event.

    `known` are the targets that there are: a person who is none of them hears nothing, and all others do.
    A route is looked at for the types that begin as its own do: what an event costs grows with the routes of its type.
    """

    def __init__(self, routes: Sequence[CompiledRoute], known: Container[str] = ()) -> None:
        self._routes = tuple(routes)
        self._known = known
        self._by_name = {route.route.name: route for route in self._routes}
        self._by_kind: dict[tuple[str, str], tuple[CompiledRoute, ...]] = {}
        self._by_head: dict[str | None, list[int]] = defaultdict(list)
        for place, route in enumerate(self._routes):
            for head in {_head_of_glob(glob) for glob in route.route.types or ("*",)}:
                self._by_head[head].append(place)

    def named(self, name: str) -> CompiledRoute | None:
        """Return the route of this name, `None` when there is none any more."""
        return self._by_name.get(name)

    def match(self, event: Event, unheard: list[str] | None = None) -> list[tuple[str, CompiledRoute]]:
        """Return each target that hears of the event, with the route that says in which words.

        `unheard` learns why people that routes name hear nothing.
        """
        found: dict[str, CompiledRoute] = {}
        facts = Facts(event)
        for route in self._for_kind(event.type, event.source):
            # A condition costs more than a look: it is not asked when nothing hangs on it.
            if found.keys() >= set(route.route.to) and not route.route.stop:
                continue
            if route.why_not(event, facts) is None:
                targets, wrong = self._hearers(route, event)
                for target in targets:
                    found.setdefault(target, route)
                if wrong and unheard is not None:
                    unheard += [f"route {route.route.name}: {one}" for one in wrong]
                if route.route.stop:
                    break
        return list(found.items())

    def explain(self, event: Event) -> list[Explanation]:
        """Return what every route makes of the event, and why."""
        told: set[str] = set()
        facts = Facts(event)
        explanations = []
        stopped: str | None = None
        for route in self._routes:
            name = route.route.name
            reason = f"route {stopped} stops the event before it" if stopped else route.reason(event, facts)
            hearers, wrong = self._hearers(route, event) if reason is None else ([], [])
            targets = tuple(dict.fromkeys(target for target in hearers if target not in told))
            if hearers and not targets:
                wrong.append("an earlier route tells its targets")
            told.update(targets)
            words = reason or "; ".join(wrong) or None
            explanations.append(Explanation(name, reason is None, words, targets))
            if reason is None and route.route.stop:
                stopped = name
        return explanations

    def _hearers(self, route: CompiledRoute, event: Event) -> tuple[list[str], list[str]]:
        """Return the targets that a route tells of an event, and why it tells some people nothing."""
        targets, wrong = route.hearers(event)
        unknown = [target for target in targets if is_person(target) and target not in self._known]
        wrong += [f"there is no person {target.removeprefix(PREFIX)}" for target in unknown]
        return [target for target in targets if target not in unknown], wrong

    def _for_kind(self, event_type: str, source: str) -> tuple[CompiledRoute, ...]:
        """Return the routes for this type and source, remembered: globs are matched once for each pair."""
        kind = (event_type, source)
        routes = self._by_kind.get(kind)
        if routes is None:
            places = sorted({*self._by_head.get(None, ()), *self._by_head.get(event_type.partition(".")[0], ())})
            routes = tuple(one for one in map(self._routes.__getitem__, places) if one.route.takes(*kind))
            if len(self._by_kind) >= MEMORY:
                self._by_kind.clear()
            self._by_kind[kind] = routes
        return routes


def _head_of_glob(glob: str) -> str | None:
    """Return what stands before the first dot of every type that a glob takes; `None` where that may be anything."""
    head = glob.partition(".")[0]
    return None if _WILD.search(head) else head
