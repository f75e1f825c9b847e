"""Column values as JSON, in the form in which the database would show them."""

import hashlib
import hmac
import math
import os
from base64 import b64encode
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from enum import Enum
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ARRAY, Column, Numeric, PickleType, types
from sqlalchemy import Enum as EnumType
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.types import TypeEngine

from relay.capture.errors import CaptureError
from relay.domain.event import encode

Export = Callable[[Any], Any]

LIMIT = 65_536
"""Characters: longer text is cut, with a mark that says how long it was."""

ATOMS = frozenset({type(None), bool, int, float, str, bytes, Decimal, datetime, date, time, timedelta, UUID})
"""Types whose values never change, so that a snapshot may keep the value itself."""

STEADY: frozenset[type[TypeEngine[Any]]] = frozenset(
    {
        *(types.Integer, types.SmallInteger, types.BigInteger, types.Numeric, types.Float, types.Double, types.Boolean),
        *(types.String, types.Text, types.Unicode, types.UnicodeText),
        *(types.DateTime, types.Date, types.Time, types.Interval, types.Uuid),
    }
)
"""Column types that have values of types that never change, and nothing else; what inherits from them may differ."""


class Missing(Enum):
    """Stands for a value that is not there."""

    ABSENT = 0
    UNREAD = 1


ABSENT: Final = Missing.ABSENT
"""The session does not know it, and nobody asks: a deferred column."""

UNREAD: Final = Missing.UNREAD
"""Only the database knows it, until it is read there."""

# No number that a database holds has more places than this.
_ROOMY = Context(prec=20_000, rounding=ROUND_HALF_UP)


def plain(value: Any) -> Any:
    """Return a copy of `value` made of JSON's own types. Raises `CaptureError` for what has no such form.

    Decimals and numbers that are not finite become text, moments ISO 8601, intervals seconds, bytes base64, sets lists.
    """
    for kind in type(value).__mro__:
        form = _FORMS.get(kind)
        if form is not None:
            return form(value)
    raise CaptureError(
        f"JSON cannot hold a {type(value).__name__}: exclude the column, or give it a type that reads as text"
    )


def exporter(column_type: TypeEngine[Any]) -> Export:
    """Return how values of this column type become JSON; what it returns it also takes, unchanged."""
    match column_type:
        case EnumType(enum_class=type() as members):
            return _enum_exporter(members, column_type)
        case Numeric(asdecimal=True, scale=int() as scale):
            return lambda value: _fixed(value, scale)
        case ARRAY(item_type=item_type):
            return _list_exporter(exporter(item_type))
        case _:
            return plain


def check(column: Column[Any]) -> None:
    """Raise `CaptureError` where the column's type already tells that JSON cannot hold its values."""
    kind = column.type.item_type if isinstance(column.type, ARRAY) else column.type
    # Many types only say `object`: then the values themselves will tell.
    known = kind.python_type is object or any(base in _FORMS for base in kind.python_type.__mro__)
    if isinstance(kind, PickleType) or not known:
        raise CaptureError(
            f"{column.table.name}.{column.name} is {column.type!r}, which JSON cannot hold: exclude={{{column.name!r}}}"
        )


def masked(value: Any) -> str | None:
    """Return a keyed hash of an exported value: equal values stay equal, and nobody without the key learns them."""
    if value is None:
        return None
    return "masked:" + hmac.new(_mask_key(), encode(value), hashlib.sha256).hexdigest()[:32]


def cut(value: Any) -> Any:
    """Return an exported value, text over `LIMIT` characters cut and marked."""
    if type(value) is str and len(value) > LIMIT:
        return f"{value[:LIMIT]}… (cut, {len(value)} characters)"
    return value


@cache
def _mask_key() -> bytes:
    # Without a key of its own every process takes a random one: masks then compare within an event, no further.
    return os.environ.get("RELAY_MASK_KEY", "").encode() or os.urandom(32)


def _float(value: float) -> float | str:
    if math.isfinite(value):
        return float(value)
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _range(value: Range[Any]) -> dict[str, Any]:
    return {"lower": plain(value.lower), "upper": plain(value.upper), "bounds": value.bounds}


def _base64(value: bytes) -> str:
    return b64encode(value).decode()


def _list(value: Any) -> list[Any]:
    return [plain(item) for item in value]


def _set(value: Any) -> list[Any]:
    return sorted(_list(value), key=encode)


def _fixed(value: Any, scale: int) -> Any:
    """Return a decimal as the database keeps it: with all its places."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return plain(value)
    number = value if isinstance(value, Decimal) else Decimal(str(value))
    return f"{number.quantize(Decimal(1).scaleb(-scale), context=_ROOMY) if number.is_finite() else number:f}"


def _enum_exporter(members: type[Enum], column_type: EnumType) -> Export:
    stored = column_type.values_callable(members) if column_type.values_callable else list(members.__members__)
    names: dict[Any, str] = dict(zip(members.__members__.values(), stored, strict=True))
    spellings = set(stored)

    def export(value: Any) -> Any:
        # A text may be the stored name itself; any other stands for the member that equals it.
        if value is None or (not isinstance(value, members) and value in spellings):
            return value
        return names.get(value, value)

    return export


def _list_exporter(item: Export) -> Export:
    def export(value: Any) -> Any:
        return [export(part) for part in value] if isinstance(value, list | tuple | set) else item(value)

    return export


_FORMS: dict[type, Export] = {
    type(None): lambda value: value,
    bool: bool,
    int: int,
    str: str.__str__,
    float: _float,
    Decimal: lambda value: f"{value:f}",
    Enum: lambda value: plain(value.value),
    date: date.isoformat,
    datetime: datetime.isoformat,
    time: time.isoformat,
    timedelta: timedelta.total_seconds,
    UUID: str,
    bytes: _base64,
    bytearray: _base64,
    memoryview: _base64,
    dict: lambda value: {str(key): plain(item) for key, item in value.items()},
    list: _list,
    tuple: _list,
    set: _set,
    frozenset: _set,
    Range: _range,
    IPv4Address: str,
    IPv6Address: str,
    IPv4Network: str,
    IPv6Network: str,
}
