"""The filters that people need in templates, beside those of Jinja."""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from jinja2 import Undefined, pass_context, pass_environment
from jinja2.filters import do_round, make_attrgetter, sync_do_slice, sync_do_sum
from jinja2.runtime import Context

from relay.domain.card import data_rows, web_link
from relay.domain.inbound import epoch, moment
from relay.domain.money import money
from relay.domain.sandbox import MAX_RANGE, Shaped, bound, check_widths, counted, joined, plain, replaced
from relay.domain.style import Escape, Style, named
from relay.domain.text import break_before, clean
from relay.domain.words import shown

CAME = "_came"
"""The name under which a template's context holds when the event came; no template can say it."""

_FORMAT = re.compile(r"(?:[^%]|%-?[aAbBdmyYHIpMSjUWZzfeGuVcxX%])*")
_STEPS = ((60, 1, "s"), (3600, 60, "min"), (172_800, 3600, "h"), (float("inf"), 86_400, "days"))


def filters_of(escape: Escape, style: Style) -> dict[str, Callable[..., Any]]:
    """Return the filters of templates for a kind of target, by their names."""

    def code(value: Any) -> str:
        words = clean(_text(value))
        return Shaped(style.code(words) if style.code else escape(words))

    def bold(value: Any) -> str:
        words = escape(_line_of(value))
        return Shaped(style.bold(words) if words else words)

    def link(value: Any, url: Any) -> str:
        address = web_link(_text(url).strip())
        words = escape(_line_of(value))
        return Shaped(style.link(words, address) if address else words)

    def mention(value: Any) -> str:
        return Shaped(style.mention(named(_text(value)))) if value else ""

    return {
        "code": code,
        "bold": bold,
        "link": link,
        "mention": mention,
        "money": _money,
        "ago": _ago,
        "datetime": _datetime,
        "diff": _diff,
        "truncate": _truncate,
        "format": _format,
        "join": _join,
        "replace": replaced,
        "batch": _batch,
        "slice": _slice,
        "sum": _sum,
        "round": _round,
        "counted": counted,
    }


def _text(value: Any) -> str:
    if value is None or isinstance(value, Undefined):
        return ""
    return plain(value) if isinstance(value, str) else shown(value)


def _line_of(value: Any) -> str:
    return " ".join(_text(value).split())


def _money(value: Any, currency: Any = "", minor: int | None = None) -> str:
    if value is None or isinstance(value, Undefined):
        return ""
    if minor is not None:
        bound(abs(minor), 12)
    return money(value, _text(currency), minor=minor)


@pass_context
def _ago(context: Context, value: Any) -> str:
    then = _moment(value)
    if then is None:
        return _text(value)
    seconds = (context[CAME] - then).total_seconds()
    step, word = next((step, word) for limit, step, word in _STEPS if abs(seconds) < limit)
    words = f"{int(abs(seconds) // step)} {word}"
    return f"{words} ago" if seconds >= 0 else f"in {words}"


def _datetime(value: Any, tz: str = "UTC", format: str = "%Y-%m-%d %H:%M") -> str:  # noqa: A002  as people call it
    then = _moment(value)
    if then is None:
        return _text(value)
    if len(format) > 100 or not _FORMAT.fullmatch(format):
        raise ValueError("datetime: the format is one of strftime, such as %d.%m.%Y %H:%M")
    try:
        return then.astimezone(ZoneInfo(tz)).strftime(format)
    except (ZoneInfoNotFoundError, ValueError, OSError, OverflowError):
        raise ValueError(f"datetime: there is no timezone {clean(tz)[:60]}, or not at that time") from None


def _moment(value: Any) -> datetime | None:
    """Return the time that ISO 8601 text, a date, or seconds or milliseconds since 1970 name."""
    if isinstance(value, str):
        return moment(plain(value).strip())
    if isinstance(value, int | float) and not isinstance(value, bool):
        return epoch(value, 1000 if abs(value) > 100_000_000_000 else 1)
    return value.astimezone(UTC) if isinstance(value, datetime) else None


def _diff(value: Any) -> str:
    """Return what changed in a row, one line a column; of a row that is new or gone, its values."""
    rows = counted(data_rows(value))
    lines = (
        f"{row.label}: {row.value}" if row.old is None else f"{row.label}: {row.old} → {row.value}" for row in rows
    )
    return joined(list(lines), "\n")


def _truncate(value: Any, length: int = 255, killwords: bool = True, end: str = "…", leeway: int = 0) -> str:
    text, mark = _text(value), plain(end)
    if len(text) <= length + leeway:
        return text
    head = text[: break_before(text, max(length - len(mark), 0))]
    if not killwords and not text[len(head)].isspace():
        head = head.rpartition(" ")[0] or head
    return head.rstrip() + mark


def _format(pattern: Any, *values: Any) -> str:
    check_widths(pattern)
    return plain(pattern) % tuple(plain(value) if isinstance(value, str) else value for value in values)


@pass_environment
def _join(environment: Any, value: Iterable[Any], d: Any = "", attribute: str | int | None = None) -> str:
    items = value if attribute is None else map(make_attrgetter(environment, attribute), value)
    return joined([plain(item) for item in counted(items)], plain(d))


def _batch(value: Iterable[Any], linecount: int, fill_with: Any = None) -> list[list[Any]]:
    bound(linecount, MAX_RANGE)
    items, rows = iter(value), []
    while row := list(islice(items, max(linecount, 1))):
        rows.append(row)
    if rows and fill_with is not None:
        rows[-1] += [fill_with] * (linecount - len(rows[-1]))
    return rows


def _slice(value: Any, slices: int, fill_with: Any = None) -> Any:
    bound(slices, MAX_RANGE)
    return sync_do_slice(value, slices, fill_with)


@pass_environment
def _sum(environment: Any, value: Any, attribute: str | int | None = None, start: Any = 0) -> Any:
    if not isinstance(start, int | float):
        raise TypeError("sum adds numbers")
    return sync_do_sum(environment, value, attribute, start)


def _round(value: Any, precision: int = 0, method: Any = "common") -> Any:
    bound(abs(precision), 20)
    return do_round(value, precision, method)
