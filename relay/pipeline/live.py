"""The configuration as the steps use it: compiled once, followed as it changes."""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import Any
from urllib.parse import unquote

from pydantic import BaseModel, SecretStr

from relay import log
from relay.domain.card import Card
from relay.domain.configuration import Configuration
from relay.domain.credentials import Basic
from relay.domain.database import Database
from relay.domain.event import Event
from relay.domain.inbound import Provider, SourceOptions
from relay.domain.target import Former, Target, TargetOptions, WordsOptions
from relay.errors import InvalidConfiguration, StoreUnavailable
from relay.pipeline.conditions import Identity
from relay.pipeline.ports import ConfigurationReader, Stored
from relay.pipeline.rendering import compile_route
from relay.pipeline.routing import Router
from relay.plugins import Plugins

_log = log.get(__name__)

_BREAKS = re.compile(r"[\s=;,]+")

_PLACES = re.compile(r"[:@]")

LOOK_EVERY = 0.5
"""Seconds between two looks at the version: a change is followed well within the 2 s that are promised."""


@dataclass(frozen=True, slots=True)
class LiveSource:
    """A source, ready to verify."""

    options: SourceOptions
    provider: Provider
    identity: Identity | None


@dataclass(frozen=True, slots=True)
class LiveTarget:
    """A target, ready to render. `secrets` are what no log, error or stored response may show.

    `former` are the signing secrets that were replaced; `signing` tells those that still sign.
    """

    options: TargetOptions
    target: Target
    secrets: tuple[str, ...]
    paused: str | None
    former: tuple[Former, ...] = ()

    def signing(self, at: datetime) -> tuple[str, ...]:
        """Return the replaced secrets that sign at this moment beside the present ones."""
        if not self.former:
            return ()
        return tuple(one.secret.get_secret_value() for one in self.former if one.signs(at))

    @property
    def gathers(self) -> bool:
        """Whether digests may be made for it: people read it, and not one by one in an order of their own."""
        return self.target.words and self.options.order == "none"

    @property
    def folds(self) -> bool:
        """Whether many deliveries that wait for it become one message."""
        return self.gathers and isinstance(self.options, WordsOptions) and self.options.fold


@dataclass(frozen=True, slots=True)
class Live:
    """One version of the configuration, compiled."""

    version: int
    sources: Mapping[str, LiveSource]
    targets: Mapping[str, LiveTarget]
    databases: tuple[Database, ...]
    router: Router
    base_url: str | None = None
    muted: Mapping[str, datetime] = field(default_factory=dict)

    def told(self, event: Event, target: Target) -> Card | None:
        """Return what the provider of the event's source makes of it, for a target that people read."""
        source = self.sources.get(event.source) if target.words else None
        return source.provider.card(event) if source else None

    def page(self, event: Event) -> str | None:
        """Return where the relay shows the event, `None` where its operator never said how it is reached."""
        return f"{self.base_url}/events/{event.id}" if self.base_url else None


def compile_configuration(
    configuration: Configuration, plugins: Plugins, stored: Stored | None = None, base_url: str | None = None
) -> Live:
    """Return a configuration ready for use; `base_url` is where people reach the relay.

    Raises `InvalidConfiguration` for what does not compile.
    """
    places = (*configuration.targets, *(stored.people if stored else ()))
    targets = {options.name: compile_target(options, plugins, stored) for options in places}
    return Live(
        version=stored.version if stored else 0,
        sources={options.name: compile_source(options, plugins) for options in configuration.sources},
        targets=targets,
        databases=configuration.databases,
        router=Router([compile_route(route) for route in configuration.routes], targets.keys()),
        base_url=base_url,
        muted=stored.muted if stored else {},
    )


