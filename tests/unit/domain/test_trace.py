"""What a `traceparent` is, and what is none."""

from typing import Any

import pytest

from relay.domain.trace import traceparent

GOOD = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_traceparent_is_passed_on():
    """It stays as it is; of a later version's, the part that every version has."""
    assert traceparent(GOOD) == GOOD
    assert traceparent(f"cc{GOOD[2:]}-what-comes-later") == GOOD


@pytest.mark.parametrize(
    "value",
    [
        *(
            None,
            7,
            "",
            "ff" + GOOD[2:],
            GOOD.upper(),
            GOOD[:-1],
            f"{GOOD}-more",
            f" {GOOD}",
            f"{GOOD}\n",
            f"cc{GOOD[2:]}x",
        ),
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01",
    ],
)
def test_what_is_none(value: Any):
    """What W3C does not call one is not passed on."""
    assert traceparent(value) is None
