"""What is kept of a target's options is what was written."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.domain.target import TargetOptions
from relay.secrets import REVEAL


def kept(options: TargetOptions) -> TargetOptions:
    """Return options as they come back from the store."""
    return TargetOptions.model_validate_json(options.model_dump_json(context=REVEAL, exclude_defaults=True))


@pytest.mark.parametrize("retry", [[], {}, ["10ms"], {"attempts": 1}, {"attempts": 20}, {"first": "90s", "max": "7d"}])
def test_a_retry_schedule_is_kept(retry: Any) -> None:
    """A schedule comes back as it was: none at all stays none."""
    options = TargetOptions(name="billing", kind="http", retry=retry)
    assert kept(options) == options


@given(
    st.integers(1, 3649), st.sampled_from(["ms", "s", "m", "h", "d"]), st.integers(1, 10**9), st.sampled_from("smhd")
)
def test_durations_and_rates_are_kept(length: int, unit: str, count: int, per: str) -> None:
    """Whatever the number, what was accepted can be read again."""
    written = {"retry": [f"{length}.5{unit}"], "rate": f"{count}.25/{per}"}
    options = TargetOptions.model_validate({"name": "billing", "kind": "http", **written})
    again = kept(options)
    assert again.rate == pytest.approx(options.rate)
    assert again.retry.delays == pytest.approx(options.retry.delays)
