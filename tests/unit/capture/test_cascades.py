"""Rows that the database changes by itself, because another goes, are told like all others."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, ForeignKey, MetaData, create_engine, delete, event, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, sessionmaker

from relay import capture
from relay.capture.testing import captured
from tests.unit.capture.conftest import transactions
from tests.unit.capture.models import TEXT


class Base(DeclarativeBase):
    """The models of this module."""

    metadata = MetaData()
    type_annotation_map = {str: TEXT}  # noqa: RUF012  declarative's own way


class Land(Base):
    """Not watched, and above all others."""

    __tablename__ = "lands"
    id: Mapped[int] = mapped_column(primary_key=True)


class Town(Base):
    """Not watched either: it only passes on."""

    __tablename__ = "towns"
    id: Mapped[int] = mapped_column(primary_key=True)
    land_id: Mapped[int] = mapped_column(ForeignKey("lands.id", ondelete="CASCADE"))


class House(Base):
    """Goes with its town."""

    __tablename__ = "houses"
    id: Mapped[int] = mapped_column(primary_key=True)
    town_id: Mapped[int] = mapped_column(ForeignKey("towns.id", ondelete="CASCADE"))
    name: Mapped[str | None]
    flats: Mapped[list["Flat"]] = relationship(cascade="all, delete", passive_deletes=True)


class Flat(Base):
    """Goes with its house, and with the flat it is part of."""

    __tablename__ = "flats"
    id: Mapped[int] = mapped_column(primary_key=True)
    house_id: Mapped[int] = mapped_column(ForeignKey("houses.id", ondelete="cascade"))
    part_of: Mapped[int | None] = mapped_column(ForeignKey("flats.id", ondelete="CASCADE"))


class Cat(Base):
    """Outlives the house that it lives in."""

    __tablename__ = "cats"
    id: Mapped[int] = mapped_column(primary_key=True)
    house_id: Mapped[int | None] = mapped_column(ForeignKey("houses.id", ondelete="SET NULL"))


class Meter(Base):
    """Is summed up."""

    __tablename__ = "meters"
    id: Mapped[int] = mapped_column(primary_key=True)
    flat_id: Mapped[int] = mapped_column(ForeignKey("flats.id", ondelete="CASCADE"))


class Deed(Base):
    """Refuses to go unseen."""

    __tablename__ = "deeds"
    id: Mapped[int] = mapped_column(primary_key=True)
    cat_id: Mapped[int] = mapped_column(ForeignKey("cats.id", ondelete="CASCADE"))


capture.outbox(Base.metadata)
for model in (House, Flat, Cat):
    capture.watch(model)
capture.watch(Meter, bulk="summary")
capture.watch(Deed, bulk="refuse")


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """A land with a town of two houses, and what is in them."""
    opened = create_engine(url)
    if opened.dialect.name == "sqlite":
        transactions(opened)
        event.listen(opened, "connect", lambda connection, _: connection.execute("PRAGMA foreign_keys = ON"))
    Base.metadata.create_all(opened)
    with Session(opened.execution_options(relay="ignore")) as session:
        for level in (
            [Land(id=1)],
            [Town(id=1, land_id=1)],
            [House(id=1, town_id=1), House(id=2, town_id=1)],
            [Flat(id=1, house_id=1), Flat(id=3, house_id=2), Cat(id=1, house_id=1), Cat(id=2, house_id=2), Cat(id=3)],
            [Flat(id=2, house_id=1, part_of=1), Meter(id=1, flat_id=1), Deed(id=1, cat_id=3)],
            [Meter(id=2, flat_id=2)],
        ):
            session.add_all(level)
            session.flush()
        session.commit()
    yield opened
    opened.dispose()


@pytest.fixture
def sessions(engine: Engine) -> "sessionmaker[Session]":
    """Captured sessions."""
    made = sessionmaker(engine)
    capture.install(made, source="land", strict=True)
    return made


HOUSE = {
    ("houses.deleted", "houses/1"),
    ("flats.deleted", "flats/1"),
    ("flats.deleted", "flats/2"),
    ("cats.updated", "cats/1"),
}
REST = {("houses.deleted", "houses/2"), ("flats.deleted", "flats/3"), ("cats.updated", "cats/2")}

WAYS: dict[str, tuple[Callable[[Session], Any], set[tuple[str, str]]]] = {
    "object": (lambda s: s.delete(s.get_one(House, 1)), HOUSE),
    "object and its parts": (lambda s: [s.get_one(Flat, 2), s.delete(s.get_one(House, 1))], HOUSE),
    "statement": (lambda s: s.execute(delete(House).where(House.id == 1)), HOUSE),
    "objects": (lambda s: [s.delete(house) for house in s.scalars(select(House)).all()], HOUSE | REST),
    "core": (lambda s: s.connection().execute(delete(House.__table__)), HOUSE | REST),
    "far above": (lambda s: s.execute(delete(Land)), HOUSE | REST),
    "an object far above": (lambda s: s.delete(s.get_one(Land, 1)), HOUSE | REST),
}


@pytest.mark.parametrize("way", WAYS)
def test_what_goes_along(engine: Engine, sessions: "sessionmaker[Session]", way: str):
    """Rows that go with another, or are changed by it, are told as they were, however far the keys lead."""
    write, expected = WAYS[way]
    with sessions() as session:
        write(session)
        session.commit()
    told = captured(engine)
    rows = [e for e in told if e.type != "meters.bulk_deleted"]
    assert {(e.type, e.subject) for e in rows} == expected
    assert len(rows) == len(expected)
    assert sum(e.data["count"] for e in told if e.type == "meters.bulk_deleted") == 2
    (cat,) = [e for e in rows if e.subject == "cats/1"]
    assert (cat.before, cat.after, cat.changed) == (
        {"id": 1, "house_id": 1},
        {"id": 1, "house_id": None},
        ["house_id"],
    )


def test_nothing_that_stays(engine: Engine, sessions: "sessionmaker[Session]"):
    """What a savepoint brings back is not told, nor what a DELETE of nothing does."""
    with sessions() as session:
        savepoint = session.begin_nested()
        session.execute(delete(House).where(House.id == 2))
        savepoint.rollback()
        session.execute(delete(Town).where(Town.id == 99))
        session.commit()
    assert captured(engine) == []


def test_a_model_that_refuses(engine: Engine, sessions: "sessionmaker[Session]"):
    """A model that is not to be written around its objects does not go with others either."""
    with sessions() as session:
        with pytest.raises(capture.CaptureError, match="bulk='refuse'"):
            session.execute(delete(Cat).where(Cat.id == 3))
        session.rollback()
        session.execute(delete(Cat).where(Cat.id == 2))
        session.commit()
    assert [e.subject for e in captured(engine)] == ["cats/2"]


def test_outside_of_sessions(engine: Engine, sessions: "sessionmaker[Session]"):
    """A DELETE that nobody sees and that reaches a watched table is an error in a strict installation."""

    def clear(connection: Connection) -> None:
        connection.execute(delete(Land))

    with engine.connect() as connection:
        with pytest.raises(capture.CaptureError, match="houses is watched"):
            clear(connection)
        connection.execute(delete(Land), execution_options={"relay": "ignore"})
        connection.rollback()
