"""How long from a commit to its POST: ours, and a Celery task published right after the same commit.

The relay collects an outbox in its own database, and one in an application's; idle, and at 100 commits a second.
"""

import random
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from sqlalchemy import create_engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

from benchmarks import plain
from benchmarks.report import Row
from benchmarks.stage import Stage, data, environment, stage
from relay import capture
from relay.wiring import Relay
from tests.support.processes import eventually

COMMITS = 60
LOADED = 600
ROUNDS = 3
PAUSE = 0.1
BUSY_PAUSE = 0.01


class Base(DeclarativeBase):
    """The application's metadata."""


class Order(Base):
    """A row that is committed; `data` of the plain way's payload has as much."""

    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    status: Mapped[str] = mapped_column(default="new")
    note: Mapped[str] = mapped_column(default="some words " * 10)


capture.watch(Order)
capture.outbox(Base.metadata)


@dataclass(slots=True)
class Application:
    """An application that commits orders; `committed` says when each was, in seconds since 1970."""

    name: str
    sessions: sessionmaker[Session]
    after: Callable[[int], object]
    committed: dict[int, float]

    def commit(self) -> None:
        """Commit one order."""
        with self.sessions() as session:
            order = Order()
            session.add(order)
            session.flush()
            number = order.id
            session.info["number"] = number
            session.commit()
        self.after(number)


def application(name: str, url: str, after: Callable[[int], object] = lambda _: None) -> Application:
    """Return an application on the database at `url`; `after` is what it does once a commit is done."""
    engine = create_engine(url)
    Base.metadata.create_all(engine)
    sessions = sessionmaker(engine)
    committed: dict[int, float] = {}

    @event.listens_for(sessions, "after_commit")
    def note(session: Session) -> None:
        committed[session.info["number"]] = time.time()

    return Application(name, sessions, after, committed)


def applications(play: Stage, relay: Relay, shop: str, post: Any) -> list[Application]:
    """Return the plain application, one in the relay's own database and one beside it."""
    url = play.sink.url("/plain")
    found = [
        application(
            "plain",
            play.postgres.create_database(),
            lambda number: post.delay(url, {"subject": f"orders/{number}", "data": data(number)}),
        ),
        application("own", relay.settings.database),
        application("shop", shop),
    ]
    for one in found[1:]:
        capture.install(one.sessions, source=one.name, wake=play.valkey.url)
    return found


def configuration(play: Stage, shop: str) -> str:
    """Return a configuration with a target for each application."""
    return f'[[databases]]\nname = "shop"\nurl = "{shop}"\n' + "\n".join(
        f'[[targets]]\nname = "{name}"\nkind = "http"\nurl = "{play.sink.url(f"/{name}")}"\n'
        f'[[routes]]\nname = "{name}"\nsources = ["{name}"]\nto = ["{name}"]\n'
        for name in ("own", "shop")
    )


def delays(play: Stage, one: Application, count: int, pause: float) -> list[float]:
    """Commit so many orders, a pause and a little more apart, and return the milliseconds until each was posted."""
    play.sink.reset()
    one.committed.clear()
    for _ in range(count):
        one.commit()
        # Not in step with anything that happens once a second.
        time.sleep(pause * random.uniform(0.8, 1.2))
    eventually(lambda: play.sink.count() >= count, 60, every=0.05)
    came: dict[int, float] = {}
    for request in play.sink.requests():
        came.setdefault(int(request.json()["subject"].rpartition("/")[2]), request.at)
    return [(came[number] - at) * 1000 for number, at in one.committed.items()]


def measure(play: Stage, found: list[Application], count: int, pause: float) -> dict[str, list[float]]:
    """Return the delays of each application, measured in turns."""
    result: dict[str, list[float]] = {one.name: [] for one in found}
    for _ in range(ROUNDS):
        for one in found:
            result[one.name] += delays(play, one, -(-count // ROUNDS), pause)
    return result


def rows(what: str, measured: dict[str, list[float]]) -> list[Row]:
    """Return the median and the 99th of a hundred, for each place an outbox may be."""
    places = {"own": "the relay's database", "shop": "another database"}
    return [
        Row(f"commit to POST, {what}, outbox in {place}, {name}", "ms", of(measured[key]), of(measured["plain"]))
        for key, place in places.items()
        for name, of in (("median", statistics.median), ("p99", p99))
    ]


def p99(values: list[float]) -> float:
    """Return the value that one in a hundred exceeds."""
    return sorted(values)[max(0, -(-len(values) * 99 // 100) - 1)]


def run(scale: float = 1.0) -> list[Row]:
    """Measure idle and busy."""
    count, busy = (max(6, int(number * scale)) for number in (COMMITS, LOADED))
    with ExitStack() as stack:
        play = stack.enter_context(stage(record=True))
        shop = play.postgres.create_database()
        relay = stack.enter_context(play.relay(configuration(play, shop)))
        found = applications(play, relay, shop, stack.enter_context(plain.publisher(play.valkey.url)))
        env = environment(relay)
        stack.enter_context(plain.worker(play))
        stack.enter_context(play.worker("celery_app", env))
        stack.enter_context(play.python("-m", "relay", "beat", env=env))
        for one in found:
            delays(play, one, 6, BUSY_PAUSE)
        idle = measure(play, found, count, PAUSE)
        loaded = measure(play, found, busy, BUSY_PAUSE)
        for one in found:
            one.sessions.kw["bind"].dispose()
    return rows("idle", idle) + rows("100 commits a second", loaded)


if __name__ == "__main__":
    for row in run():
        print(row)
