"""One of twenty targets accepts and never answers: what the others lose. The baseline is all of them well."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from benchmarks.latency import p99
from benchmarks.report import Row, medians_of
from benchmarks.stage import GIVE_UP, Stage, environment, fill, stage, targets
from relay.wiring import Relay
from tests.support.processes import eventually
from tests.support.sink_server import Answer

TARGETS = 20
SICK = "/t0"
BACKLOG = 20_000
EVENTS = 2_000
AT_ONCE = 20
PAUSE = 0.1


@contextmanager
def scene(play: Stage, *, sick: bool) -> Iterator[Relay]:
    """Yield a relay whose first target answers, or never does."""
    play.sink.reset()
    play.sink.on(SICK, Answer(manner="hang" if sick else "answer"))
    with play.relay(targets(play.sink, TARGETS)) as relay:
        yield relay


def throughput(play: Stage, count: int, *, sick: bool) -> float:
    """Return the POSTs a second to all while the well ones get their part of a backlog."""
    well = count - count // TARGETS
    with scene(play, sick=sick) as relay:
        fill(relay, count, TARGETS)
        with play.worker("celery_app", environment(relay)) as worker:
            relay.nudges.deliver()
            rate = play.rate(well)
            # Asked to stop, it would wait for the one that never answers.
            worker.kill()
            return rate


def wait(play: Stage, count: int, *, sick: bool) -> float:
    """Return the milliseconds from an event to its POST that one in a hundred of the well ones exceeds."""
    with scene(play, sick=sick) as relay, play.worker("celery_app", environment(relay)) as worker:
        for _ in range(count // AT_ONCE):
            fill(relay, AT_ONCE, TARGETS)
            relay.nudges.deliver()
            time.sleep(PAUSE)
        eventually(lambda: play.sink.count() >= count - count // TARGETS, GIVE_UP, every=0.2)
        worker.kill()
        came = [(one.at, one.json()["time"]) for one in play.sink.requests() if one.path != SICK]
        return p99([(at - datetime.fromisoformat(made).timestamp()) * 1000 for at, made in came])


def run(scale: float = 1.0) -> list[Row]:
    """Measure both in turns."""
    backlog, events = (max(400, int(number * scale)) for number in (BACKLOG, EVENTS))
    times = 3 if scale >= 1 else 1
    with stage() as play:
        sick, well = medians_of(
            lambda: throughput(play, backlog, sick=True), lambda: throughput(play, backlog, sick=False), times=times
        )
    with stage(record=True) as play:
        late, timely = medians_of(
            lambda: wait(play, events, sick=True), lambda: wait(play, events, sick=False), times=times
        )
    question = f"1 of {TARGETS} targets never answers, and without it"
    return [
        Row(f"POSTs to the others, {question}", "POST/s", sick, well),
        Row(f"event to POST at the others, {question}, p99", "ms", late, timely),
    ]


if __name__ == "__main__":
    for row in run():
        print(row)
