"""Marks in text: values stay readable, cuts stay out of links, escapes and characters."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.domain.markup import ANGLES, MARKDOWN, escape_markdown, markdown_link, no_mention
from relay.domain.replies import keys_in, member, safe_words, wait_until
from relay.domain.retry import RETRY_AFTER_CAP
from relay.domain.text import clean, first_units, fitted, units

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_words_stay_readable_in_markdown() -> None:
    """Escaping leaves names, sums and addresses as they are."""
    plain = (
        "order_id 42 https://shop.example.com/a_b?c=d_e&f -1.50 € 50% #1 ana@example.com (x) 漢字 👍🏽 a - b + c = d"
    )
    assert no_mention(escape_markdown(plain)) == plain
    assert escape_markdown("- a\n1. b\n# c") == "\\- a\n1\\. b\n\\# c"
    assert no_mention("@all (@ana) ana@example.com") == "＠all (＠ana) ana@example.com"


def test_a_link_cannot_be_closed_by_its_address() -> None:
    """Parentheses in an address are encoded."""
    assert markdown_link("Open", "https://x.example/(a)") == "[Open](https://x.example/%28a%29)"


@pytest.mark.parametrize(
    "piece", ["[a link](https://x.example/) ", "\\* ", "<https://x.example/> ", "**b** ", "||s|| "]
)
def test_markdown_is_cut_between_its_pieces(piece: str) -> None:
    """A cut parts neither links nor escapes, and closes what is open."""
    for limit in range(200, 240):
        head = MARKDOWN.cut(piece * 500, limit).rpartition("\n… ")[0]
        assert head.count("[") == head.count(")")
        assert head.count("<") == head.count(">")
        assert head.count("**") % 2 == head.count("||") % 2 == 0
        assert not head.endswith("\\")


@given(st.text(), st.integers(100, 5_000))
def test_a_cut_keeps_to_its_limit(text: str, limit: int) -> None:
    """Whatever the text, the result is no longer than the limit."""
    for markup in (ANGLES, MARKDOWN):
        assert units(markup.cut(clean(text * 20), limit)) <= limit


@given(st.text(), st.integers(60, 500))
def test_a_value_fits_once_it_is_escaped(text: str, limit: int) -> None:
    """Escapes count: what they add is taken from the value, and what is missing is counted."""
    words = fitted(text * 50, limit, escape_markdown)
    assert units(words) <= limit
    assert words == escape_markdown(text * 50) or "more character" in words


@given(st.text(alphabet="aé😀\u0301\u200d"), st.integers(0, 20))
def test_the_first_units_are_a_beginning(text: str, limit: int) -> None:
    """What is kept is a beginning of the text, and no longer than asked."""
    head = first_units(text, limit)
    assert text.startswith(head)
    assert units(head) <= limit


def test_a_remote_says_nothing_secret() -> None:
    """Addresses and secrets are taken out of a remote's words; what is no text says nothing."""
    keys = keys_in("https://x.example/hooks/0123-secret-key/send?key=hidden-key&a=1")
    assert safe_words("bad hidden-key 0123-secret-key\nsee https://x.example/?key=1", keys) == "bad *** *** see [URL]"
    assert safe_words({"a": 1}, keys) == safe_words(None, keys) == ""
    assert member({"a": {"b": 1}}, "a", "b") == 1
    assert member([], "a") is member({"a": 1}, "a", "b") is None


@pytest.mark.parametrize("seconds", [None, "5", 0, -1, float("nan"), float("inf"), [], {}])
def test_a_wait_that_is_no_number_is_none(seconds: object) -> None:
    """Nonsense asks for no wait."""
    assert wait_until(seconds, NOW) is None


def test_a_wait_is_bounded() -> None:
    """A remote may ask for parts of a second, and for no more than the longest patience."""
    assert wait_until(0.25, NOW) == NOW + timedelta(seconds=0.25)
    assert wait_until(10**400, NOW) == NOW + RETRY_AFTER_CAP
