"""What growth costs: a claim beside millions of finished deliveries, and a worker's memory after many."""

import statistics
import time
from datetime import UTC, datetime

import psutil
from sqlalchemy import text

from benchmarks.report import Row
from benchmarks.stage import PROCESSES, Stage, environment, fill, stage, targets
from relay.domain.delivery import Lane
from relay.wiring import Relay

TARGETS = 20
FINISHED = 5_000_000
OPEN = 200_000
CLAIMS = 40
ASKED = 256
FEW, MANY = 20_000, 200_000
MEBIBYTE = 1 << 20

_FINISHED_EVENTS = """
INSERT INTO events (id, source, type, subject, content_type, body, occurred_at, received_at, routed)
SELECT gen_random_uuid(), 'shop', 't.updated', 'orders/' || n, 'application/json', '{"id": 1}', now(), now(), true
FROM generate_series(1, :count) AS n
"""
_FINISHED_DELIVERIES = """
INSERT INTO deliveries (id, event_id, event_seq, route, target, subject, state, attempts, tries, next_attempt_at,
  created_at, finished_at, last_status)
SELECT gen_random_uuid(), id, seq, 'r', 't' || seq % :targets, subject, 'delivered', 1, 1, now(), now(), now(), 200
FROM events
"""


def claim_ms(relay: Relay, claims: int) -> float:
    """Return the median of what a claim of 256 takes."""
    lanes = [Lane(f"t{number}", ASKED) for number in range(TARGETS)]
    taken = []
    for _ in range(claims):
        before = time.perf_counter()
        assert len(relay.deliveries.claim(lanes, ASKED, datetime.now(UTC))) == ASKED
        taken.append((time.perf_counter() - before) * 1000)
    return statistics.median(taken)


def claims(play: Stage, finished: int, waiting: int, times: int) -> Row:
    """Measure claims on two databases in turns: one holds finished deliveries beside those that wait."""
    with play.relay(targets(play.sink, TARGETS)) as old, play.relay(targets(play.sink, TARGETS)) as new:
        with old.database.writing() as connection:
            connection.execute(text(_FINISHED_EVENTS), {"count": finished})
            connection.execute(text(_FINISHED_DELIVERIES), {"targets": TARGETS})
        for relay in (old, new):
            fill(relay, waiting, TARGETS)
            with relay.database.reading() as connection:
                connection.execute(text("ANALYZE"))
            claim_ms(relay, times)
        rounds = [(claim_ms(old, times), claim_ms(new, times)) for _ in range(3)]
    among, alone = (statistics.median(column) for column in zip(*rounds, strict=True))
    return Row(f"a claim, {waiting:,} waiting, beside {finished:,} finished and beside none", "ms", among, alone)


def memory(play: Stage, few: int, many: int) -> Row:
    """Measure the largest process of a worker after some deliveries and after many."""
    with play.relay(targets(play.sink, TARGETS)) as relay, play.worker("celery_app", environment(relay)) as worker:
        seen = []
        for count in (few, many):
            fill(relay, count - sum(1 for _ in seen) * few, TARGETS)
            relay.nudges.deliver()
            play.rate(count)
            time.sleep(1)
            children = psutil.Process(worker.pid).children(recursive=True)
            seen.append(max(child.memory_info().rss for child in children) / MEBIBYTE)
    question = f"a worker process after {many:,} deliveries, and after {few:,}, {PROCESSES} processes"
    return Row(question, "MiB", seen[1], seen[0])


def run(scale: float = 1.0) -> list[Row]:
    """Measure both."""
    finished, times = max(2_000, int(FINISHED * scale)), max(2, int(CLAIMS * min(1.0, scale)))
    waiting = max(4 * times * ASKED, int(OPEN * scale))
    with stage() as play:
        return [
            claims(play, finished, waiting, times),
            memory(play, max(500, int(FEW * scale)), max(1_000, int(MANY * scale))),
        ]


if __name__ == "__main__":
    for row in run():
        print(row)
