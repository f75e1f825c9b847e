"""Hours in which people are left alone, by the clock on their wall."""

import re
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_CLOCK = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")

DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _clock(value: Any) -> time:
    if not isinstance(value, str) or not _CLOCK.fullmatch(value):
        raise ValueError('a time of day is hours and minutes, such as "22:00"')
    return time.fromisoformat(value)


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("a timezone is a name such as Europe/Berlin, Asia/Kolkata or UTC") from None
    return name


Clock = Annotated[
    time, BeforeValidator(_clock), PlainSerializer(lambda at: f"{at:%H:%M}", return_type=str, when_used="json")
]
"""A time of day, read from `22:00` and written back as such."""


class Quiet(BaseModel):
    """Hours in which a route sends nothing: what comes then waits until they are over.

    From `start` to `end` in `timezone`, past midnight where `end` is not later; beginning on each of `days`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: Clock
    end: Clock
    timezone: Annotated[str, AfterValidator(_zone)]
    days: Annotated[tuple[Day, ...], Field(min_length=1)] = DAYS

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        if self.start == self.end and set(self.days) == set(DAYS):
            raise ValueError("quiet hours that never end: pause the target, or name other hours")
        return self

    def until(self, moment: datetime) -> datetime | None:
        """Return when the quiet hours that hold at a moment are over, in UTC; `None` where none hold."""
        zone = ZoneInfo(self.timezone)
        until, ends = moment, None
        # One day's hours may end where the next day's begin.
        for _ in range(len(DAYS) + 1):
            ends = self._end_of_those_at(until, zone)
            if ends is None:
                break
            until = ends
        return None if until == moment else until

    def _end_of_those_at(self, moment: datetime, zone: ZoneInfo) -> datetime | None:
        here = moment.astimezone(zone).date()
        for day in (here, here - timedelta(days=1)):
            if DAYS[day.weekday()] not in self.days:
                continue
            began = datetime.combine(day, self.start, zone).astimezone(UTC)
            last = day if self.end > self.start else day + timedelta(days=1)
            ended = datetime.combine(last, self.end, zone).astimezone(UTC)
            if began <= moment < ended:
                return ended
        return None
