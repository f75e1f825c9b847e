"""Telegram's HTML: what of it is well-formed, and cuts through it that leave it so.

Telegram refuses a message whose markup is broken, all of it (Telegram Bot API, "HTML style").
"""

import re
from html import escape as escape_html

from relay.domain.markup import no_mention
from relay.domain.style import Style
from relay.domain.text import clean, first_units, units
from relay.domain.words import counted

_OPENING = "|".join(
    (
        r"a\s+href=(?:\"[^\"<>]+\"|'[^'<>]+')",
        r"span\s+class=[\"']tg-spoiler[\"']",
        r"code(?:\s+class=[\"']language-[\w+#-]+[\"'])?",
        r"blockquote(?:\s+expandable)?",
        r"tg-emoji\s+emoji-id=[\"']\d+[\"']",
        "b|strong|i|em|u|ins|s|strike|del|tg-spoiler|pre",
    )
)
_TOKEN = re.compile(rf"<(?P<opens>{_OPENING})\s*>|</(?P<closes>[a-z-]+)\s*>|&(?:[a-z]{{2,4}}|#\w{{1,8}});|&|[^<&]+")
_NAME = re.compile(r"[a-z-]+")
_DEEPEST = 16
_NOTE_ROOM = len("\n… 1,000,000,000 more characters")

Tags = tuple[str, ...]


def escape(value: str) -> str:
    """Return a value that neither mentions, links nor formats, inside an attribute neither."""
    return escape_html(no_mention(clean(value)))


def _code(text: str) -> str:
    tag = "pre" if "\n" in text else "code"
    return f"<{tag}>{escape_html(text)}</{tag}>" if text.strip() else ""


STYLE = Style(
    lambda words, url: f'<a href="{escape_html(url)}">{words or escape_html(url)}</a>',
    lambda words: f"<b>{words}</b>",
    _code,
    lambda name: f"@{name.removeprefix('@')}",
)
"""How Telegram's HTML is written."""


def cut_html(text: str, limit: int) -> str | None:
    """Return HTML in at most `limit` UTF-16 units, its tags closed at the cut; `None` if Telegram would refuse it."""
    pieces = _pieces(text)
    if pieces is None or units(text) <= limit:
        return text if pieces is not None else None
    kept, opened, room = "", Tags(), limit - _NOTE_ROOM
    for piece, after in pieces:
        spare = room - units(kept) - max(len(_closing(opened)), len(_closing(after)))
        if units(piece) > spare:
            kept += "" if piece[0] in "<&" else first_units(piece, spare)
            break
        kept, opened = kept + piece, after
    return f"{kept.rstrip()}{_closing(opened)}\n… {counted(len(text) - len(kept), 'more character')}"


def _pieces(text: str) -> list[tuple[str, Tags]] | None:
    """Return tags, entities and what stands between, each with the tags open behind it; `None` for broken markup."""
    pieces, opened, at = [], Tags(), 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            return None
        if token["opens"]:
            name = _NAME.match(token["opens"])
            opened = (*opened, name[0] if name else "")
        elif token["closes"]:
            if opened[-1:] != (token["closes"],):
                return None
            opened = opened[:-1]
        if len(opened) > _DEEPEST:
            return None
        pieces.append((token[0], opened))
        at = token.end()
    return None if opened else pieces


def _closing(opened: Tags) -> str:
    return "".join(f"</{name}>" for name in reversed(opened))
