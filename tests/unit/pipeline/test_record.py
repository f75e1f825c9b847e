"""Events that the operator records."""

from datetime import UTC, datetime

import pytest

from relay.errors import Unreadable
from relay.pipeline.accept import record

NOW = datetime(2026, 1, 31, 9, tzinfo=UTC)


@pytest.mark.parametrize("source", ["", "s" * 257, "sh\nop"])
def test_a_source_that_no_database_takes_is_refused(source: str) -> None:
    """What every database can store is recorded; the rest is refused in words."""
    assert record("orders.paid", "s" * 256, None, None, NOW).source == "s" * 256
    with pytest.raises(Unreadable, match="the source has 1 to 256"):
        record("orders.paid", source, None, None, NOW)
