"""People and their places: rows of `targets` whose names relay.toml cannot have.

So they are claimed, paused, and kept from being cancelled as any target is, and only who writes them differs.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

import orjson
from pydantic import ValidationError
from sqlalchemy import ColumnElement, Connection, delete, select, update

from relay import log
from relay.domain.delivery import State
from relay.domain.person import PREFIX, STAND_IN
from relay.domain.target import Former, Target, TargetOptions
from relay.errors import InvalidConfiguration
from relay.secrets import REVEAL, Sealer
from relay.store import tables
from relay.store.batch import insert_of
from relay.store.database import Database
from relay.store.folds import cancel
from relay.store.rotation import retired_by, unseal
from relay.store.version import raise_version

_log = log.get(__name__)

REMOVED = "the person was removed"


class PeopleStore:
    """Writes people; `ConfigurationStore.load` reads them with everything else."""

    def __init__(self, database: Database, sealer: Callable[[], Sealer]) -> None:
        self._database = database
        self._sealer = sealer

    def put(self, options: TargetOptions, now: datetime) -> None:
        """Give a person a place, or another one, under their target's name; it is not paused then."""
        table, sealer = tables.targets, self._sealer()
        with self._database.writing() as connection:
            raise_version(connection, now)
            row = connection.execute(select(table.c.spec, table.c.former).where(table.c.name == options.name)).first()
            former = retired_by(tuple(row) if row else None, options.model_dump(context=REVEAL), sealer, now)
            spec = sealer.seal(options.model_dump_json(context=REVEAL, exclude_defaults=True))
            values = {"position": 0, "spec": spec, "former": former, "paused_at": None, "paused_reason": None}
            written = insert_of(connection)(table).values(name=options.name, **values)
            connection.execute(written.on_conflict_do_update(index_elements=[table.c.name], set_=values))

    def remove(self, target: str, now: datetime) -> bool:
        """Remove a person, and cancel what waits for them; return whether there was one."""
        table = tables.targets
        with self._database.writing() as connection:
            raise_version(connection, now)
            gone = connection.execute(delete(table).where(table.c.name == target, is_person(table))).rowcount
            waiting = (tables.deliveries.c.target == target) & (tables.deliveries.c.state == State.PENDING)
            if gone:
                cancel(connection, waiting, REMOVED, now)
            return bool(gone)


def is_person(table: Any) -> ColumnElement[bool]:
    """Return the condition that a row of a table with names is a person's."""
    condition: ColumnElement[bool] = table.c.name.startswith(PREFIX)
    return condition


def read_people(
    connection: Connection, sealer: Callable[[], Sealer], kinds: Mapping[str, type[Target]]
) -> Iterator[tuple[TargetOptions, tuple[Former, ...]]]:
    """Yield the options of each person, under their target's name, and their former secrets.

    One that no key opens, or that does not fit this version, is logged and left out: it must not hold up the others.
    """
    table = tables.targets
    rows = connection.execute(select(table.c.name, table.c.spec, table.c.former).where(is_person(table)))
    for name, sealed, former in rows.all():
        try:
            spec = orjson.loads(sealer().open(sealed)) | {"name": STAND_IN}
            options = kinds[spec["kind"]].Options.model_validate(spec)
            yield options.model_copy(update={"name": name}), unseal(former, sealer())
        except (InvalidConfiguration, ValidationError, KeyError) as error:
            _log.warning("person.unusable", target=name, error=type(error).__name__)


def seal_again(connection: Connection, sealer: Sealer) -> None:
    """Seal people with the newest key; one that no key opens stays as it is."""
    table = tables.targets
    rows = connection.execute(select(table.c.name, table.c.spec, table.c.former).where(is_person(table)))
    for name, *sealed in rows.all():
        try:
            spec, former = (one and (one if sealer.is_newest(one) else sealer.seal(sealer.open(one))) for one in sealed)
        except InvalidConfiguration:
            continue
        if [spec, former] != sealed:
            connection.execute(update(table).where(table.c.name == name).values(spec=spec, former=former))
