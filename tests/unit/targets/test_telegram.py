"""Telegram: HTML stays well-formed wherever it is cut, and what is broken is shown as it stands."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from relay.domain.text import units
from relay.plugins import discover
from relay.targets.telegram.html import cut_html, escape
from tests.support.chats import telegram

PIECES = (
    "<b>",
    "</b>",
    "<i>",
    "</i>",
    '<a href="https://x.example/?a=1&amp;b=2">',
    "</a>",
    "&lt;",
    "&",
    "word ",
    "😀",
    "<pre>",
)


def options(**fields: Any) -> Any:
    """Options of a target with these fields."""
    kind = discover().targets["telegram"]
    return kind.Options.model_validate({"name": "t", "kind": "telegram", **telegram.OPTIONS, **fields})


@given(st.lists(st.sampled_from(PIECES), max_size=60).map("".join), st.integers(80, 400))
def test_html_is_well_formed_or_refused(text: str, limit: int) -> None:
    """What is kept of HTML closes every tag, within the limit; broken HTML is told apart, a short text stays."""
    cut = cut_html(text, limit)
    if cut is None:
        with pytest.raises((AssertionError, IndexError)):
            telegram.Markup().shown(text)
        return
    assert units(cut) <= limit
    telegram.Markup().shown(cut)
    assert cut == text or cut.endswith(" more characters")


@pytest.mark.parametrize(
    "text",
    ["<b>", "</b>", "<b></i></b>", "a < b", "<script>x</script>", "<a>x</a>", "<!-- x -->", "<b" * 99, "<u>" * 17],
)
def test_what_telegram_would_refuse_is_told_apart(text: str) -> None:
    """Unknown, unclosed and crossed tags are broken markup, and so is what is nested without end."""
    assert cut_html(text, 4_096) is None


def test_a_value_cannot_leave_an_attribute() -> None:
    """Quotes are escaped too: a value may stand in the address of a link."""
    assert escape("\"><b>'@all") == "&quot;&gt;&lt;b&gt;&#x27;＠all"


@pytest.mark.parametrize(
    "wrong",
    [
        {"token": "hidden-key"},
        {"token": "x:hidden-key-0123456789abcdefghij"},
        {"chat_id": "room"},
        {"chat_id": True},
        {"thread_id": 0},
    ],
)
def test_options_are_checked(wrong: dict[str, Any]) -> None:
    """A token, chat or topic that cannot be one is refused, and the error does not show the token."""
    with pytest.raises(ValidationError) as refused:
        options(**wrong)
    assert "hidden-key" not in str(refused.value)


def test_a_chat_is_named_by_number_or_name() -> None:
    """A chat's number may be written as such; chats of a bot have a quota each."""
    kind = discover().targets["telegram"]
    paces = [kind(options(chat_id=chat)).pace for chat in (-100123, "-100123", "@channel")]
    assert paces[0] == paces[1] != paces[2]
