"""Values made harmless for Google Chat.

Chat's markup has no escape (Google Chat docs, "Format messages"): what could be markup in a value becomes a character
that looks like it. Cards read a subset of HTML, which has one.
"""

from html import escape as escape_html

from relay.domain.markup import look_alike, no_brackets
from relay.domain.style import Style, in_angles, in_backticks
from relay.domain.text import one_line, shorten
from relay.targets.google_chat.layout import CARDS


def escape(text: str) -> str:
    """Return a value that neither mentions, links nor formats, wherever it stands in a message's text."""
    return no_brackets(look_alike(text))


def mention(name: str) -> str:
    """Return the mention of a user by their id, or of `all`."""
    return f"<users/{name.removeprefix('users/')}>"


STYLE = Style(in_angles, lambda words: f"*{words}*", in_backticks, mention, CARDS)
"""How Chat's own markup is written in a message's text."""


def line(text: str, limit: int) -> str:
    """Return one line for a header or a label. Whether those read HTML is not said: it is safe either way."""
    return no_brackets(one_line(text, limit))


def html(text: str, limit: int) -> str:
    """Return a value as card text; it is cut before it is escaped, so never inside an entity."""
    return escape_html(shorten(text, limit), quote=False)
