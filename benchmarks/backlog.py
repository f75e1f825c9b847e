"""The question of `delivery`, larger: 100,000 deliveries to 100 targets, each way once."""

from benchmarks.delivery import BASELINE, baseline, limit, ours
from benchmarks.report import Row
from benchmarks.stage import PROCESSES, stage

TARGETS = 100
BACKLOG = 100_000


def run(scale: float = 1.0) -> list[Row]:
    """Measure each once: a backlog this large evens out a busy moment."""
    count, few = (max(50, int(number * scale)) for number in (BACKLOG, BASELINE))
    with stage() as play:
        rates = ours(play, count, TARGETS), baseline(play, few, TARGETS), limit(play, count, TARGETS)
    question = f"POSTs from a backlog of {BACKLOG:,}, {TARGETS} targets, {PROCESSES} worker processes, PostgreSQL"
    return [Row(question, "POST/s", *rates)]


if __name__ == "__main__":
    for row in run():
        print(row)
