"""What a benchmark says, and how it measures."""

import resource
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Row:
    """One answer: ours beside the plain way and, if there is one, what the machine could do at most; in `unit`."""

    question: str
    unit: str
    ours: float
    baseline: float
    limit: float | None = None

    @property
    def ratio(self) -> float:
        """How often the baseline fits into ours."""
        return self.ours / self.baseline


@dataclass(slots=True)
class Spent:
    """What a piece of work took, in seconds: on the wall, and of this process's processors."""

    wall: float = 0.0
    processor: float = 0.0
    _started: tuple[float, float] = field(default=(0.0, 0.0), repr=False)


@contextmanager
def spent() -> Iterator[Spent]:
    """Measure the block; its result is complete when the block ends."""
    result = Spent()
    wall, processor = time.perf_counter(), _processor()
    yield result
    result.wall, result.processor = time.perf_counter() - wall, _processor() - processor


def _processor() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def median_of(measure: Callable[[], float], times: int = 3) -> float:
    """Return the median of several measurements."""
    return statistics.median(measure() for _ in range(times))


def medians_of(*measures: Callable[[], float], times: int = 3) -> list[float]:
    """Return the median of each of several measurements, taken in turns so that a busy moment hurts all alike."""
    rounds = [[measure() for measure in measures] for _ in range(times)]
    return [statistics.median(column) for column in zip(*rounds, strict=True)]
