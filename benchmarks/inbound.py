"""How many signed webhooks a second one web process makes durable, how long each waits, and whether its memory grows.

Each figure is beside a Starlette handler on the same server that reads the body and answers, and stores nothing; its
limit is one that does not even read. One more row is the relay's own handler with a commit for each request.
"""

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import psutil

from benchmarks.load import CONNECTIONS, SECRET, SOURCE, Loaded
from benchmarks.report import Row, medians_of
from benchmarks.stage import GIVE_UP, ROOT, Stage, environment, stage
from relay.wiring import Relay
from tests.support.processes import accepts, free_port

ACCEPTED = 20_000
ONE_BY_ONE = 4_000
HALF_LOAD = 20_000
ENDURED = 500_000
CHUNK = 20_000
ROUNDS = 5
WARM = 1_000
MEBIBYTE = 1 << 20

CONFIGURATION = f'[[sources]]\nname = "{SOURCE}"\nverify = "standard_webhooks"\nsecret = "{SECRET}"\n'


@dataclass(frozen=True, slots=True)
class Server:
    """A server under load."""

    port: int
    pid: int

    def load(self, count: int, rate: float = 0) -> Loaded:
        """Return what a client in another process sees; `rate` is in requests a second, 0 as fast as it goes."""
        arguments = ("-m", "benchmarks.load", str(self.port), str(count), str(rate), SECRET)
        done = subprocess.run(
            [sys.executable, *arguments], capture_output=True, text=True, check=False, timeout=GIVE_UP, cwd=ROOT
        )
        assert done.returncode == 0, done.stderr
        return Loaded(**json.loads(done.stdout))

    @property
    def memory(self) -> float:
        """The resident memory, in MiB."""
        return float(psutil.Process(self.pid).memory_info().rss) / MEBIBYTE


@contextmanager
def serving(play: Stage, relay: Relay, *arguments: str) -> Iterator[Server]:
    """Yield a warm server: what Python runs with these arguments and a port."""
    port = free_port()
    with play.python("-m", *arguments, str(port), env=environment(relay)).until(lambda: accepts(port)) as child:
        server = Server(port, child.pid)
        server.load(WARM)
        yield server


def run(scale: float = 1.0) -> list[Row]:
    """Measure all in turns."""
    with stage() as play, ExitStack() as stack:
        relay, small = (stack.enter_context(play.relay(CONFIGURATION, sqlite=sqlite)) for sqlite in (False, True))
        ours = stack.enter_context(serving(play, relay, "relay", "web", "--port"))
        on_sqlite = stack.enter_context(serving(play, small, "relay", "web", "--port"))
        plain, one_by_one, empty = (
            stack.enter_context(serving(play, relay, "benchmarks.handlers", name))
            for name in ("plain", "one_by_one", "empty")
        )
        return [
            *_rates(ours, on_sqlite, plain, one_by_one, empty, scale),
            *_waits(ours, plain, scale),
            _memory(ours, scale),
        ]


def _rates(
    ours: Server, on_sqlite: Server, plain: Server, one_by_one: Server, empty: Server, scale: float
) -> list[Row]:
    many, few = (max(CONNECTIONS, int(number * scale)) for number in (ACCEPTED, ONE_BY_ONE))
    mine, small, theirs, single, nothing = medians_of(
        _rate(ours, many),
        _rate(on_sqlite, many),
        _rate(plain, many),
        _rate(one_by_one, few),
        _rate(empty, many),
        times=ROUNDS if scale >= 1 else 1,
    )
    question = f"durable accepts, 800 bytes signed, {CONNECTIONS} connections"
    return [
        Row(f"{question}, PostgreSQL, and a plain handler", "1/s", mine, theirs, nothing),
        Row(f"{question}, PostgreSQL, and a commit for each", "1/s", mine, single),
        Row(f"{question}, SQLite, and a plain handler", "1/s", small, theirs, nothing),
    ]


def _rate(server: Server, count: int) -> Callable[[], float]:
    return lambda: server.load(count).rate


def _waits(ours: Server, plain: Server, scale: float) -> list[Row]:
    """Return how long senders wait while ours takes half of what it can, and the plain handler as much."""
    count = max(CONNECTIONS, int(HALF_LOAD * scale))
    times = ROUNDS if scale >= 1 else 1
    half = statistics.median(ours.load(count).rate for _ in range(times)) / 2
    seen = [(ours.load(count, half), plain.load(count, half)) for _ in range(times)]
    sides = list(zip(*seen, strict=True))
    return [
        Row(f"a sender waits at half load, {name}", "ms", *(statistics.median(map(of, side)) for side in sides))
        for name, of in {"median": lambda one: one.median, "p99": lambda one: one.p99}.items()
    ]


def _memory(ours: Server, scale: float) -> Row:
    """Return the memory after all requests, beside that after a fifth of them."""
    chunk, count = (max(CONNECTIONS, int(number * scale)) for number in (CHUNK, ENDURED))
    seen = []
    for _ in range(0, count, chunk):
        ours.load(chunk)
        seen.append(ours.memory)
    return Row(f"memory after {ENDURED:,} requests, and after a fifth", "MiB", seen[-1], seen[len(seen) // 5])


if __name__ == "__main__":
    for row in run():
        print(row)
