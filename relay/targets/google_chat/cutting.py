"""Cuts through text that stay out of markup and characters, and say how much is missing."""

import re
import unicodedata

_NOTE_ROOM = len("````*_~\n… 1,000,000,000 more characters")
_LONGEST_LINK = 2048
_LONGEST_CHARACTER = 32
_MARK = re.compile(r"(?<![^\W_])[*_~`]|[*_~`](?![^\W_])")


def cut_message(text: str, limit: int) -> str:
    """Return the text of a message in at most `limit` UTF-16 units; markup that is open at the cut is closed."""
    if units(text) <= limit:
        return text
    head = text[: limit - _NOTE_ROOM]
    while (over := units(head) - (limit - _NOTE_ROOM)) > 0:
        head = head[: -((over + 1) // 2)]
    head = _without_open_link(text[: break_before(text, len(head))]).rstrip()
    return f"{head}{_closing(head)}\n… {len(text) - len(head):,} more characters"


def units(text: str) -> int:
    """Return the length as UTF-16 counts it: what lies beyond the first plane, most emoji, counts twice."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


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


def _without_open_link(head: str) -> str:
    start = head.rfind("<", max(len(head) - _LONGEST_LINK, 0))
    return head[:start] if start > head.rfind(">") else head


def _closing(head: str) -> str:
    """Return the marks that close what is open at the end: a block of code, or marks on the last line."""
    if head.count("```") % 2:
        return "\n```"
    marks = _MARK.findall(head, head.rfind("\n") + 1)
    opened = [mark for mark in dict.fromkeys(reversed(marks)) if marks.count(mark) % 2]
    return "".join(opened)
