"""Judging by status, and reading Retry-After."""

from datetime import UTC, datetime, timedelta

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from relay.domain.judgement import judge_status, retry_after
from relay.domain.retry import RETRY_AFTER_CAP
from relay.domain.target import Delivered, Refused, TryLater

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def reply(status: int, **headers: str) -> requests.Response:
    """A response with this status and these headers."""
    response = requests.Response()
    response.status_code = status
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return response


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30", 30),
        (" 1.5 ", 1.5),
        ("Sun, 01 Mar 2026 12:00:40 GMT", 40),
        ("Sunday, 01-Mar-26 12:00:40 GMT", 40),
        ("999999999999", RETRY_AFTER_CAP.total_seconds()),
        ("Sun, 01 Mar 2099 12:00:40 GMT", RETRY_AFTER_CAP.total_seconds()),
    ],
)
def test_a_wait_is_seconds_or_a_date(value: str, seconds: float) -> None:
    """Both forms of RFC 9110 are read, and neither beyond the cap."""
    assert retry_after(value, NOW) == NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "value", [None, "", "0", "-5", "soon", "٣", "1e9", "Sun, 01 Mar 2020 12:00:40 GMT", "9" * 5000]
)
def test_a_wait_that_is_none_is_ignored(value: str | None) -> None:
    """A missing, past or unreadable value sets no floor."""
    assert retry_after(value, NOW) is None


@given(st.text(max_size=80) | st.from_regex(r"\w{3}, \d+ \w{3} \d+ \d+:\d+:\d+ [+-]\d+", fullmatch=True))
def test_nonsense_never_raises(value: str) -> None:
    """Whatever a receiver writes, the answer is a moment within the cap or none."""
    moment = retry_after(value, NOW)
    assert moment is None or NOW < moment <= NOW + RETRY_AFTER_CAP


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503, 599, 0, 100, 999])
def test_what_may_pass_is_tried_later(status: int) -> None:
    """Throttling, server errors and statuses that are none are tried again, not before Retry-After."""
    outcome = judge_status(reply(status, retry_after="7"), NOW)
    assert isinstance(outcome, TryLater)
    assert outcome.not_before == NOW + timedelta(seconds=7)


@pytest.mark.parametrize("status", [301, 307, 400, 401, 403, 404, 413, 422])
def test_what_never_passes_is_refused(status: int) -> None:
    """Redirects and client errors are final, and say their status."""
    outcome = judge_status(reply(status), NOW)
    assert isinstance(outcome, Refused)
    assert str(status) in outcome.reason
    assert not outcome.gone


def test_gone_pauses_and_success_is_success() -> None:
    """410 says the address is closed; any 2xx is taken."""
    assert judge_status(reply(410), NOW) == Refused("410 Gone", gone=True)
    assert {judge_status(reply(status), NOW) for status in (200, 202, 204, 299)} == {Delivered()}
