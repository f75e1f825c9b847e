"""From a publisher's request to the last POST, every process on the same cores: ours, and the plain Celery way.

Both take batches of events over HTTP at one Starlette application and send each to one of the targets. The plain one
keeps nothing: its handler publishes a Celery task for each event.
"""

import http.client
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from benchmarks import plain
from benchmarks.report import Row, medians_of
from benchmarks.stage import GIVE_UP, PROCESSES, Stage, data, environment, stage, targets
from relay.domain.event import BATCH, encode, new_id
from tests.support.processes import HOST, Child, accepts, eventually, free_port

TARGETS = 20
EVENTS = 20_000
BASELINE = 2_000
AT_ONCE = 100
PUBLISHERS = 4
TOKEN = "relay_benchmark-token"


def bodies(count: int) -> list[bytes]:
    """Return the events in batches, as CloudEvents."""
    events = [
        {
            "specversion": "1.0",
            "id": new_id(),
            "source": "shop",
            "type": f"t{number % TARGETS}.updated",
            "subject": f"orders/{number}",
            "data": data(number),
        }
        for number in range(count)
    ]
    return [encode(events[start : start + AT_ONCE]) for start in range(0, count, AT_ONCE)]


def rate(play: Stage, port: int, path: str, count: int) -> float:
    """Publish so many events and return how many a second were, from the first request to the last POST."""
    play.sink.reset()
    batches = bodies(count)
    started = time.monotonic()
    with ThreadPoolExecutor(PUBLISHERS) as publishers:
        list(publishers.map(_publisher(port, path), [batches[first::PUBLISHERS] for first in range(PUBLISHERS)]))
    eventually(lambda: play.sink.count() >= count, GIVE_UP, every=0.02)
    return count / (time.monotonic() - started)


def _publisher(port: int, path: str) -> Callable[[list[bytes]], None]:
    def publish(batches: list[bytes]) -> None:
        connection = http.client.HTTPConnection(HOST, port, timeout=60)
        for body in batches:
            connection.request("POST", path, body, {"content-type": BATCH, "authorization": f"Bearer {TOKEN}"})
            answer = connection.getresponse()
            assert answer.status == 202, answer.read()
            answer.read()
        connection.close()

    return publish


def run(scale: float = 1.0) -> list[Row]:
    """Measure both in turns."""
    count, few = (max(AT_ONCE, int(number * scale)) for number in (EVENTS, BASELINE))
    with stage() as play, play.relay(targets(play.sink, TARGETS)) as relay:
        env = environment(relay) | {"RELAY_API_TOKEN": TOKEN}
        port, plain_port = free_port(), free_port()

        def ours() -> float:
            web = play.python("-m", "relay", "web", "--port", str(port), env=env).until(lambda: accepts(port))
            with web, play.worker("celery_app", env), play.python("-m", "relay", "beat", env=env):
                rate(play, port, "/api/v1/events", AT_ONCE)
                return rate(play, port, "/api/v1/events", count)

        def theirs() -> float:
            web = _plain_web(play, plain_port)
            with web, plain.worker(play):
                rate(play, plain_port, "/", AT_ONCE)
                return rate(play, plain_port, "/", few)

        mine, baseline = medians_of(ours, theirs, times=3 if scale >= 1 else 1)
    question = f"published over HTTP to POST, {TARGETS} targets, {PROCESSES} worker processes, PostgreSQL"
    return [Row(question, "event/s", mine, baseline)]


def _plain_web(play: Stage, port: int) -> Child:
    env = {plain.BROKER: play.valkey.url}
    return play.python("-m", "benchmarks.plain", str(port), play.sink.url("/"), env=env).until(lambda: accepts(port))


if __name__ == "__main__":
    for row in run():
        print(row)
