"""The version over the configuration: whoever changes any of it raises it, and workers look at nothing else."""

from datetime import datetime

from sqlalchemy import Connection

from relay.store import tables
from relay.store.batch import insert_of


def raise_version(connection: Connection, now: datetime) -> int:
    """Raise the version and return it. Its row is locked until the transaction ends."""
    table = tables.configuration
    # One statement: of two who make the very first change, the second waits for the first.
    first = insert_of(connection)(table).values(id=1, version=1, applied_at=now)
    later = {"version": table.c.version + 1, "applied_at": now}
    raised = first.on_conflict_do_update(index_elements=[table.c.id], set_=later).returning(table.c.version)
    return int(connection.execute(raised).scalar_one())
