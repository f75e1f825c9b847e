"""Pacing: the slots of a quota, handed out to every worker on every machine by one script in Redis."""

import time
from collections.abc import Callable
from threading import Lock

import redis

from relay import log

_log = log.get(__name__)

MARGIN = 1.08
"""Slots lie this much further apart than the quota asks: a request that left late must not make its follower early."""

ALONE = 8
"""While Redis is away each process paces alone, at this fraction of the rate: slower, never faster, with as many."""

KEY = "relay:pace:{key}"

# The generic cell rate algorithm: one number, the time at which the quota is free again. Redis' own clock rules, so
# that machines need not agree on theirs. Returns the microseconds until the first of the reserved slots.
_SCRIPT = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local free = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
local reserved = free + ARGV[1] * ARGV[2]
redis.call('SET', KEYS[1], string.format('%.0f', reserved), 'PX', math.ceil((reserved - now) / 1000) + 1000)
return string.format('%.0f', free - now)
"""


class Pacing:
    """Reserves slots under a key: no two requests of a quota share one, whoever sends them."""

    def __init__(self, client: "redis.Redis | None", clock: Callable[[], float] = time.monotonic) -> None:
        self._script = client.register_script(_SCRIPT) if client is not None else None
        self._clock = clock
        self._free: dict[str, float] = {}
        self._lock = Lock()

    def reserve(self, key: str, rate: float, count: int) -> list[float]:
        """Return in how many seconds each of the next `count` requests may leave, at `rate` a second."""
        interval = MARGIN / rate
        try:
            first = self._shared(key, interval, count)
        except redis.RedisError as error:
            _log.warning("pacing.alone", error=type(error).__name__)
            first = None
        if first is None:
            interval *= ALONE
            first = self._alone(key, interval, count)
        return [first + interval * number for number in range(count)]

    def _shared(self, key: str, interval: float, count: int) -> float | None:
        if self._script is None:
            return None
        wait = self._script(keys=[KEY.format(key=key)], args=[round(interval * 1e6), count])
        return int(wait) / 1e6

    def _alone(self, key: str, interval: float, count: int) -> float:
        with self._lock:
            now = self._clock()
            free = max(self._free.get(key, 0.0), now)
            self._free[key] = free + interval * count
        return free - now
