"""How a target fares, and when its circuit opens: pure, so that every case has a test."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

WINDOW = timedelta(minutes=5)
SHARE = 0.7
AT_LEAST = 10
IN_A_ROW = 10

OPEN_FIRST = timedelta(seconds=5)
OPEN_MOST = timedelta(minutes=5)
"""An open circuit is probed with one delivery after `OPEN_FIRST`; each failed probe doubles the wait, up to this."""

PROBE = timedelta(seconds=30)
"""How long a probe keeps others from probing too; longer than most targets' timeout."""

GIVE_UP = timedelta(days=5)
"""A target that fails for this long without one success is paused."""


@dataclass(frozen=True, slots=True)
class Health:
    """What is remembered of a target that failed lately.

    `open_until` is set while its circuit is open: until then nothing is sent, or, while `probing`, nothing but the
    probe that is under way. `opened` counts how often it opened since it last closed.
    """

    window_began: datetime
    in_a_row: int = 0
    tried: int = 0
    failed: int = 0
    failing_since: datetime | None = None
    open_until: datetime | None = None
    probing: bool = False
    opened: int = 0

    @property
    def is_open(self) -> bool:
        """Whether nothing is sent but a probe."""
        return self.open_until is not None

    def is_well(self, now: datetime) -> bool:
        """Say whether nothing of this needs to be remembered."""
        forgotten = now - self.window_began > WINDOW or self.failed == 0
        return self.in_a_row == 0 and not self.is_open and forgotten

    def after(self, successes: Iterable[bool], now: datetime) -> "Health":
        """Return the health after attempts, oldest first, of which each was a success or not."""
        health = self
        for success in successes:
            health = _after_success(health, now) if success else _after_failure(health, now)
        return health

    def has_failed_for(self, now: datetime) -> timedelta:
        """Return since how long there was no success."""
        return now - self.failing_since if self.failing_since is not None else timedelta()


def _after_success(health: Health, now: datetime) -> Health:
    if health.is_open:
        # It came through: what was before says nothing of how the target is now.
        return Health(window_began=now)
    window = _window(health, now)
    return replace(window, tried=window.tried + 1, in_a_row=0, failing_since=None)


def _after_failure(health: Health, now: datetime) -> Health:
    if health.is_open:
        # Without a probe under way this left before the circuit opened, and tells nothing new.
        return _opened(health, now) if health.probing else health
    window = _window(health, now)
    after = replace(
        window,
        tried=window.tried + 1,
        failed=window.failed + 1,
        in_a_row=window.in_a_row + 1,
        failing_since=window.failing_since or now,
    )
    too_many = after.tried >= AT_LEAST and after.failed >= SHARE * after.tried
    return _opened(after, now) if too_many or after.in_a_row >= IN_A_ROW else after


def _window(health: Health, now: datetime) -> Health:
    if now - health.window_began <= WINDOW:
        return health
    return replace(health, window_began=now, tried=0, failed=0)


def _opened(health: Health, now: datetime) -> Health:
    wait = min(OPEN_FIRST * 2 ** min(health.opened, 16), OPEN_MOST)
    return replace(health, open_until=now + wait, probing=False, opened=health.opened + 1)