def compile_target(options: TargetOptions, plugins: Plugins, stored: Stored | None) -> LiveTarget:
    """Return a target ready for use, as paused and with the former secrets that are stored."""
    former = stored.former.get(options.name, ()) if stored else ()
    return LiveTarget(
        options=options,
        target=plugins.targets[options.kind](options),
        secrets=tuple(dict.fromkeys(secrets_in((options, *(one.secret for one in former))))),
        paused=stored.paused.get(options.name) if stored else None,
        former=former,
    )


def compile_source(options: SourceOptions, plugins: Plugins) -> LiveSource:
    """Return a source ready for use. Raises `ValueError` for a `dedupe` that does not compile."""
    return LiveSource(
        options,
        plugins.providers[options.verify](options),
        Identity(options.dedupe) if options.dedupe is not None else None,
    )


def secrets_in(value: Any) -> Iterator[str]:
    """Yield every secret inside options, and after it what of it would give it away by itself.

    What is shorter than four characters hides nothing, and taking it out would garble every reply.
    """
    match value:
        case SecretStr():
            yield from (part for part in _parts(value.get_secret_value()) if len(part) > 3)
        case Basic():
            yield value.credentials
            yield from secrets_in(value.password)
        case BaseModel():
            for name in type(value).model_fields:
                yield from secrets_in(getattr(value, name))
        case Mapping():
            for item in value.values():
                yield from secrets_in(item)
        case tuple() | list():
            for item in value:
                yield from secrets_in(item)


def _parts(secret: str) -> Iterator[str]:
    """Yield a secret, then its telling parts: a URL's query values and long path segments, a header's credentials."""
    yield secret
    if "://" in secret:
        address, _, query = secret.partition("?")
        values = [pair.partition("=")[2] for pair in query.split("&")]
        segments = [part for part in address.split("/")[3:] if len(part) >= 12 and not part.isalpha()]
        yield from (*values, *segments, *_logins(address))
        yield from map(unquote, (*values, *segments))
    else:
        yield from (part for part in _BREAKS.split(secret) if len(part) >= 8)
        yield secret.removeprefix("whsec_").removeprefix("whsk_")


def _logins(address: str) -> Iterator[str]:
    """Yield what a URL shows before its host; with another scheme than HTTP's the host may be a token too."""
    scheme, _, rest = address.partition("://")
    place = rest.partition("/")[0]
    shown = place.rpartition("@")[0] if scheme.lower() in ("http", "https") else place
    for part in _PLACES.split(shown):
        if len(part) >= 8:
            yield from (part, unquote(part))


class Following:
    """The current `Live`: looked for at most every `LOOK_EVERY` seconds, the last good one while that fails."""

    def __init__(
        self,
        store: ConfigurationReader,
        plugins: Plugins,
        base_url: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._plugins = plugins
        self._base_url = base_url
        self._clock = clock
        self._looked = -LOOK_EVERY
        self._unusable = -1
        self._lock = Lock()
        self.latest = compile_configuration(Configuration(), plugins, base_url=base_url)

    def current(self) -> Live:
        """Return the configuration in force, having looked whether it changed if that is due."""
        if self._clock() - self._looked >= LOOK_EVERY:
            self.refresh()
        return self.latest

    def refresh(self) -> Live:
        """Look now. A configuration that cannot be read or compiled is logged, and the last good one stays."""
        with self._lock:
            self._looked = self._clock()
            try:
                version = self._store.version()
                if version not in (self.latest.version, self._unusable):
                    self._follow(version)
            except StoreUnavailable as error:
                _log.warning("configuration.unreachable", error=error.message)
            return self.latest

    def _follow(self, version: int) -> None:
        try:
            stored = self._store.load()
            before = self.latest
            self.latest = compile_configuration(stored.configuration, self._plugins, stored, self._base_url)
            # The first is where a process begins: a command that looks once has nothing to tell of it.
            if before.version:
                _log.info("configuration.followed", version=stored.version, targets=len(self.latest.targets))
        except (InvalidConfiguration, ValueError) as error:
            self._unusable = version
            _log.error("configuration.unusable", version=version, error=str(error))
