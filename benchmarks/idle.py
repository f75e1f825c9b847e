"""What a system with nothing to do costs: all processes of `relay up`, and the worker of the plain way alone."""

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import psutil

from benchmarks import plain
from benchmarks.report import Row
from benchmarks.stage import stage
from tests.support.processes import Child
from tests.support.relay import RunningRelay

SECONDS = 60
TICK = 0.01
"""Seconds in which the kernel counts what a process took."""
SETTLES = 10
"""Seconds that a system is given to start."""


def percent(children: list[Child], seconds: float) -> float:
    """Return what these and all that they started take of one core, in percent."""
    time.sleep(min(SETTLES, seconds))
    before = _processor(children)
    time.sleep(seconds)
    return max(_processor(children) - before, TICK) / seconds * 100


def _processor(children: list[Child]) -> float:
    processes = [psutil.Process(child.pid) for child in children]
    processes += [below for process in processes for below in process.children(recursive=True)]
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def run(scale: float = 1.0) -> list[Row]:
    """Measure both, one after the other."""
    seconds = max(2, SECONDS * scale)
    with tempfile.TemporaryDirectory(prefix="benchmark-", ignore_cleanup_errors=True) as folder:
        relay = RunningRelay(Path(folder))
        try:
            ours = percent([relay.start_up()], seconds)
        finally:
            relay.close()
    with stage() as play, ExitStack() as stack:
        worker = stack.enter_context(plain.worker(play))
        baseline = percent([worker], seconds)
    return [Row("an idle system, all processes, and a plain Celery worker alone", "% of a core", ours, baseline)]


if __name__ == "__main__":
    for row in run():
        print(row)
