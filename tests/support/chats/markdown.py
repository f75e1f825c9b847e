"""What Markdown makes of a text: a parser says what a value became."""

from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token

_PARSER = MarkdownIt("commonmark", {"html": True}).enable(["strikethrough", "table"])
_WORDS = {"paragraph_open", "paragraph_close", "inline", "text", "softbreak", "hardbreak", "text_special", "code_block"}
_OURS = {"strong_open", "strong_close", "em_open", "em_close"}


def inert(text: str) -> None:
    """Fail unless Markdown shows a text as words: indented lines may become a block of code, which is no harm."""
    assert {token.type for token in _tokens(text)} <= _WORDS
    assert "||" not in text


def ours(text: str) -> None:
    """Fail unless a text has no markup but what a card has of its own: emphasis, and links to open it."""
    tokens = list(_tokens(text))
    assert {token.type for token in tokens} <= _WORDS | _OURS | {"link_open", "link_close"}
    for token in tokens:
        assert "evil" not in str(token.attrGet("href") or "")
    assert "||" not in text


def _tokens(text: str) -> Iterator[Token]:
    for token in _PARSER.parse(text):
        yield token
        yield from token.children or ()
