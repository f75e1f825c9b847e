"""Is there an outbox where watched tables are? Asked of each engine once, before anything is written through it."""

from typing import Any
from weakref import WeakSet

from sqlalchemy import Connection, Engine, Table, inspect
from sqlalchemy.orm import Mapper, class_mapper

from relay.capture.errors import CaptureError
from relay.capture.outbox import find
from relay.capture.registry import models

_looked: WeakSet[Engine] = WeakSet()


def look(connection: Connection) -> None:
    """Raise `CaptureError` where a database has a table that is watched, and no outbox beside it.

    Where it has neither, nothing is said: it may be made within this very transaction, or hold other things.
    """
    if connection.engine in _looked:
        return
    homes: dict[Table, list[Table]] = {}
    for model in models():
        mapper: Mapper[Any] = class_mapper(model, configure=False)
        if isinstance(mapper.local_table, Table):
            homes.setdefault(find(mapper.local_table.metadata), []).append(mapper.local_table)
    for outbox, tables in homes.items():
        if not there(connection, outbox) and any(there(connection, table) for table in tables):
            raise missing(outbox)
    _looked.add(connection.engine)


def there(connection: Connection, table: Table) -> bool:
    """Say whether a table exists, in the schema that the connection takes for its own."""
    translated = connection.get_execution_options().get("schema_translate_map") or {}
    return inspect(connection).has_table(table.name, schema=translated.get(table.schema, table.schema))


def missing(outbox: Table) -> CaptureError:
    """Return the error of a database without its outbox."""
    return CaptureError(
        f"the database has no table {outbox.fullname}: call capture.outbox(Base.metadata) and migrate, or create_all"
    )
