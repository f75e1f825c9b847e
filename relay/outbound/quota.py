"""Quotas of sources: how many requests may come in, counted for all web processes by one script in Redis."""

import time
from collections.abc import Callable
from threading import Lock

import redis

from relay import log
from relay.domain.rate import Gcra

_log = log.get(__name__)

KEY = "relay:quota:{key}"
QUIET = 5.0
"""Seconds without Redis after it failed: no sender should wait for its time-outs again and again."""

# What `Gcra` does, on the clock of Redis, in microseconds: returns 0 and counts one, or how long until there is room.
_SCRIPT = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local free = tonumber(redis.call('GET', KEYS[1]) or '0')
local early = free - ARGV[2] - now
if early > 0 then return string.format('%.0f', early) end
local taken = math.max(free, now) + ARGV[1]
redis.call('SET', KEYS[1], string.format('%.0f', taken), 'PX', math.ceil((taken - now) / 1000) + 1000)
return '0'
"""


class Quota:
    """Counts requests under a key; while Redis is away, each process counts alone."""

    def __init__(self, client: "redis.Redis | None", clock: Callable[[], float] = time.monotonic) -> None:
        self._script = client.register_script(_SCRIPT) if client is not None else None
        self._clock = clock
        self._quiet_until = 0.0
        self._alone: dict[tuple[str, float], Gcra] = {}
        self._lock = Lock()

    def wait(self, key: str, rate: float) -> float:
        """Return 0 and count one, or return after how many seconds there is room for it, at `rate` a second."""
        if self._script is not None and self._clock() >= self._quiet_until:
            try:
                interval = round(1e6 / rate)
                waits = self._script(keys=[KEY.format(key=key)], args=[interval, max(0, 1_000_000 - interval)])
                return int(waits) / 1e6
            except redis.RedisError as error:
                self._quiet_until = self._clock() + QUIET
                _log.warning("quota.alone", error=type(error).__name__)
        with self._lock:
            return self._alone.setdefault((key, rate), Gcra(rate)).wait(self._clock())
