"""Nudges: at most one queued message for each step, kept to that by a token in Redis."""

import time
from collections.abc import Callable

import redis
from celery import Celery
from kombu.exceptions import OperationalError

from relay import log
from relay.errors import RelayError

_log = log.get(__name__)

TOKEN = "relay:wake:{step}"  # noqa: S105  a key's name, no password
TOKEN_SECONDS = 3
"""A token outlives a lost message by no more than this; the sweep then nudges again."""
TAKEN = "relay:taken:{step}"
TAKEN_MS = 1000
"""How long it is remembered that somebody who was at work anyway took a token: its message comes for nothing."""
SWEEPING = "relay:sweeping"
SWEEPING_MS = 900
"""How long one sweep is enough for all processes: a little less than each of them waits."""
SWEPT = "relay:swept"
SWEPT_SECONDS = 10
QUIET = 1.0
"""Seconds without a nudge after the broker failed: whoever accepts events must not wait for its time-outs."""


class Nudges:
    """Publishes nudges. Never raises: a nudge that is lost costs a second, until the sweep."""

    def __init__(self, app: Celery, client: "redis.Redis | None", clock: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._redis = client
        self._clock = clock
        self._quiet_until = 0.0

    def collect(self) -> None:
        """An outbox has rows."""
        self._nudge("collect")

    def fan_out(self) -> None:
        """Events wait to be routed."""
        self._nudge("fan_out")

    def deliver(self) -> None:
        """Deliveries are due."""
        self._nudge("deliver")

    def begin_sweep(self) -> bool:
        """Say whether to sweep now: not, where another process just did. Whoever asks is heard of for a while."""
        if self._redis is None or self._clock() < self._quiet_until:
            return True
        try:
            with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.set(SWEEPING, "1", nx=True, px=SWEEPING_MS)
                pipeline.set(SWEPT, "1", ex=SWEPT_SECONDS)
                return bool(pipeline.execute()[0])
        except redis.RedisError as error:
            self._keep_quiet(error)
            return True

    def swept_lately(self) -> bool | None:
        """Say whether a sweep ran within `SWEPT_SECONDS`; `None` where there is no Redis to tell.

        Raises `RelayError` when the broker does not answer.
        """
        if self._redis is None:
            return None
        try:
            return bool(self._redis.exists(SWEPT))
        except redis.RedisError as error:
            raise RelayError(f"it does not answer: {type(error).__name__}") from None

    def reach(self) -> None:
        """Connect to the broker. Raises `RelayError` when it does not answer."""
        try:
            with self._app.connection_for_write() as connection:
                connection.ensure_connection(max_retries=1, interval_start=0)
        except (OperationalError, OSError) as error:
            raise RelayError(f"it does not answer: {error}") from None

    def clock(self) -> float | None:
        """Return Redis' time in seconds since the epoch; `None` where there is none. Raises `RelayError`."""
        if self._redis is None:
            return None
        try:
            seconds, micros = self._redis.time()
        except redis.RedisError as error:
            raise RelayError(f"it does not answer: {type(error).__name__}") from None
        return float(seconds) + float(micros) / 1e6

    def take(self, *steps: str) -> frozenset[str]:
        """Return which of these steps somebody was nudged for, and clear their tokens.

        All of them, where there is no telling: without Redis, or while it is away.
        """
        if self._redis is None or self._clock() < self._quiet_until:
            return frozenset(steps)
        try:
            with self._redis.pipeline(transaction=False) as pipeline:
                for step in steps:
                    pipeline.delete(TOKEN.format(step=step))
                taken = [step for step, cleared in zip(steps, pipeline.execute(), strict=True) if cleared]
                for step in taken:
                    pipeline.set(TAKEN.format(step=step), "1", px=TAKEN_MS)
                pipeline.execute()
        except redis.RedisError as error:
            self._keep_quiet(error)
            return frozenset(steps)
        return frozenset(taken)

    def answer(self, step: str) -> bool:
        """Answer a message for a step: clear its token, and say whether there is anything to do.

        There is, but where somebody took the token lately. One that ended while its message waited was taken by nobody.
        """
        if self._redis is None or self._clock() < self._quiet_until:
            return True
        try:
            with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.delete(TOKEN.format(step=step))
                pipeline.exists(TAKEN.format(step=step))
                cleared, taken = pipeline.execute()
        except redis.RedisError as error:
            self._keep_quiet(error)
            return True
        return bool(cleared) or not taken

    def _nudge(self, step: str) -> None:
        if self._clock() < self._quiet_until:
            return
        try:
            if self._redis is None or self._redis.set(TOKEN.format(step=step), "1", nx=True, ex=TOKEN_SECONDS):
                self._app.send_task(f"relay.{step}", retry=False)
        except (redis.RedisError, OperationalError, OSError) as error:
            self._keep_quiet(error)

    def _keep_quiet(self, error: Exception) -> None:
        self._quiet_until = self._clock() + QUIET
        _log.warning("broker.unreachable", error=type(error).__name__)


def connect(url: str | None) -> "redis.Redis | None":
    """Return a client that gives up within seconds; it connects when it is first used. `None` without a URL."""
    if url is None:
        return None
    return redis.Redis.from_url(url, socket_connect_timeout=2, socket_timeout=2, health_check_interval=10)
