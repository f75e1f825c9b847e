"""How targets fare: one row for each that failed lately, shared by all workers."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, select, update

from relay.domain.health import PROBE, Health
from relay.store.batch import any_of, insert_of
from relay.store.database import Database
from relay.store.tables import health as table


class HealthStore:
    """The `health` table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def load(self) -> dict[str, Health]:
        """Return the health of every target that is not well."""
        with self._database.reading() as connection:
            return {row.target: _health(row) for row in connection.execute(select(table))}

    def record(self, outcomes: Mapping[str, Sequence[bool]], now: datetime) -> dict[str, Health | None]:
        """Note each target's attempts (a success or not, oldest first); return its health, `None` where it is well."""
        after: dict[str, Health | None] = {}
        # In one order for all workers: they would wait for each other's rows in a circle.
        names = sorted(outcomes)
        with self._database.writing() as connection:
            known = self._locked(connection, names, now)
            for name in names:
                health = known[name].after(outcomes[name], now)
                after[name] = None if health.is_well(now) else health
                if after[name] is None:
                    connection.execute(delete(table).where(table.c.target == name))
                else:
                    connection.execute(update(table).where(table.c.target == name).values(**asdict(health)))
        return after

    def take_probe(self, target: str, now: datetime) -> bool:
        """Say whether this worker is the one to probe an open circuit now; others then leave it alone for `PROBE`."""
        free = (table.c.target == target) & (table.c.open_until <= now)
        with self._database.writing() as connection:
            taken = update(table).where(free).values(open_until=now + PROBE, probing=True)
            return bool(connection.execute(taken).rowcount)

    def forget(self, target: str) -> None:
        """Forget what is known of a target: it is resumed, or its circuit closed by hand."""
        with self._database.writing() as connection:
            connection.execute(delete(table).where(table.c.target == target))

    def _locked(self, connection: Connection, names: Sequence[str], now: datetime) -> dict[str, Health]:
        well = asdict(Health(window_began=now))
        connection.execute(
            insert_of(connection)(table).on_conflict_do_nothing(), [{"target": name, **well} for name in names]
        )
        mine = select(table).where(any_of(connection, table.c.target, names)).order_by(table.c.target)
        return {row.target: _health(row) for row in connection.execute(mine.with_for_update())}


def _health(row: Row[Any]) -> Health:
    return Health(**{name: getattr(row, name) for name in Health.__dataclass_fields__})
