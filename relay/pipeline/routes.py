"""Routes as operators see them: in force, or muted for a time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from relay.domain.listing import shown
from relay.domain.route import Route
from relay.errors import NotFound
from relay.pipeline.ports import ConfigurationReader


@dataclass(frozen=True, slots=True)
class Posture:
    """A route, and until when it is muted if it is."""

    route: Route
    muted_until: datetime | None


class Routes:
    """Shows, mutes and unmutes routes. What a muted one takes is not sent: its deliveries are cancelled and say why."""

    def __init__(self, configuration: ConfigurationReader) -> None:
        self._configuration = configuration

    def all(self, now: datetime) -> list[Posture]:
        """Return every route, in the order of the configuration."""
        stored = self._configuration.load()
        return [Posture(route, _still(stored.muted, route.name, now)) for route in stored.configuration.routes]

    def get(self, name: str, now: datetime) -> Posture:
        """Return one route. Raises `NotFound`."""
        for posture in self.all(now):
            if posture.route.name == name:
                return posture
        raise NotFound(f"there is no route {name}", hint="`relay routes` lists them")

    def mute(self, name: str, seconds: float, now: datetime) -> Posture:
        """Mute a route for so many seconds from now. Raises `NotFound`."""
        return self._set(name, now + timedelta(seconds=seconds), now)

    def unmute(self, name: str, now: datetime) -> Posture:
        """Let a route speak again. Raises `NotFound`."""
        return self._set(name, None, now)

    def _set(self, name: str, until: datetime | None, now: datetime) -> Posture:
        self.get(name, now)
        self._configuration.mute(name, until, now)
        return self.get(name, now)


def show_route(posture: Posture) -> dict[str, Any]:
    """Return a route as JSON shows it."""
    until = posture.muted_until
    return {
        "name": posture.route.name,
        "state": "on" if until is None else "muted",
        "muted_until": shown(until),
        "to": list(posture.route.to),
        "options": posture.route.model_dump(mode="json", exclude={"name", "to"}, exclude_defaults=True),
    }


def _still(muted: Mapping[str, datetime], name: str, now: datetime) -> datetime | None:
    until = muted.get(name)
    return until if until is not None and until > now else None
