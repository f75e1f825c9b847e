"""How a kind of target writes what a template marks: links, code, bold words, mentions."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from relay.domain.text import clean

Escape = Callable[[str], str]

_PLACES = str.maketrans({"(": "%28", ")": "%29"})
_NAME = re.compile(r"[A-Za-z0-9_.@/&-]{1,128}")


@dataclass(frozen=True, slots=True)
class JsonText:
    """Escapes a value that stands between the quotes of a JSON template, after `inner` escaped it for its reader."""

    inner: Escape = str

    def __call__(self, value: str) -> str:
        """Return the value, escaped twice: for its reader, and for JSON."""
        return json.dumps(self.inner(value), ensure_ascii=False)[1:-1]


@dataclass(frozen=True, slots=True)
class Cards:
    """How a kind takes a whole card as JSON: `escape` is for values within its texts.

    `check` says what is wrong with a card, `None` where it can be sent.
    """

    escape: Escape
    check: Callable[[Any], str | None]


@dataclass(frozen=True, slots=True)
class Style:
    """The marks of a kind; where it has none, plain words.

    `link` takes words that are escaped and an address that is safe, `bold` words that are escaped, `code` clean text as
    it is, `mention` the name of a person or a room in the kind's own spelling. `cards` is for kinds that take a card.
    """

    link: Callable[[str, str], str] = lambda words, url: f"{words} ({url})"
    bold: Callable[[str], str] = str
    code: Callable[[str], str] | None = None
    mention: Callable[[str], str] = lambda name: f"@{name}"
    cards: Cards | None = None


PLAIN = Style()


def in_angles(words: str, url: str) -> str:
    """Return a link as Google Chat and Slack write it."""
    return f"<{url}|{words}>" if words.strip() else f"<{url}>"


def in_brackets(words: str, url: str) -> str:
    """Return a link in Markdown."""
    return f"[{words.replace(']', '')}]({url.translate(_PLACES)})"


def in_backticks(text: str) -> str:
    """Return text as code, as Google Chat, Slack and Markdown write it: in a line, or in a block of lines."""
    words = clean(text).replace("`", "ˋ")
    return f"```\n{words}\n```" if "\n" in words else f"`{words}`" if words.strip() else ""


def in_markdown(mention: Callable[[str], str] = str) -> Style:
    """Return the marks of Markdown."""
    return Style(in_brackets, lambda words: f"**{words}**", in_backticks, mention)


def named(name: str) -> str:
    """Return the name of somebody to mention. Raises `ValueError` for what could be more than a name."""
    if not _NAME.fullmatch(name):
        raise ValueError("a mention names a person or a room: letters, digits, and _ . @ / & -")
    return name
