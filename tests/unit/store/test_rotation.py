"""Which secrets go on signing after they were replaced."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from relay.domain.target import OVERLAP, Former
from relay.store.rotation import retire

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EARLIER = NOW - timedelta(hours=2)


@pytest.mark.parametrize(
    ("before", "after", "former", "expected"),
    [
        ("a", "b", {}, {"a": NOW}),
        (["a"], ["b", "a"], {}, {}),
        (["b", "a"], ["b"], {}, {"a": NOW}),
        ("b", "c", {"a": EARLIER}, {"a": EARLIER, "b": NOW}),
        ("b", "b", {"a": EARLIER}, {"a": EARLIER}),
        ("b", "b", {"a": NOW - OVERLAP}, {}),
        ("b", "a", {"a": EARLIER}, {"b": NOW}),
        ("b", None, {"a": EARLIER}, {}),
        (None, "b", {}, {}),
    ],
)
def test_what_is_replaced_signs_on(
    before: object, after: object, former: dict[str, datetime], expected: dict[str, datetime]
) -> None:
    """A secret that is no longer configured signs for a day; one that comes back is none; without any, none signs."""
    known = tuple(Former(SecretStr(secret), at) for secret, at in former.items())
    found = retire({"secret": before}, {"secret": after}, known, NOW)
    assert {one.secret.get_secret_value(): one.replaced_at for one in found} == expected


def test_the_overlap_ends() -> None:
    """A replaced secret signs for a day and not a moment longer."""
    one = Former(SecretStr("a"), NOW)
    assert one.signs(NOW + OVERLAP - timedelta(microseconds=1))
    assert not one.signs(NOW + OVERLAP)
    assert "'a'" not in repr(one)
