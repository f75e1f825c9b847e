"""What capture costs an application's commits on PostgreSQL, and how fast the relay collects what it wrote.

Each figure is beside the same commit of a model that is not watched and, where SQLAlchemy-Continuum is installed and
runs, beside a model that it versions. All take turns, each round in another order, and begin with no garbage to
collect; a figure is the median of the rounds. The processors' time, of this process and of PostgreSQL's together, is
told beside the time on the wall: it waits for no disk and for nobody else's work.
"""

import gc
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, delete, insert, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, configure_mappers, mapped_column, sessionmaker

from benchmarks.report import Row, spent
from benchmarks.stage import Stage, data, stage
from relay import capture
from relay.domain.event import encode, new_id
from relay.wiring import Relay

ROUNDS = 21
ONES = 20
"""Commits of one row a round."""
MANY = 1000
COLLECTED = 20_000


class Base(DeclarativeBase):
    """The application's metadata."""


class Columns:
    """An order of middling size, the same in every table."""

    id: Mapped[int] = mapped_column(primary_key=True)
    customer: Mapped[str] = mapped_column(default="ana@example.com")
    status: Mapped[str] = mapped_column(default="new")
    total: Mapped[int] = mapped_column(default=0)
    note: Mapped[str] = mapped_column(default="some words " * 5)
    placed_at: Mapped[datetime] = mapped_column(default=lambda: datetime(2026, 1, 31, 9, 5))  # noqa: DTZ001


class Watched(Columns, Base):
    """Captured."""

    __tablename__ = "watched"


class Unwatched(Columns, Base):
    """In the same sessions, not captured."""

    __tablename__ = "unwatched"


class Plain(Columns, Base):
    """In sessions without capture."""

    __tablename__ = "plain"


capture.watch(Watched)
OUTBOX = capture.outbox(Base.metadata)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a commit took, in milliseconds: on the wall, and of the processors here and in PostgreSQL."""

    wall: float
    processors: float


class Meter:
    """Measures what goes through an engine's one connection."""

    def __init__(self, engine: Engine) -> None:
        with engine.connect() as connection:
            server = connection.scalar(text("SELECT pg_backend_pid()"))
        self._server = Path(f"/proc/{server}/schedstat")
        self.costs: list[Cost] = []

    @contextmanager
    def piece(self) -> Iterator[None]:
        """Measure the block."""
        wall, processors = time.perf_counter(), self._processors()
        yield
        self.costs.append(Cost((time.perf_counter() - wall) * 1000, (self._processors() - processors) * 1000))

    def take(self) -> Cost:
        """Return the median of the pieces since the last time."""
        costs = self.costs
        self.costs = []
        return _median(costs)

    def _processors(self) -> float:
        return time.process_time() + int(self._server.read_text().split()[0]) / 1e9


def _median(costs: list[Cost]) -> Cost:
    return Cost(statistics.median(c.wall for c in costs), statistics.median(c.processors for c in costs))


Work = Callable[[Meter, sessionmaker[Session], Any], None]


def run(scale: float = 1.0) -> list[Row]:
    """Return the questions' answers, fewer rows at a smaller scale."""
    many, ones = max(1, int(MANY * scale)), max(1, int(ONES * scale))
    with stage() as scene:
        rows = _commits(scene, many, ones, max(1, int(ROUNDS * scale)))
        return [*rows, _collecting(scene, max(1, int(COLLECTED * scale)))]


def _commits(scene: Stage, many: int, ones: int, rounds: int) -> list[Row]:
    engine = create_engine(scene.postgres.create_database())
    Base.metadata.create_all(engine)
    sessions, bare = sessionmaker(engine), sessionmaker(engine)
    capture.install(sessions, source="shop", wake="")
    sides = {"watched": (sessions, Watched), "unwatched": (sessions, Unwatched), "plain": (bare, Plain)}
    works = {
        "commit of a changed row": _one_by_one(ones),
        f"flush and commit of {many} new rows": _new(many),
        f"flush and commit of {many} changed rows": _changed(many),
    }
    rows = []
    for question, work in works.items():
        cost = _in_turns(Meter(engine), sides, work, rounds)
        ours, other, plain = cost["watched"], cost["unwatched"], cost["plain"]
        rows.append(Row(f"{question}, watched and not", "ms", ours.wall, plain.wall))
        rows.append(Row(f"{question}, watched and not", "ms cpu", ours.processors, plain.processors))
        rows.append(Row(f"{question}, another model watched", "ms", other.wall, plain.wall))
    engine.dispose()
    versions = _versioned(scene.postgres.create_database(), works, rounds)
    for question, added in versions.items():
        ours = next(row for row in rows if row.question == f"{question}, watched and not" and row.unit == "ms cpu")
        rows.append(Row(f"{question}, added beside Continuum", "ms cpu", ours.ours - ours.baseline, added))
    return rows


