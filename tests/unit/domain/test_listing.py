"""Filters as people write them."""

from datetime import UTC, datetime

import pytest

from relay.domain.listing import filters_of
from relay.errors import UsageError


def test_a_time_without_a_zone_is_utc() -> None:
    """A time is taken in the zone it names; in UTC where it names none."""
    nine = datetime(2026, 1, 31, 9, tzinfo=UTC)
    assert filters_of({"since": "2026-01-31T09:00:00"}) == {"since": nine}
    assert filters_of({"since": "2026-01-31T14:30:00+05:30"}) == {"since": nine}


@pytest.mark.parametrize("time", ["yesterday", "999999999d", "9" * 40 + "d", "0001-01-01T00:00:00+14:00"])
def test_a_time_that_cannot_be_reckoned_with_is_refused(time: str) -> None:
    """What is no time, or one before all others, is a wrong filter and no fault of the relay's."""
    with pytest.raises(UsageError, match="until: a time such as"):
        filters_of({"until": time})


@pytest.mark.parametrize("name", ["q", "subject", "target"])
@pytest.mark.parametrize("given", ["orders/\0", "orders/\udcff"])
def test_what_no_database_takes_is_refused(name: str, given: str) -> None:
    """A filter is text: no NUL, and none of the bytes that a command line may hold beside text."""
    with pytest.raises(UsageError, match="a filter is text"):
        filters_of({name: given})


@pytest.mark.parametrize("name", ["source", "type"])
def test_globs_are_bounded(name: str) -> None:
    """A glob that no type could be as long as is refused before any database has to read it."""
    assert filters_of({name: "?" * 1000})
    with pytest.raises(UsageError, match=f"{name}: a glob of at most 1000"):
        filters_of({name: "?" * 1001})
