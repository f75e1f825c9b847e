"""Recording: what attempts came to is stored, learned from, and told where it must be."""

from collections.abc import Sequence
from datetime import UTC, datetime

from relay import log
from relay.domain.delivery import Verdict
from relay.domain.durations import format_duration
from relay.domain.health import GIVE_UP
from relay.errors import StoreUnavailable
from relay.pipeline.alarms import Alarms
from relay.pipeline.breakers import Breakers
from relay.pipeline.live import Following
from relay.pipeline.ports import ConfigurationReader, DeliveryStore

_log = log.get(__name__)


class Recorder:
    """Stores groups of attempts, and draws the conclusions for their targets."""

    def __init__(
        self,
        deliveries: DeliveryStore,
        configuration: ConfigurationReader,
        following: Following,
        breakers: Breakers,
        alarms: Alarms,
    ) -> None:
        self._deliveries = deliveries
        self._configuration = configuration
        self._following = following
        self._breakers = breakers
        self._alarms = alarms

    def record(self, verdicts: Sequence[Verdict]) -> None:
        """Store a group. Raises `StoreUnavailable`: then nothing of it is stored, and it can be given again."""
        # Before the state: an alarm told twice is told once, one that is forgotten is never told.
        self._alarms.dead(self._following.latest, verdicts)
        self._deliveries.record(verdicts)
        try:
            for name in self._breakers.record(verdicts):
                self.pause(name, f"no success for {format_duration(GIVE_UP.total_seconds())}")
        except StoreUnavailable as error:
            _log.warning("health.unrecorded", error=error.message)

    def pause(self, name: str, reason: str) -> None:
        """Pause a target and tell its fallback; a target that is paused already stays as it is."""
        now = datetime.now(UTC)
        try:
            if self._configuration.pause(name, reason, now):
                _log.warning("target.paused", target=name, reason=reason)
                self._alarms.paused(self._following.latest, name, reason, now)
        except StoreUnavailable as error:
            _log.warning("target.not_paused", target=name, error=error.message)
        self._following.refresh()