def _in_turns(
    meter: Meter, sides: dict[str, tuple[sessionmaker[Session], Any]], work: Work, rounds: int
) -> dict[str, Cost]:
    costs: dict[str, list[Cost]] = {name: [] for name in sides}
    names = list(sides)
    # The first round makes what is made once.
    for number in range(rounds + 1):
        for name in names:
            work(meter, *sides[name])
            costs[name].append(meter.take())
        names.append(names.pop(0))
        if number == 0:
            costs = {name: [] for name in sides}
    return {name: _median(each) for name, each in costs.items()}


def _one_by_one(count: int) -> Work:
    def work(meter: Meter, sessions: sessionmaker[Session], model: Any) -> None:
        _empty(sessions)
        with sessions() as session:
            session.add(model(id=1))
            session.commit()
        gc.collect()
        for number in range(count):
            with sessions() as session, meter.piece():
                session.get_one(model, 1).total = number + 1
                session.commit()
        _clear(sessions, model)

    return work


def _new(count: int) -> Work:
    def work(meter: Meter, sessions: sessionmaker[Session], model: Any) -> None:
        _empty(sessions)
        with sessions() as session:
            session.add_all([model(total=number) for number in range(count)])
            gc.collect()
            with meter.piece():
                session.commit()
        _clear(sessions, model)

    return work


def _changed(count: int) -> Work:
    def work(meter: Meter, sessions: sessionmaker[Session], model: Any) -> None:
        with sessions() as session:
            session.add_all([model(total=number) for number in range(count)])
            session.commit()
            _empty(sessions)
            for row in session.scalars(select(model)).all():
                row.status = "paid"
            gc.collect()
            with meter.piece():
                session.commit()
        _clear(sessions, model)

    return work


def _empty(sessions: sessionmaker[Session]) -> None:
    with sessions() as session:
        session.execute(delete(OUTBOX))
        session.commit()


def _clear(sessions: sessionmaker[Session], model: Any) -> None:
    with sessions() as session:
        session.execute(delete(model), execution_options={"relay": "ignore"})
        session.commit()


def _versioned(url: str, works: dict[str, Work], rounds: int) -> dict[str, float]:
    """Return what SQLAlchemy-Continuum adds to the same work, in milliseconds of the processors.

    Nothing where it is not installed.
    """
    if find_spec("sqlalchemy_continuum") is None:
        return {}
    from sqlalchemy_continuum import make_versioned

    make_versioned(user_cls=None)

    class Own(DeclarativeBase):
        """The metadata of what it versions."""

    class Versioned(Columns, Own):
        __tablename__ = "versioned"
        __versioned__: dict[str, Any] = {}  # noqa: RUF012

    class Bare(Columns, Own):
        __tablename__ = "bare"

    configure_mappers()
    engine = create_engine(url)
    capture.outbox(Own.metadata)
    Own.metadata.create_all(engine)
    sessions = sessionmaker(engine)
    sides = {"versioned": (sessions, Versioned), "bare": (sessions, Bare)}
    costs = {question: _in_turns(Meter(engine), sides, work, rounds) for question, work in works.items()}
    engine.dispose()
    return {question: cost["versioned"].processors - cost["bare"].processors for question, cost in costs.items()}


def _collecting(scene: Stage, count: int) -> Row:
    """Return outbox rows made events in a second, beside reading and deleting them alone."""
    with scene.relay("") as relay:
        _fill(relay, count)
        with spent() as collecting:
            while relay.collect.run():
                pass
        _fill(relay, count)
        with spent() as draining, relay.database.writing() as connection:
            connection.execute(select(OUTBOX).order_by(OUTBOX.c.seq)).all()
            connection.execute(delete(OUTBOX))
        return Row(f"collect {count} outbox rows", "rows/s", count / collecting.wall, 10_000, count / draining.wall)


def _fill(relay: Relay, count: int) -> None:
    now = datetime.now(UTC)
    same = {"source": "shop", "type": "orders.updated", "occurred_at": now}
    rows = [
        {**same, "id": new_id(), "subject": f"orders/{number}", "data": encode(data(number)).decode()}
        for number in range(count)
    ]
    with relay.database.writing() as connection:
        connection.execute(insert(OUTBOX), rows)
