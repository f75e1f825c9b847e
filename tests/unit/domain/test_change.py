"""What an event says of a changed row, and values in words."""

from typing import Any

import pytest

from relay.domain.change import Change, headline
from relay.domain.words import shown


@pytest.mark.parametrize(
    ("event_type", "subject", "words"),
    [
        ("orders.updated", "orders/42", "Order 42 updated"),
        ("order_lines.created", "order_lines/7,8", "Order line 7,8 created"),
        ("public.companies.deleted", "companies/a/b", "Company a/b deleted"),
        ("addresses.updated", None, "Address updated"),
        ("status.updated", "status/1", "Status 1 updated"),
        ("boxes.created", "boxes/1", "Box 1 created"),
        ("updated", "x/1", "1 updated"),
    ],
)
def test_a_change_has_a_headline(event_type: str, subject: str | None, words: str) -> None:
    """Table, key and verb read as people say them."""
    assert headline(event_type, subject) == words


def test_a_change_is_told_by_its_shape() -> None:
    """Before, after and the changed columns make a change; who did it comes from `meta`."""
    data = {"before": None, "after": {"id": 1}, "changed": ["id", 3], "meta": {"actor": "ana"}}
    assert Change.of(data) == Change(None, {"id": 1}, ("id",), "ana")


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        "before after changed",
        {"before": {}, "after": {}},
        {"before": None, "after": None, "changed": []},
        {"before": 1, "after": {}, "changed": []},
        {"before": {}, "after": {}, "changed": "id"},
    ],
)
def test_other_data_is_no_change(data: Any) -> None:
    """Data of any other shape is shown as it is."""
    assert Change.of(data) is None


@pytest.mark.parametrize("meta", [None, 1, [], {}, {"actor": None}, {"actor": ""}, {"actor": ["ana"]}])
def test_nobody_did_it_when_meta_does_not_say(meta: Any) -> None:
    """A missing or odd actor is none."""
    change = Change.of({"before": None, "after": {}, "changed": [], "meta": meta})
    assert change is not None
    assert change.actor is None


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "—"),
        ("", '""'),
        ("a b", "a b"),
        (True, "true"),
        (3, "3"),
        (1.5, "1.5"),
        ({"ä": [1, None]}, '{"ä": [1, null]}'),
    ],
)
def test_values_in_words(value: Any, words: str) -> None:
    """Values read as in JSON, text as it is; null and nothing can be told apart."""
    assert shown(value) == words


def test_a_value_nested_beyond_reason_is_three_dots() -> None:
    """Depth that cannot be written is not worth failing for."""
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    assert shown(deep) == "…"
