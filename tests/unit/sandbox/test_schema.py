"""The sandbox's schema is Google's, and its reader takes nothing else."""

from pathlib import Path
from typing import Any

import pytest

from relay.web.sandbox.schema import MAX_DEPTH, Reader, schema, snake
from tests.support.sandbox_schema import SCHEMA, generate


def read(message: Any) -> tuple[Any, list[str]]:
    """Return what the reader makes of a message, and its complaints."""
    reader = Reader()
    value = reader.read(message, "Message", "message")
    return value, [violation.description for violation in reader.violations]


def test_schema_is_current() -> None:
    """The schema that ships is what Google's discovery document says, in a form that diffs line by line."""
    assert Path(SCHEMA).read_text("utf-8") == generate()


def test_schema_is_closed() -> None:
    """Every type that a field names is there."""

    def names(kind: Any) -> list[str]:
        return names(kind[0]) if isinstance(kind, list) else [kind] if isinstance(kind, str) else []

    kinds = {name for fields in schema().values() for kind in fields.values() for name in names(kind)}
    assert kinds - schema().keys() == {"string", "boolean", "int32", "int64", "float", "double"}


def test_both_spellings() -> None:
    """A field may be spelt as in JSON or as in protocol buffers; null is as good as unset."""
    value, complaints = read({"cards_v2": [{"card_id": "a"}], "fallbackText": "b", "text": None})
    assert value == {"cardsV2": [{"cardId": "a"}], "fallbackText": "b"}
    assert complaints == []
    assert snake("uncollapsibleWidgetsCount") == "uncollapsible_widgets_count"


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        (
            {"cardsV2": [{"x": 1}]},
            "Invalid JSON payload received. Unknown name \"x\" at 'message.cards_v2[0]': Cannot find field.",
        ),
        ({"accessoryWidgets": []}, "Unknown name \"accessoryWidgets\" at 'message': Cannot find field."),
        ({"text": 5}, "Invalid value at 'message.text' (TYPE_STRING), 5"),
        ({"text": "\ud800"}, "Invalid value at 'message.text' (TYPE_STRING)"),
        ({"text": ["a"]}, "Unknown name \"text\" at 'message': Proto field is not repeating, cannot start list."),
        ({"text": {"a": 1}}, "Invalid value at 'message.text' (TYPE_STRING), Starting an object on a scalar field"),
        ({"cardsV2": {"card": {}}}, "Invalid value at 'message.cards_v2' (a list)"),
        ({"cardsV2": [None]}, "Invalid value at 'message.cards_v2[0]' (CardWithId), null"),
        ({"thread": []}, "Unknown name \"thread\" at 'message': Proto field is not repeating, cannot start list."),
        ({"thread": "a"}, "Invalid value at 'message.thread' (Thread), \"a\""),
        ({"markupSyntax": "HTML"}, "Invalid value at 'message.markup_syntax' (TYPE_ENUM), \"HTML\""),
    ],
)
def test_complaints(message: Any, complaint: str) -> None:
    """What is no field, or not of its type, is named with its path, in Google's words."""
    _, complaints = read(message)
    assert len(complaints) == 1
    assert complaint in complaints[0]


@pytest.mark.parametrize(
    ("field", "value", "fits"),
    [
        ("maxLines", 3, True),
        ("maxLines", "3", True),
        ("maxLines", True, False),
        ("maxLines", 1 << 31, False),
        ("maxLines", 1.5, False),
        ("maxLines", "three", False),
        ("text", "words", True),
    ],
)
def test_numbers(field: str, value: Any, fits: bool) -> None:
    """Integers come as JSON numbers or decimal text, within their bits; booleans are no numbers."""
    reader = Reader()
    reader.read({field: value}, "GoogleAppsCardV1TextParagraph", "widget")
    assert bool(reader.violations) is not fits


def test_all_complaints_come_at_once() -> None:
    """A sender hears of every wrong field, not of the first alone."""
    assert len(read({"a": 1, "b": 2, "text": 3})[1]) == 3


def test_depth_is_bounded() -> None:
    """Cards within cards are read to a depth, then refused; they do not exhaust the stack."""
    card: Any = {}
    for _ in range(MAX_DEPTH):
        card = {"cardActions": [{"onClick": {"card": card}}]}
    _, complaints = read({"cardsV2": [{"card": card}]})
    assert any("Message too deep" in complaint for complaint in complaints)
