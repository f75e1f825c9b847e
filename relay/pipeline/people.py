"""People: each has a place of their own, which routes find by what an event says of them."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Protocol

from relay.domain.person import PREFIX, STAND_IN, WORDS, target_of
from relay.domain.target import TargetOptions
from relay.errors import NotFound, UsageError
from relay.pipeline.configure.complaints import suggestion
from relay.pipeline.configure.single import single
from relay.pipeline.targets import Standing, Targets, show_target
from relay.plugins import Plugins


class PeopleKeeper(Protocol):
    """Where people are kept."""

    def put(self, options: TargetOptions, now: datetime) -> None:
        """Give a person a place, or another one, under their target's name."""

    def remove(self, target: str, now: datetime) -> bool:
        """Remove a person; return whether there was one."""


class People:
    """Shows people and how their places stand, gives them places and takes them away."""

    def __init__(self, store: PeopleKeeper, targets: Targets, plugins: Plugins) -> None:
        self._store = store
        self._targets = targets
        self._plugins = plugins

    def all(self) -> list[Standing]:
        """Return everybody, by name."""
        return sorted(self._targets.people(), key=lambda person: person.options.name)

    def get(self, name: str) -> Standing:
        """Return one person. Raises `NotFound`."""
        target = target_of(name)
        for person in self.all():
            if person.options.name == target:
                return person
        raise NotFound(f"there is no person {name}", hint="`relay people` lists them")

    def put(self, name: str, place: Mapping[str, Any], now: datetime, *, resolve: bool) -> Standing:
        """Give a person a place: a target's `kind` and options, but for its name. What waits for them goes there.

        With `resolve`, secrets are looked up where `env:` and `file:` say; without it that is refused. Raises
        `UsageError` that names what is wrong.
        """
        target = target_of(name)
        if target is None:
            raise UsageError(f"a person's name has {WORDS}")
        options = self._options(place, resolve=resolve)
        self._store.put(options.model_copy(update={"name": target}), now)
        return self._targets.resume(target, now)

    def remove(self, name: str, now: datetime) -> None:
        """Remove a person: what waits for them is cancelled. Raises `NotFound`."""
        target = target_of(name)
        if target is None or not self._store.remove(target, now):
            raise NotFound(f"there is no person {name}", hint="`relay people` lists them")

    def _options(self, place: Mapping[str, Any], *, resolve: bool) -> TargetOptions:
        kinds = self._plugins.targets
        kind = place.get("kind")
        if not isinstance(kind, str) or kind not in kinds:
            raise UsageError(
                "kind: is missing" if kind is None else "kind: there is no such kind of target",
                hint=suggestion(kind, kinds),
            )
        if "name" in place:
            raise UsageError("name: a person's place has none of its own")
        if not resolve and any(text.startswith(("env:", "file:")) for text in _texts(place)):
            raise UsageError("env: and file: are looked up by the command line alone", hint="send the secret itself")
        return single(kinds[kind].Options, {**place, "name": STAND_IN}, resolve=resolve)


def show_person(person: Standing) -> dict[str, Any]:
    """Return a person and how their place stands, as JSON shows it; secrets are masked."""
    return show_target(person) | {"name": person.options.name.removeprefix(PREFIX)}


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case Mapping():
            for item in value.values():
                yield from _texts(item)
        case list():
            for item in value:
                yield from _texts(item)
