"""Text from elsewhere made fit to be shown: without what cannot be seen, and no longer than there is room for."""

import re
import unicodedata
from collections.abc import Callable

from relay.domain.words import counted

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, but for tab and line feed
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks, embeddings and overrides of direction
    "\u2028\u2029\ufeff\ufff9-\ufffb"  # separators and marks that editors leave behind
    "\U000e0000-\U000e001f]"  # language tags; those behind them are part of flags
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_SPACES = re.compile(r"\s+")
_LONGEST_CHARACTER = 32


def clean(text: str) -> str:
    """Return text without control characters, overrides of direction and lone surrogates."""
    if text.isascii() and text.isprintable():
        return text
    return _SURROGATE.sub("\ufffd", _UNSEEN.sub("", text))


def shorten(text: str, limit: int) -> str:
    """Return the clean text; of more than `limit` characters the first, and how many are missing."""
    if len(text) <= limit:
        return clean(text)
    end = break_before(text, limit)
    return f"{clean(text[:end])}… ({counted(len(text) - end, 'more character')})"


def one_line(text: str, limit: int) -> str:
    """Return what `shorten` does, all in one line."""
    return _SPACES.sub(" ", shorten(text, limit)).strip()


def fitted(text: str, limit: int, escape: Callable[[str], str] = str) -> str:
    """Return a value shortened, then escaped, in at most `limit` UTF-16 units all told; `limit` is 60 or more."""
    keep = limit
    while (length := units(words := escape(shorten(text, keep)))) > limit and keep:
        keep = keep * limit // length
    return words


def fitted_line(text: str, limit: int, escape: Callable[[str], str] = str) -> str:
    """Return what `fitted` does, all in one line."""
    return fitted(text, limit, lambda words: escape(_SPACES.sub(" ", words).strip()))


def units(text: str) -> int:
    """Return the length as UTF-16 counts it: what lies beyond the first plane, most emoji, counts twice."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def first_units(text: str, limit: int) -> str:
    """Return as much of text as takes `limit` UTF-16 units at most, and parts no character."""
    head = text[: max(limit, 0)]
    while (over := units(head) - limit) > 0 and head:
        head = head[: -((over + 1) // 2)]
    return text[: break_before(text, len(head))]


def break_before(text: str, end: int) -> int:
    """Return the last place up to `end` that parts no character from its accents, joiners and modifiers."""
    place = end
    while 0 < place < len(text) and place > end - _LONGEST_CHARACTER and _joined(text[place - 1], text[place]):
        place -= 1
    return place


def _joined(left: str, right: str) -> bool:
    return (
        "\u200d" in (left, right)
        or "\U0001f3fb" <= right <= "\U0001f3ff"  # skin tones
        or "\U0001f1e6" <= right <= "\U0001f1ff"  # the letters of flags
        or "\U000e0020" <= right <= "\U000e007f"  # the tags of regional flags
        or unicodedata.category(right).startswith("M")
    )
