"""Quiet hours: by the clock on the wall, past midnight, through the changes of summer time."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from relay.domain.quiet import DAYS, Quiet


def quiet(start: str, end: str, timezone: str = "UTC", **fields: Any) -> Quiet:
    """Quiet hours as relay.toml says them."""
    return Quiet.model_validate({"start": start, "end": end, "timezone": timezone} | fields)


def at(text: str) -> datetime:
    """A moment."""
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("moment", "until"),
    [
        ("2026-03-02T21:59:59+00:00", None),
        ("2026-03-02T22:00:00+00:00", "2026-03-03T07:00:00+00:00"),
        ("2026-03-03T06:59:59+00:00", "2026-03-03T07:00:00+00:00"),
        ("2026-03-03T07:00:00+00:00", None),
    ],
)
def test_a_night_goes_past_midnight(moment: str, until: str | None) -> None:
    """From the evening to the morning after, the first moment counts and the last does not."""
    assert quiet("22:00", "07:00").until(at(moment)) == (at(until) if until else None)


def test_hours_are_those_of_the_place() -> None:
    """Ten in the evening in Kolkata is half past four in the afternoon in London."""
    assert quiet("22:00", "07:00", "Asia/Kolkata").until(at("2026-03-02T16:30:00+00:00")) == at(
        "2026-03-03T01:30:00+00:00"
    )


def test_a_weekend_is_one() -> None:
    """Hours that end where those of the next day begin are one time of quiet."""
    weekend = quiet("00:00", "00:00", days=["sat", "sun"])
    assert weekend.until(at("2026-03-06T23:59:00+00:00")) is None
    assert weekend.until(at("2026-03-07T10:00:00+00:00")) == at("2026-03-09T00:00:00+00:00")


def test_days_are_those_on_which_it_begins() -> None:
    """Friday's night lasts into Saturday; Saturday has none of its own."""
    fridays = quiet("22:00", "06:00", days=["fri"])
    assert fridays.until(at("2026-03-07T05:00:00+00:00")) == at("2026-03-07T06:00:00+00:00")
    assert fridays.until(at("2026-03-07T23:00:00+00:00")) is None


def test_summer_time_moves_the_end() -> None:
    """The night in which clocks go forward ends at seven by the new time."""
    night = quiet("22:00", "07:00", "Europe/Berlin")
    assert night.until(at("2026-03-28T22:00:00+00:00")) == at("2026-03-29T05:00:00+00:00")


@given(
    moment=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001  made aware below
    hours=st.tuples(st.integers(0, 23), st.integers(0, 23)).filter(lambda both: both[0] != both[1]),
    days=st.lists(st.sampled_from(DAYS), min_size=1, unique=True),
)
def test_quiet_ends(moment: datetime, hours: tuple[int, int], days: list[str]) -> None:
    """Whatever the hours, they end within eight days, at a moment that is not quiet itself."""
    start, end = (f"{hour:02}:30" for hour in hours)
    hours_of = quiet(start, end, "America/New_York", days=days)
    now = moment.replace(tzinfo=UTC)
    until = hours_of.until(now)
    if until is not None:
        assert now < until <= now + timedelta(days=8)
        assert hours_of.until(until) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"start": "22", "end": "07:00", "timezone": "UTC"},
        {"start": "24:00", "end": "07:00", "timezone": "UTC"},
        {"start": "22:00", "end": "07:00", "timezone": "Europe/Nowhere"},
        {"start": "22:00", "end": "07:00", "timezone": "../../etc/passwd"},
        {"start": "22:00", "end": "07:00"},
        {"start": "22:00", "end": "22:00", "timezone": "UTC"},
        {"start": "22:00", "end": "07:00", "timezone": "UTC", "days": []},
        {"start": "22:00", "end": "07:00", "timezone": "UTC", "days": ["monday"]},
    ],
)
def test_nonsense_is_refused(fields: dict[str, Any]) -> None:
    """What is no time, no place, no day, or never ends is said to be so."""
    with pytest.raises(ValidationError):
        Quiet.model_validate(fields)
