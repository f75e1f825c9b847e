"""The configuration as stored: what `relay apply` wrote and workers follow."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

import orjson
from pydantic import BaseModel, ValidationError
from sqlalchemy import Connection, Table, delete, insert, select, update

from relay.domain.configuration import Configuration
from relay.domain.database import Database as DatabaseSpec
from relay.domain.delivery import State
from relay.domain.inbound import Provider
from relay.domain.person import PREFIX
from relay.domain.route import Route
from relay.domain.target import Former, Target, TargetOptions
from relay.errors import InvalidConfiguration
from relay.secrets import REVEAL, Sealer
from relay.store import tables
from relay.store.database import Database
from relay.store.deliveries import TARGET_REMOVED
from relay.store.folds import cancel
from relay.store.people import is_person, read_people, seal_again
from relay.store.rotation import retired_by, unseal
from relay.store.version import raise_version

_Model = TypeVar("_Model", bound=BaseModel)
_Kind = TypeVar("_Kind")


class Kinds(Protocol):
    """The plug-ins by kind: what options each has."""

    @property
    def providers(self) -> Mapping[str, type[Provider]]:
        """The providers of sources."""

    @property
    def targets(self) -> Mapping[str, type[Target]]:
        """The kinds of targets."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A configuration with its version, and by name: why targets are paused, their former secrets, muted routes.

    `people` are the places of people, under the names of their targets; the rest speaks of them too.
    `aging` says that some of it is sealed with a key that is not the newest: applied again, it no longer is.
    """

    version: int
    configuration: Configuration
    paused: Mapping[str, str]
    former: Mapping[str, tuple[Former, ...]]
    muted: Mapping[str, datetime]
    people: tuple[TargetOptions, ...] = ()
    aging: bool = False


class ConfigurationStore:
    """The tables `sources`, `databases`, `targets`, `routes` and the version over them."""

    def __init__(self, database: Database, sealer: Callable[[], Sealer], kinds: Kinds) -> None:
        self._database = database
        self._sealer = sealer
        self._kinds = kinds

    def version(self) -> int:
        """Return the number of the latest change; 0 before the first."""
        with self._database.reading() as connection:
            return connection.scalar(select(tables.configuration.c.version)) or 0

    def load(self) -> Stored:
        """Return what is stored. Raises `InvalidConfiguration` when a secret key or a plug-in is missing."""
        with self._database.reading() as connection:
            version = connection.scalar(select(tables.configuration.c.version)) or 0
            former, aging = self._former(connection), self._aging(connection)
            paused, muted = _paused(connection), _muted(connection)
            people = list(read_people(connection, self._sealer, self._kinds.targets))
            former |= {person.name: secrets for person, secrets in people}
            places = tuple(person for person, _ in people)
            return Stored(version, self._read(connection), paused, former, muted, places, aging)

    def replace(self, wanted: Configuration, now: datetime) -> int:
        """Make `wanted` the configuration, in one transaction, and return its version.

        A target that stays keeps its pause, and signs with replaced secrets for a while. What waits for one that goes
        is cancelled. People stay, sealed with the newest key.
        """
        with self._database.writing() as connection:
            # First, for its row lock: whoever applies at the same time waits here.
            version = raise_version(connection, now)
            for table, items, sealed in (
                (tables.sources, wanted.sources, True),
                (tables.databases, wanted.databases, True),
                (tables.routes, wanted.routes, False),
            ):
                self._write(connection, table, items, sealed=sealed)
            self._write_targets(connection, wanted.targets, now)
            seal_again(connection, self._sealer())
            target = tables.deliveries.c.target
            gone = target.not_in([one.name for one in wanted.targets]) & ~target.startswith(PREFIX)
            waiting = tables.deliveries.c.state == State.PENDING
            cancel(connection, waiting & gone, TARGET_REMOVED, now)
            return version

    def pause(self, target: str, reason: str | None, now: datetime) -> bool:
        """Pause a target for a reason, or with `None` resume it; return whether that changed anything."""
        paused_at = None if reason is None else now
        known = tables.targets.c.name == target
        changes = (
            tables.targets.c.paused_at.is_(None) if reason is not None else tables.targets.c.paused_at.is_not(None)
        )
        with self._database.writing() as connection:
            statement = update(tables.targets).where(known & changes)
            changed = connection.execute(statement.values(paused_at=paused_at, paused_reason=reason)).rowcount
            if changed:
                raise_version(connection, now)
            return bool(changed)

    def mute(self, route: str, until: datetime | None, now: datetime) -> bool:
        """Mute a route until then, or with `None` no longer; return whether there is such a route."""
        with self._database.writing() as connection:
            statement = update(tables.routes).where(tables.routes.c.name == route)
            known = connection.execute(statement.values(muted_until=until)).rowcount
            if known:
                raise_version(connection, now)
            return bool(known)

    def _read(self, connection: Connection) -> Configuration:
        return Configuration(
            sources=tuple(
                _valid(_known(self._kinds.providers, spec["verify"]).Options, spec)
                for spec in self._specs(connection, tables.sources, sealed=True)
            ),
            databases=tuple(
                _valid(DatabaseSpec, spec) for spec in self._specs(connection, tables.databases, sealed=True)
            ),
            targets=tuple(
                _valid(_known(self._kinds.targets, spec["kind"]).Options, spec)
                for spec in self._specs(connection, tables.targets, sealed=True)
            ),
            routes=tuple(_valid(Route, spec) for spec in self._specs(connection, tables.routes, sealed=False)),
        )

    def _former(self, connection: Connection) -> dict[str, tuple[Former, ...]]:
        kept = tables.targets.c.former
        found = connection.execute(
            select(tables.targets.c.name, kept).where(kept.is_not(None), ~is_person(tables.targets))
        )
        return {row.name: unseal(row.former, self._sealer()) for row in found}

    def _write_targets(self, connection: Connection, items: Sequence[TargetOptions], now: datetime) -> None:
        table = tables.targets
        stored = {row.name: (row.spec, row.former) for row in connection.execute(select(table))}
        self._write(connection, table, items, sealed=True)
        for item in items:
            former = retired_by(stored.get(item.name), item.model_dump(context=REVEAL), self._sealer(), now)
            if former is not None or stored.get(item.name, ("", None))[1] is not None:
                connection.execute(update(table).where(table.c.name == item.name).values(former=former))

    def _aging(self, connection: Connection) -> bool:
        sealed = [
            spec
            for table in (tables.sources, tables.databases, tables.targets)
            for spec in connection.scalars(select(table.c.spec))
        ]
        sealed += connection.scalars(select(tables.targets.c.former).where(tables.targets.c.former.is_not(None)))
        return bool(sealed) and not all(map(self._sealer().is_newest, sealed))

    def _specs(self, connection: Connection, table: Table, *, sealed: bool) -> list[dict[str, Any]]:
        found = connection.scalars(select(table.c.spec).where(~is_person(table)).order_by(table.c.position)).all()
        if not (sealed and found):
            return [orjson.loads(spec) for spec in found]
        sealer = self._sealer()
        return [orjson.loads(sealer.open(spec)) for spec in found]

    def _write(self, connection: Connection, table: Table, items: Sequence[Any], *, sealed: bool) -> None:
        names = [item.name for item in items]
        connection.execute(delete(table).where(table.c.name.not_in(names), ~is_person(table)))
        known = set(connection.scalars(select(table.c.name)))
        for position, item in enumerate(items):
            spec = item.model_dump_json(context=REVEAL, exclude_defaults=True)
            values = {"position": position, "spec": self._sealer().seal(spec) if sealed else spec}
            if item.name in known:
                connection.execute(update(table).where(table.c.name == item.name).values(values))
            else:
                connection.execute(insert(table).values(name=item.name, **values))


def _known(kinds: Mapping[str, _Kind], kind: str) -> _Kind:
    if kind not in kinds:
        raise InvalidConfiguration(
            f"the stored configuration uses {kind}, which this relay does not have", hint="install it, or apply again"
        )
    return kinds[kind]


def _valid(model: type[_Model], spec: Mapping[str, Any]) -> _Model:
    try:
        return model.model_validate(spec)
    except ValidationError as error:
        names = ", ".join(".".join(map(str, problem["loc"])) for problem in error.errors())
        raise InvalidConfiguration(
            f"the stored {spec.get('name', 'configuration')} does not fit this version of the relay: {names}",
            hint="apply the configuration again",
        ) from None


def _paused(connection: Connection) -> dict[str, str]:
    statement = select(tables.targets.c.name, tables.targets.c.paused_reason).where(
        tables.targets.c.paused_at.is_not(None)
    )
    return {row.name: row.paused_reason or "" for row in connection.execute(statement)}


def _muted(connection: Connection) -> dict[str, datetime]:
    until = tables.routes.c.muted_until
    return {row.name: row.muted_until for row in connection.execute(select(tables.routes).where(until.is_not(None)))}
