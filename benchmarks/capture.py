"""What capture costs an application's commits on PostgreSQL, and how fast the relay collects what it wrote.

Each figure is beside the same commit of a model that is not watched and, where SQLAlchemy-Continuum is installed and
runs, beside a model that it versions.
"""

import statistics
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Any

from sqlalchemy import create_engine, delete, insert, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, configure_mappers, mapped_column, sessionmaker

from benchmarks.report import Row, medians_of, spent
from benchmarks.stage import Stage, data, stage
from relay import capture
from relay.domain.event import encode, new_id
from relay.wiring import Relay

ROUNDS = 7
ONES = 100
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

Work = Callable[[sessionmaker[Session], Any], float]


def run(scale: float = 1.0) -> list[Row]:
    """Return the questions' answers, fewer rows at a smaller scale."""
    many, ones = max(1, int(MANY * scale)), max(1, int(ONES * scale))
    with stage() as scene:
        return [*_commits(scene, many, ones), _collecting(scene, max(1, int(COLLECTED * scale)))]


def _commits(scene: Stage, many: int, ones: int) -> list[Row]:
    engine = create_engine(scene.postgres.create_database())
    Base.metadata.create_all(engine)
    sessions, bare = sessionmaker(engine), sessionmaker(engine)
    capture.install(sessions, source="shop", wake="")
    sides = {"watched": (sessions, Watched), "unwatched": (sessions, Unwatched), "plain": (bare, Plain)}
    works = {
        f"commit of {ones} changed rows, one by one": _one_by_one(ones),
        f"flush and commit of {many} new rows": _new(many),
        f"flush and commit of {many} changed rows": _changed(many),
    }
    rows = []
    for question, work in works.items():
        times = _in_turns(sides, work)
        rows.append(Row(f"{question}, watched and not", "ms", times["watched"], times["plain"]))
        rows.append(Row(f"{question}, another model watched", "ms", times["unwatched"], times["plain"]))
    engine.dispose()
    versions = _versioned(scene.postgres.create_database(), works)
    for question, (versioned, plain) in versions.items():
        ours = next(row for row in rows if row.question == f"{question}, watched and not")
        rows.append(Row(f"{question}, added beside Continuum", "ms", ours.ours - ours.baseline, versioned - plain))
    return rows


def _in_turns(sides: dict[str, tuple[sessionmaker[Session], Any]], work: Work) -> dict[str, float]:
    measures = [lambda side=side: work(*side) for side in sides.values()]
    for measure in measures:
        measure()
    return dict(zip(sides, medians_of(*measures, times=ROUNDS), strict=True))


def _one_by_one(count: int) -> Work:
    def work(sessions: sessionmaker[Session], model: Any) -> float:
        _empty(sessions)
        with sessions() as session:
            session.add(model(id=1))
            session.commit()
        times = []
        for number in range(count):
            with sessions() as session:
                with spent() as time:
                    session.get_one(model, 1).total = number + 1
                    session.commit()
                times.append(time.wall)
        _clear(sessions, model)
        return statistics.median(times) * 1000

    return work


def _new(count: int) -> Work:
    def work(sessions: sessionmaker[Session], model: Any) -> float:
        _empty(sessions)
        with sessions() as session:
            session.add_all([model(total=number) for number in range(count)])
            with spent() as time:
                session.commit()
        _clear(sessions, model)
        return time.wall * 1000

    return work


def _changed(count: int) -> Work:
    def work(sessions: sessionmaker[Session], model: Any) -> float:
        with sessions() as session:
            session.add_all([model(total=number) for number in range(count)])
            session.commit()
            _empty(sessions)
            for row in session.scalars(select(model)).all():
                row.status = "paid"
            with spent() as time:
                session.commit()
        _clear(sessions, model)
        return time.wall * 1000

    return work


def _empty(sessions: sessionmaker[Session]) -> None:
    with sessions() as session:
        session.execute(delete(OUTBOX))
        session.commit()


def _clear(sessions: sessionmaker[Session], model: Any) -> None:
    with sessions() as session:
        session.execute(delete(model), execution_options={"relay": "ignore"})
        session.commit()


def _versioned(url: str, works: dict[str, Work]) -> dict[str, tuple[float, float]]:
    """Return what the same work takes with SQLAlchemy-Continuum, and without; nothing where it is not installed."""
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
    times = {question: _in_turns(sides, work) for question, work in works.items()}
    engine.dispose()
    return {question: (taken["versioned"], taken["bare"]) for question, taken in times.items()}


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
