"""Values made harmless for Google Chat.

Chat's markup has no escape (Google Chat docs, "Format messages"): what could be markup in a value becomes a character
that looks like it. Cards read a subset of HTML, which has one.
"""

import re
from html import escape as escape_html

from relay.targets.google_chat.cutting import break_before

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, but for tab and line feed
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks, embeddings and overrides of direction
    "\u2028\u2029\ufeff\ufff9-\ufffb"  # separators and marks that editors leave behind
    "\U000e0000-\U000e001f]"  # language tags; those behind them are part of flags
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_SPACES = re.compile(r"\s+")
_LOOSE_UNDERSCORE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
_BRACKETS = {"<": "‹", ">": "›"}
_LIKE_BRACKETS = str.maketrans(_BRACKETS)
_LIKE_MARKUP = str.maketrans({**_BRACKETS, "*": "∗", "~": "∼", "`": "ˋ"})


def clean(text: str) -> str:
    """Return text without control characters, overrides of direction and lone surrogates."""
    if text.isascii() and text.isprintable():
        return text
    return _SURROGATE.sub("\ufffd", _UNSEEN.sub("", text))


def escape(text: str) -> str:
    """Return a value that neither mentions, links nor formats, wherever it stands in a message's text.

    An underscore inside a word is no markup to Chat: `order_id` stays as it is.
    """
    return _LOOSE_UNDERSCORE.sub("ˍ", clean(text).translate(_LIKE_MARKUP))


def shorten(text: str, limit: int) -> str:
    """Return the clean text; of more than `limit` characters the first, and how many are missing."""
    if len(text) <= limit:
        return clean(text)
    end = break_before(text, limit)
    return f"{clean(text[:end])}… ({len(text) - end:,} more characters)"


def line(text: str, limit: int) -> str:
    """Return one line for a header or a label. Whether those read HTML is not said: it is safe either way."""
    return _SPACES.sub(" ", shorten(text, limit)).strip().translate(_LIKE_BRACKETS)


def html(text: str, limit: int) -> str:
    """Return a value as card text; it is cut before it is escaped, so never inside an entity."""
    return escape_html(shorten(text, limit), quote=False)
