"""How many POSTs a second leave a backlog: ours, one Celery task each, and the same SQL and libcurl, nothing else."""

from contextlib import ExitStack

from benchmarks import plain
from benchmarks.report import Row, medians_of
from benchmarks.stage import PROCESSES, Stage, data, environment, fill, stage, targets

TARGETS = 20
BACKLOG = 20_000
ON_SQLITE = 5_000
BASELINE = 1_500


def ours(play: Stage, count: int, spread: int, *, sqlite: bool = False) -> float:
    """Return the rate of a Celery worker of the relay."""
    play.sink.reset()
    with play.relay(targets(play.sink, spread), sqlite=sqlite) as relay:
        fill(relay, count, spread)
        with play.worker("celery_app", environment(relay)):
            relay.nudges.deliver()
            return play.rate(count)


def baseline(play: Stage, count: int, spread: int) -> float:
    """Return the rate of a Celery worker that sends each request in a task of its own."""
    play.sink.reset()
    play.valkey.flush()
    with plain.publisher(play.valkey.url) as post:
        for number in range(count):
            post.delay(play.sink.url(f"/t{number % spread}"), data(number))
    with plain.worker(play):
        return play.rate(count)


def limit(play: Stage, count: int, spread: int) -> float:
    """Return the rate of two processes that claim, post and record, and do nothing else."""
    play.sink.reset()
    with play.relay(targets(play.sink, spread)) as relay, ExitStack() as stack:
        fill(relay, count, spread)
        for _ in range(PROCESSES):
            arguments = ("-m", "benchmarks.bare", relay.settings.database, play.sink.url("/"))
            stack.enter_context(play.python(*arguments, env={}))
        return play.rate(count)


def run(scale: float = 1.0) -> list[Row]:
    """Measure all in turns."""
    count, few, on_sqlite = (max(50, int(number * scale)) for number in (BACKLOG, BASELINE, ON_SQLITE))
    with stage() as play:
        mine, theirs, bare, small = medians_of(
            lambda: ours(play, count, TARGETS),
            lambda: baseline(play, few, TARGETS),
            lambda: limit(play, count, TARGETS),
            lambda: ours(play, on_sqlite, TARGETS, sqlite=True),
            times=3 if scale >= 1 else 1,
        )
    question = f"from a backlog, {TARGETS} targets, {PROCESSES} worker processes"
    return [
        Row(f"POSTs {question}, PostgreSQL", "POST/s", mine, theirs, bare),
        Row(f"POSTs {question}, SQLite", "POST/s", small, theirs),
    ]


if __name__ == "__main__":
    for row in run():
        print(row)
