"""Several databases, values that turn out badly, and migrations."""

import textwrap
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata, produce_migrations, render_python_code
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Engine, MetaData, String, create_engine, event, func, select
from sqlalchemy.dialects import mysql
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker
from sqlalchemy.types import TypeDecorator

import relay.capture.moment
from relay import capture
from relay.capture.outbox import find
from tests.unit.capture.conftest import transactions


class Complex(TypeDecorator[complex]):
    """A value that only shows itself to be no JSON when it comes."""

    impl = String(255)
    cache_ok = True

    def process_bind_param(self, value: complex | None, dialect: Dialect) -> str | None:
        """Return it as text."""
        return None if value is None else str(value)


class Base(DeclarativeBase):
    """The models of this module."""


class Signal(Base):
    """Holds what JSON cannot."""

    __tablename__ = "signals"
    id: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[Any] = mapped_column(Complex, nullable=True)


class Elsewhere(Base):
    """Lives in another database."""

    __tablename__ = "elsewhere"
    id: Mapped[str] = mapped_column(String(400), primary_key=True)


OUTBOX = capture.outbox(Base.metadata)
capture.watch(Signal)
capture.watch(Elsewhere)


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """A database with this module's tables."""
    engine = create_engine(url)
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


def count(engine: Engine, table: Any) -> int:
    """Return how many rows a table has."""
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(table)) or 0


def test_each_database_has_its_own_outbox(engine: Engine):
    """A session that writes to two databases tells each of its own changes."""
    other = create_engine("sqlite://")
    transactions(other)
    Base.metadata.create_all(other)
    sessions = sessionmaker(binds={Signal: engine, Elsewhere: other})
    capture.install(sessions, source="shop")
    with sessions.begin() as session:
        session.add_all([Signal(id=1), Elsewhere(id="a"), Elsewhere(id="b")])
    assert (count(engine, OUTBOX), count(other, OUTBOX)) == (1, 2)
    other.dispose()


@pytest.mark.parametrize("before_flush", [True, False])
def test_a_value_that_is_no_json_stops_the_commit(engine: Engine, before_flush: bool):
    """Neither the row nor an event of it commits when its value cannot be told."""
    sessions = sessionmaker(engine)
    capture.install(sessions, source="shop")
    with sessions() as session:
        session.add(Signal(id=1, value=1j))
        with pytest.raises(capture.CaptureError, match="complex"):
            (session.flush if before_flush else session.commit)()
        session.rollback()
        session.add(Signal(id=2))
        session.commit()
    assert (count(engine, Signal), count(engine, OUTBOX)) == (1, 1)


def test_a_commit_that_failed_fails_again(engine: Engine):
    """A commit that could not write its events never succeeds without them, however often it is tried."""
    sessions = sessionmaker(engine)
    capture.install(sessions, source="shop")
    with sessions() as session:
        session.connection()
    OUTBOX.drop(engine)
    with sessions() as session:
        session.add_all([Signal(id=1), Signal(id=2)])
        for _ in range(2):
            with pytest.raises(capture.CaptureError, match="relay_outbox"):
                session.commit()
    assert count(engine, Signal) == 0


def test_long_keys_still_name_one_row(engine: Engine):
    """A subject fits its column however long the key is, and two keys never share one."""
    sessions = sessionmaker(engine)
    capture.install(sessions, source="shop")
    with sessions.begin() as session:
        session.add_all([Elsewhere(id="ü" * 300 + end) for end in "ab"])
    with engine.connect() as connection:
        subjects = connection.scalars(select(OUTBOX.c.subject)).all()
    assert [len(subject) for subject in subjects] == [512, 512]
    assert len(set(subjects)) == 2


def test_an_error_of_the_outbox_undoes_the_change(engine: Engine):
    """When the event cannot be written, the change does not commit."""
    sessions = sessionmaker(engine)
    capture.install(sessions, source="shop")

    def refuse(_connection: Any, statement: Any, *_rest: Any) -> None:
        if getattr(statement, "table", None) is find(Base.metadata):
            raise OSError("the disk is full")

    event.listen(engine, "before_execute", refuse)
    with pytest.raises(OSError, match="disk"), sessions.begin() as session:
        session.add(Signal(id=1))
    assert count(engine, Signal) == 0


def test_alembic_makes_the_outbox_and_then_leaves_it_alone(url: str):
    """A generated migration makes the table, given one import; after it, autogenerate finds nothing to do."""
    metadata = MetaData()
    capture.outbox(metadata)
    engine = create_engine(url)
    with engine.begin() as connection:
        context = MigrationContext.configure(connection, opts={"target_metadata": metadata, "compare_type": True})
        upgrade = produce_migrations(context, metadata).upgrade_ops
        assert upgrade is not None
        names = {"op": Operations(context), "sa": sqlalchemy, "mysql": mysql, "relay": relay}
        exec(textwrap.dedent("    " + render_python_code(upgrade)), names)
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_sessions_do_not_remember(engine: Engine):
    """A session that is used again and again keeps nothing of the transactions it ended."""
    sessions = sessionmaker(engine)
    capture.install(sessions, source="shop")
    with sessions() as session:
        for number in range(3):
            with session.begin_nested():
                session.add(Signal(id=number))
            (session.commit if number else session.rollback)()
        assert held(session) == []


def held(session: Session) -> list[Any]:
    """Return what the session's ledger holds."""
    ledger = session.info["relay.capture"]
    return [*ledger.flushing, *ledger.ahead, *ledger._layers, *ledger.facts]
