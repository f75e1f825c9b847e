"""`dedupe`: the expression whose value tells a repeat."""

from datetime import UTC, datetime
from typing import Any

import pytest

from relay.domain.event import Event, encode
from relay.errors import InvalidConfiguration
from relay.pipeline.conditions import Facts, Identity
from relay.pipeline.configure.check import check
from relay.pipeline.configure.document import parse
from relay.pipeline.rendering import compile_route
from relay.plugins import discover

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def identity(expression: str, data: Any) -> str | None:
    """Return what an expression makes of an event that carries this data."""
    return Identity(expression).of(Facts(Event("1", "till", "paid", NOW, NOW, encode(data))))


@pytest.mark.parametrize(
    ("expression", "data", "expected"),
    [
        ("data.id", {"id": "a-1"}, "a-1"),
        ("data.id", {"id": 7}, "7"),
        ("data.id", {"id": "é"}, "é"),
        ("event.type + ':' + string(data.id)", {"id": 7}, "paid:7"),
        ("data.id", {"id": ""}, None),
        ("data.id", {"id": None}, None),
        ("data.id", {"id": ["a"]}, None),
        ("data.id", {}, None),
        ("data.id", [], None),
        ("data.id", "text", None),
        ("data.a.b.c", {"a": 1}, None),
    ],
)
def test_text_and_numbers_tell_a_repeat(expression: str, data: Any, expected: str | None) -> None:
    """What is text or a number tells events apart; whatever else comes of the expression says nothing."""
    assert identity(expression, data) == expected


@pytest.mark.parametrize(
    ("expression", "words"),
    [("data.id ==", "line 1"), ("[data.id]", "list"), ("unknown.id", "unknown"), ("", "at least")],
)
def test_a_wrong_expression_is_told_with_its_line(expression: str, words: str) -> None:
    """`relay check` names file, line and key of an expression that does not compile, or can tell nothing."""
    text = f'[[sources]]\nname = "till"\nverify = "none"\ndedupe = "{expression}"\n'
    with pytest.raises(InvalidConfiguration) as error:
        check(parse(text, "relay.toml"), discover(), compile_route)
    (problem,) = error.value.problems
    assert (problem.file, problem.line, problem.key) == ("relay.toml", 4, "sources[0].dedupe")
    assert words in problem.message
