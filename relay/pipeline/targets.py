"""Targets as operators see them: on or paused and why, and how much waits for each."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from relay.domain.health import Health
from relay.domain.person import is_person
from relay.domain.target import TargetOptions
from relay.errors import NotFound
from relay.pipeline.ports import ConfigurationReader, Nudge, Stored

BY_HAND = "by hand"
"""Why a target is paused when nobody says."""


class Backlog(Protocol):
    """Where it is known how much waits."""

    def waiting(self, names: Iterable[str]) -> Mapping[str, int]:
        """Return how many deliveries wait for each of these targets; those of which there are none are left out."""


class HealthReader(Protocol):
    """Where the health of targets is kept."""

    def load(self) -> Mapping[str, Health]:
        """Return the health of every target that is not well."""

    def forget(self, target: str) -> None:
        """Forget what is known of a target."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A target and how it stands: `paused` says why it is, `health` is `None` while it is well."""

    options: TargetOptions
    paused: str | None
    health: Health | None
    waiting: int


class Targets:
    """Shows, pauses and resumes targets. What is sent to a paused one waits."""

    def __init__(
        self, configuration: ConfigurationReader, deliveries: Backlog, health: HealthReader, nudge: Nudge
    ) -> None:
        self._configuration = configuration
        self._deliveries = deliveries
        self._health = health
        self._nudge = nudge

    def all(self) -> list[Standing]:
        """Return every target, in the order of the configuration."""
        stored = self._configuration.load()
        return self._standings(stored, stored.configuration.targets)

    def people(self) -> list[Standing]:
        """Return the target of every person."""
        stored = self._configuration.load()
        return self._standings(stored, stored.people)

    def _standings(self, stored: Stored, targets: Sequence[TargetOptions]) -> list[Standing]:
        waiting = self._deliveries.waiting([target.name for target in targets])
        health = self._health.load()
        return [
            Standing(
                options=target,
                paused=stored.paused.get(target.name),
                health=health.get(target.name),
                waiting=waiting.get(target.name, 0),
            )
            for target in targets
        ]

    def get(self, name: str) -> Standing:
        """Return one target, which may be a person's. Raises `NotFound`."""
        for standing in self.people() if is_person(name) else self.all():
            if standing.options.name == name:
                return standing
        raise NotFound(f"there is no target {name}", hint="`relay targets` lists them")

    def pause(self, name: str, reason: str | None, now: datetime) -> Standing:
        """Pause a target, for a reason that is shown; one that is paused already keeps its own. Raises `NotFound`."""
        self.get(name)
        self._configuration.pause(name, reason or BY_HAND, now)
        return self.get(name)

    def resume(self, name: str, now: datetime) -> Standing:
        """Resume a target: its circuit is closed, and what waits is sent at its own pace. Raises `NotFound`."""
        self.get(name)
        # Forgotten first: days of failure would pause it again at its first stumble.
        self._health.forget(name)
        self._configuration.pause(name, None, now)
        self._nudge.deliver()
        return self.get(name)


def show_target(standing: Standing) -> dict[str, Any]:
    """Return a target as JSON shows it; its secrets are masked."""
    health = standing.health
    return {
        "name": standing.options.name,
        "kind": standing.options.kind,
        "state": "on" if standing.paused is None else "paused",
        "paused": standing.paused,
        "circuit": "open" if health is not None and health.is_open else "closed",
        "waiting": standing.waiting,
        "options": standing.options.model_dump(mode="json", exclude={"name", "kind"}),
    }
