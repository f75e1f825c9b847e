"""Values and counts in words."""

import pytest

from relay.domain.text import shorten
from relay.domain.words import counted


@pytest.mark.parametrize(
    ("number", "words", "said"),
    [
        (0, ("target",), "0 targets"),
        (1, ("target",), "1 target"),
        (1_200, ("target",), "1,200 targets"),
        (1, ("delivery waits", "deliveries wait"), "1 delivery waits"),
        (2, ("delivery waits", "deliveries wait"), "2 deliveries wait"),
    ],
)
def test_counts_are_said_as_people_say_them(number: int, words: tuple[str, ...], said: str) -> None:
    """One is one of a kind, everything else is several."""
    assert counted(number, *words) == said


def test_one_character_is_no_characters() -> None:
    """A cut text says how much is missing, be it one character."""
    assert shorten("abcd", 3) == "abc… (1 more character)"
    assert shorten("abcde", 3) == "abc… (2 more characters)"
