"""When to try again. Clock and chance come in as arguments, so every answer can be tested."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StrictFloat,
    StrictInt,
    model_serializer,
    model_validator,
)

from relay.domain.durations import Duration

JITTER = 0.2
"""Delays are spread by this share to both sides, so that what failed together does not return together."""

RETRY_AFTER_CAP = timedelta(hours=24)
"""A receiver may ask for patience, but not for ever."""

FIELD_DEFAULT = ("5s", "5m", "30m", "2h", "5h", "10h", "10h")
"""The delays most webhook senders keep to: seven retries over some 28 hours."""


class Backoff(BaseModel):
    """Exponential delays: `first`, then times `factor`, at most `max`, until `attempts` tries were made."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    first: Duration = 1.0
    factor: Annotated[StrictFloat, Field(ge=1, le=100)] = 2.0
    max: Duration = 3600.0
    attempts: Annotated[StrictInt, Field(ge=1, le=1000)] = 20


class Schedule(BaseModel):
    """The delays before each retry: a list of them, or a `Backoff`. Without any, a failure is final."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    delays: tuple[Duration, ...] = ()
    backoff: Backoff | None = None

    @model_validator(mode="before")
    @classmethod
    def _as_written(cls, value: Any) -> Any:
        """Accept what people write: a bare list of delays, or the fields of a `Backoff`."""
        match value:
            case list() | tuple():
                return {"delays": value}
            case dict() if not ({"delays", "backoff"} & value.keys()):
                return {"backoff": value}
            case _:
                return value

    @model_serializer(mode="wrap")
    def _as_kept(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # No delay at all, left out as a default, would be an empty object: a `Backoff` of defaults is written so.
        return dump(self) if self.delays or self.backoff else {"delays": []}

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.delays and self.backoff:
            raise ValueError("give a list of delays, or first/factor/max/attempts, not both")
        return self

    def delay(self, tries: int) -> float | None:
        """Return the seconds to wait after the try numbered `tries` (from 1) failed; `None` when it was the last."""
        if self.backoff is None:
            return self.delays[tries - 1] if tries <= len(self.delays) else None
        if tries >= self.backoff.attempts:
            return None
        # The exponent is bounded: a float overflows near factor ** 1024.
        grown = self.backoff.first * self.backoff.factor ** min(tries - 1, 60)
        return min(grown, self.backoff.max)


PATIENT = Schedule.model_validate({"first": "1s", "factor": 2, "max": "64s", "attempts": 300})
"""What chats ask for, and for how long: backoff to 64 s, for some five hours. That is longer than a chat is away, and
no longer than news stays news; pacing keeps the tries of all waiting messages within the quota."""


def next_attempt(
    tries: int, schedule: Schedule, now: datetime, jitter: float, not_before: datetime | None = None
) -> datetime | None:
    """Return when to try again after `tries` failures, or `None` when the schedule has run out.

    `jitter` is a number from -1 to 1 that spreads the delay by up to `JITTER`. `not_before` is the receiver's
    `Retry-After`: a floor, at most `RETRY_AFTER_CAP` from now.
    """
    delay = schedule.delay(tries)
    if delay is None:
        return None
    due = now + timedelta(seconds=delay * (1 + JITTER * jitter))
    if not_before is None:
        return due
    return max(due, min(not_before, now + RETRY_AFTER_CAP))
