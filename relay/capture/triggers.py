"""Database triggers that fill the same outbox: for what other programs, cascades and hand-written SQL change.

They keep still while a captured session writes, so that nothing is told twice: see `relay.capture.marks`.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Dialect

from relay.capture import mariadb, postgresql, sqlite
from relay.capture.dialects import MYSQL
from relay.capture.errors import CaptureError
from relay.capture.registry import shapes
from relay.capture.sqltext import Triggers, literal

_MAKERS: dict[str, Any] = {"postgresql": postgresql, "sqlite": sqlite, **dict.fromkeys(sorted(MYSQL), mariadb)}


def triggers(dialect: Dialect, source: str, models: Iterable[type]) -> Triggers:
    """Return triggers for the tables of watched models, each with the columns that `watch` lets out.

    Masked values show as `"masked"`. Raises `CaptureError` for a database without such triggers here, and when nothing
    is watched.
    """
    maker = _MAKERS.get(dialect.name)
    if maker is None:
        raise CaptureError(f"there are no triggers for {dialect.name}, only for {', '.join(_MAKERS)}")
    found = [kind for kind in shapes(models) if kind.mapper.inherits is None or kind.mapper.concrete]
    if not found:
        raise CaptureError("nothing is watched: name the module that calls capture.watch")
    quote = dialect.identifier_preparer
    made = [maker.table_triggers(kind, literal(source), quote) for kind in found]
    return Triggers(
        [*maker.COMMON.create, *(sql for one in made for sql in one.create)],
        [*(sql for one in made for sql in one.drop), *maker.COMMON.drop],
    )
