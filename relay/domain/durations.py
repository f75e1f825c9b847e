"""Durations and rates as people write them: `15s`, `5m`, `2h`, `30d`; `50/s`, `3000/m`."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

LONGEST = 3650 * 86400.0
"""Seconds that a duration may last: a time so far away can still be reckoned with."""

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*/\s*(s|m|h|d)")


def parse_duration(text: Any) -> float:
    """Return seconds for `15s`, `1.5h` and the like.

    Raises `ValueError` for anything else, a bare number too, and for more than `LONGEST`.
    """
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("a duration is a number and a unit: 500ms, 15s, 5m, 2h or 30d")
    seconds = float(match[1]) * _SECONDS[match[2]]
    if seconds > LONGEST:
        raise ValueError("a duration is at most 3650d")
    return seconds


def parse_rate(text: Any) -> float:
    """Return requests per second for `50/s`, `3000/m`. Raises `ValueError` for anything else, and for zero."""
    match = _RATE.fullmatch(text) if isinstance(text, str) else None
    if match is None or float(match[1]) == 0:
        raise ValueError("a rate is a number above zero and a unit of time: 50/s, 3000/m")
    return float(match[1]) / _SECONDS[match[2]]


def format_duration(seconds: float) -> str:
    """Return seconds in the largest unit that divides them evenly: 90 is `90s`, 7200 is `2h`."""
    for unit in ("d", "h", "m", "s"):
        if seconds >= _SECONDS[unit] and seconds % _SECONDS[unit] == 0:
            return f"{seconds / _SECONDS[unit]:.15g}{unit}"
    return f"{seconds * 1000:.15g}ms"


def format_rate(per_second: float) -> str:
    """Return a rate in the smallest unit that makes it one or more: 0.5 a second is `30/m`."""
    for unit in ("s", "m", "h"):
        if per_second * _SECONDS[unit] >= 1:
            return f"{per_second * _SECONDS[unit]:.15g}/{unit}"
    return f"{per_second * _SECONDS['d']:.15g}/d"


Duration = Annotated[
    float, BeforeValidator(parse_duration), PlainSerializer(format_duration, return_type=str, when_used="json")
]
"""Seconds, read from `15s` and written back as such."""

Rate = Annotated[float, BeforeValidator(parse_rate), PlainSerializer(format_rate, return_type=str, when_used="json")]
"""Requests a second, read from `50/s` and written back as such."""
