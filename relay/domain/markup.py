"""Marks in text: values that cannot be taken for them, and cuts through text that do not break them."""

import re
from dataclasses import dataclass

from relay.domain.text import clean, first_units, units
from relay.domain.words import counted

_NOTE_ROOM = len("\n```**__~~||*_`\n… 1,000,000,000 more characters")
_LONGEST_LINK = 2048

_LIKE_MARKS = str.maketrans({"*": "∗", "~": "∼", "`": "ˋ"})
_LOOSE_UNDERSCORE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")

_MENTION = re.compile(r"(?<![^\W_])@")
_LIKE_BRACKETS = str.maketrans({"<": "‹", ">": "›"})

# Inside code, where a value may stand, a backslash escapes no backtick: that one becomes another character.
_LIKE_BACKTICK = str.maketrans({"`": "ˋ"})
_INLINE = re.compile(rf"[\\*~\[\]<|]|{_LOOSE_UNDERSCORE.pattern}")
_BLOCK = re.compile(r"^([ \t]*(?:\d{1,9}(?=[.)]))?)([#>=.)]|[-+](?!\w))", re.MULTILINE)


def look_alike(text: str) -> str:
    """Return clean text whose marks are characters that look like them, for markup that has no escape.

    An underscore inside a word is no mark: `order_id` stays as it is.
    """
    return _LOOSE_UNDERSCORE.sub("ˍ", clean(text).translate(_LIKE_MARKS))


def no_brackets(text: str) -> str:
    """Return text whose angle brackets are characters that look like them."""
    return text.translate(_LIKE_BRACKETS)


def no_mention(text: str) -> str:
    """Return text in which no `@` can begin a mention; that of an address, as in `ana@example.com`, stays."""
    return _MENTION.sub("＠", text)


def escape_markdown(text: str) -> str:
    """Return clean text that Markdown shows as it is: no emphasis, link, image, table, heading, list or quote."""
    words = _INLINE.sub(r"\\\g<0>", clean(text).translate(_LIKE_BACKTICK))
    return _BLOCK.sub(r"\1\\\2", words)


def markdown_link(words: str, url: str) -> str:
    """Return a link in Markdown; `url` is what `web_link` returned."""
    return f"[{words}]({url.replace('(', '%28').replace(')', '%29')})"


@dataclass(frozen=True, slots=True)
class Markup:
    """What a cut has to know of a markup: what it must not part, and the `marks` that stay open until repeated."""

    whole: re.Pattern[str]
    marks: re.Pattern[str]

    def cut(self, text: str, limit: int) -> str:
        """Return text in at most `limit` UTF-16 units; marks that are open at the cut are closed."""
        if units(text) <= limit:
            return text
        end = len(first_units(text, limit - _NOTE_ROOM))
        head = text[: self._before_whole(text, end)].rstrip()
        return f"{head}{self._closing(head)}\n… {counted(len(text) - len(head), 'more character')}"

    def _before_whole(self, text: str, end: int) -> int:
        for match in self.whole.finditer(text, 0, end + _LONGEST_LINK):
            if match.end() > end:
                return min(match.start(), end)
        return end

    def _closing(self, head: str) -> str:
        """Return the marks that close what is open at the end: a block of code, or marks on the last line."""
        if head.count("```") % 2:
            return "\n```"
        marks = [mark for mark in self.marks.findall(head, head.rfind("\n") + 1) if mark]
        opened = [mark for mark in dict.fromkeys(reversed(marks)) if marks.count(mark) % 2]
        return "".join(opened)


PLAIN = Markup(whole=re.compile("(?!)"), marks=re.compile("(?!)"))
"""No marks at all."""

ANGLES = Markup(
    whole=re.compile(r"<[^<>]{0,2048}>?|&\w{2,5};|```"),
    marks=re.compile(r"((?<![^\W_])[*_~`]|[*_~`](?![^\W_]))"),
)
"""Single marks around words, and links in angle brackets: Google Chat and Slack."""

MARKDOWN = Markup(
    whole=re.compile(r"\\.|\[[^\[\]\n]{0,500}\](?:\([^()\s]{0,2048}\)?)?|<[^<>\s]{0,2048}>?|([*_~|`])\1{1,2}"),
    marks=re.compile(r"\\.|(\*\*|__|~~|\|\||(?<![^\W_])[*_`]|[*_`](?![^\W_]))"),
)
"""Markdown, as Discord, Mattermost and Teams read it."""
