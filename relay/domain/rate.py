"""How many may come in a while: the generic cell rate algorithm, for one process."""

import math


class Gcra:
    """Lets `rate` a second through, and as many as come within a second at once. For one thread."""

    def __init__(self, rate: float) -> None:
        self._interval = 1 / rate
        self._slack = max(0.0, 1.0 - self._interval)
        self._next = -math.inf

    def wait(self, now: float) -> float:
        """Return 0 and count one, or return after how many seconds there is room for it. `now` is monotonic."""
        early = self._next - self._slack - now
        # Sums of intervals are off by a rounding error or two.
        if early > self._interval * 1e-6:
            return early
        self._next = max(self._next, now) + self._interval
        return 0.0
