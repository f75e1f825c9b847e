"""The odder ways in which SQLAlchemy writes, and mistakes that show themselves before anything is written."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import (
    JSON,
    Column,
    DateTime,
    Engine,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.mutable import MutableList
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    composite,
    make_transient,
    mapped_column,
    relationship,
    sessionmaker,
    synonym,
)
from sqlalchemy.orm.attributes import flag_modified

from relay import capture
from relay.capture.testing import CapturedEvent, captured
from tests.unit.capture.conftest import transactions
from tests.unit.capture.models import TEXT


class Base(DeclarativeBase):
    """The models of this module."""

    metadata = MetaData()
    type_annotation_map = {str: TEXT}  # noqa: RUF012  declarative's own way


class Animal(Base):
    """The root of joined inheritance whose tables have columns of the same name."""

    __tablename__ = "animals"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    name: Mapped[str | None]
    changed_at: Mapped[str | None]
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "animal"}  # noqa: RUF012


class Dog(Animal):
    """Has a name of its own beside that of every animal."""

    __tablename__ = "dogs"
    dog_id: Mapped[int] = mapped_column("id", ForeignKey("animals.id"), primary_key=True)
    call: Mapped[str | None] = mapped_column("name")
    __mapper_args__ = {"polymorphic_identity": "dog"}  # noqa: RUF012


class Puppy(Dog):
    """The third table of one row."""

    __tablename__ = "puppies"
    puppy_id: Mapped[int] = mapped_column("id", ForeignKey("dogs.id"), primary_key=True)
    weeks: Mapped[int | None]
    __mapper_args__ = {"polymorphic_identity": "puppy"}  # noqa: RUF012


class Room(Base):
    """A composite key, which others follow."""

    __tablename__ = "rooms"
    house: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    beds: Mapped[list["Bed"]] = relationship(passive_updates=False, cascade="all, delete-orphan")


class Bed(Base):
    """Refers to a room by both parts of its key."""

    __tablename__ = "beds"
    id: Mapped[int] = mapped_column(primary_key=True)
    house: Mapped[int | None]
    room: Mapped[int | None]
    __table_args__ = (ForeignKeyConstraint(["house", "room"], ["rooms.house", "rooms.number"]),)


class Tagging(Base):
    """An association that is watched as a class, and written as a table."""

    __tablename__ = "taggings"
    post_id: Mapped[int] = mapped_column(ForeignKey("posts.id"), primary_key=True)
    tag_id: Mapped[int] = mapped_column(ForeignKey("tags.id"), primary_key=True)


class Tag(Base):
    """What posts are tagged with."""

    __tablename__ = "tags"
    id: Mapped[int] = mapped_column(primary_key=True)


class Point:
    """Two columns as one value."""

    def __init__(self, x: int, y: int) -> None:
        self.x, self.y = x, y

    def __composite_values__(self) -> tuple[int, int]:
        """Return the columns' values."""
        return self.x, self.y

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Point) and (other.x, other.y) == (self.x, self.y)

    __hash__ = None  # type: ignore[assignment]


class Post(Base):
    """Relationships of every kind, a composite, a synonym, and lists that change in place."""

    __tablename__ = "posts"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str | None]
    headline = synonym("title")
    x: Mapped[int | None]
    y: Mapped[int | None]
    at: Mapped[Point] = composite(Point, "x", "y")
    marks: Mapped[list[Any] | None] = mapped_column(MutableList.as_mutable(JSON))
    raw: Mapped[Any] = mapped_column(JSON, nullable=True)
    made: Mapped[datetime | None] = mapped_column(DateTime, server_default=func.now())
    tags: Mapped[list[Tag]] = relationship(secondary=Tagging.__table__)
    seen: Mapped[list[Tag]] = relationship(secondary=Tagging.__table__, viewonly=True)
    __mapper_args__ = {"eager_defaults": True}  # noqa: RUF012


class Counter(Base):
    """Counted by another model's listener."""

    __tablename__ = "counters"
    id: Mapped[int] = mapped_column(primary_key=True)
    count: Mapped[int]


class Thing(Base):
    """A key that the application makes."""

    __tablename__ = "things"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    name: Mapped[str | None]


capture.outbox(Base.metadata)
for model in (Animal, Room, Bed, Tagging, Tag, Post, Counter, Thing):
    capture.watch(model)


@event.listens_for(Post, "before_insert")
def _count(_mapper: Any, connection: Any, _post: Post) -> None:
    table = Counter.__table__
    connection.execute(update(table).values(count=table.c.count + 1))


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """A database with this module's tables."""
    opened = create_engine(url)
    if opened.dialect.name == "sqlite":
        transactions(opened)
    Base.metadata.create_all(opened)
    yield opened
    opened.dispose()


@pytest.fixture
def sessions(engine: Engine) -> "sessionmaker[Session]":
    """Captured sessions."""
    made = sessionmaker(engine)
    capture.install(made, source="odd", strict=True)
    return made


def brief(events: list[CapturedEvent]) -> list[tuple[str, str | None, list[str]]]:
    """Return events as type, subject and what changed."""
    return [(e.type, e.subject, e.changed) for e in events]


def test_joined_tables_with_columns_of_one_name(engine: Engine, sessions: "sessionmaker[Session]"):
    """Each of several columns of one name is told, under its attribute's name, whichever of the tables has it."""
    with sessions() as session:
        session.add_all([Dog(id=1, name="a", call="b"), Puppy(id=2, name="c", call="d", weeks=3)])
        session.commit()
        created = captured(session)
        session.commit()
        session.get_one(Dog, 1).call = "B"
        puppy = session.get_one(Puppy, 2)
        puppy.weeks, puppy.name = 4, "C"
        session.commit()
        updated = captured(session)
        session.commit()
        session.execute(update(Animal).values(changed_at="now"))
        session.execute(update(Puppy.__table__).values(weeks=5))
        session.commit()
        stated = captured(session)
    assert [e.type for e in created] == ["animals.created"] * 2
    assert {"a", "b"} <= set((created[0].after or {}).values())
    assert brief(updated)[0][:2] == ("animals.updated", "animals/1")
    assert len(updated[0].changed) == 1
    assert (updated[0].after or {})[updated[0].changed[0]] == "B"
    assert sorted(updated[1].changed) == ["name", "weeks"]
    assert {subject: sorted(changed) for _, subject, changed in brief(stated)} == {
        "animals/1": ["changed_at"],
        "animals/2": ["changed_at", "weeks"],
    }


def test_a_composite_key_that_others_follow(engine: Engine, sessions: "sessionmaker[Session]"):
    """A changed part of a key makes another row, and the rows that follow it are updated."""
    with sessions() as session:
        session.add(Room(house=1, number=1, beds=[Bed(id=1)]))
        session.commit()
        captured(session)
        session.commit()
        if engine.dialect.name == "sqlite":
            session.get_one(Room, (1, 1)).number = 2
            session.commit()
            told = {(kind, subject) for kind, subject, _ in brief(captured(session))}
            assert told == {("rooms.deleted", "rooms/1,1"), ("rooms.created", "rooms/1,2"), ("beds.updated", "beds/1")}
        else:
            # Servers that check foreign keys let no key go that is referred to: the bed goes first.
            room = session.get_one(Room, (1, 1))
            room.beds.clear()
            session.flush()
            room.number = 2
            session.commit()
            told = {(kind, subject) for kind, subject, _ in brief(captured(session))}
            assert told == {("rooms.deleted", "rooms/1,1"), ("rooms.created", "rooms/1,2"), ("beds.deleted", "beds/1")}


def test_associations_that_relationships_write(engine: Engine, sessions: "sessionmaker[Session]"):
    """Rows of an association table are told when a relationship writes them, beside what the flush writes itself."""
    with sessions() as session:
        session.add(Post(id=1, title="a", at=Point(1, 2), tags=[Tag(id=1), Tag(id=2)]))
        session.commit()
        created = brief(captured(session))
        session.commit()
        post = session.get_one(Post, 1)
        post.tags.pop()
        post.seen.clear()
        post.title = "b"
        session.commit()
        changed = brief(captured(session))
        session.commit()
        session.delete(post)
        session.commit()
        deleted = brief(captured(session))
    kinds = sorted((kind, subject) for kind, subject, _ in created)
    assert kinds == [
        *[("posts.created", "posts/1")],
        *[("taggings.created", "taggings/1,1"), ("taggings.created", "taggings/1,2")],
        *[("tags.created", "tags/1"), ("tags.created", "tags/2")],
    ]
    assert sorted(changed) == [("posts.updated", "posts/1", ["title"]), ("taggings.deleted", "taggings/1,2", [])]
    assert sorted(kind for kind, *_ in deleted) == ["posts.deleted", "taggings.deleted"]


def test_listeners_that_write_within_a_flush(engine: Engine, sessions: "sessionmaker[Session]"):
    """A statement that a mapper's listener executes within the flush is told beside the flush's own."""
    with sessions() as session:
        session.add(Counter(id=1, count=0))
        session.commit()
        captured(session)
        session.commit()
        session.add_all([Post(id=1, at=Point(1, 1)), Post(id=2, at=Point(1, 1))])
        session.commit()
        told = {e.subject: e for e in captured(session)}
    assert told.keys() == {"counters/1", "posts/1", "posts/2"}
    assert ((told["counters/1"].before or {})["count"], (told["counters/1"].after or {})["count"]) == (0, 2)


def test_values_that_change_in_place(engine: Engine, sessions: "sessionmaker[Session]"):
    """Composites, synonyms, mutable lists and flagged JSON are told by their columns; server defaults are there."""
    with sessions() as session:
        post = Post(id=1, title="a", at=Point(1, 2), marks=[1], raw={"a": [1]})
        session.add(post)
        session.commit()
        (created,) = captured(session)
        session.commit()
        post.at = Point(1, 3)
        post.headline = "b"
        post.marks.append(2)  # type: ignore[union-attr]
        post.raw["a"].append(2)
        flag_modified(post, "raw")
        session.commit()
        (updated,) = captured(session)
    assert (created.after or {})["made"] is not None
    assert sorted(updated.changed) == ["marks", "title", "y"] or sorted(updated.changed) == [
        "marks",
        "raw",
        "title",
        "y",
    ]
    assert (updated.after or {})["raw"] == {"a": [1, 2]}


def test_detached_and_transient_objects(engine: Engine, sessions: "sessionmaker[Session]"):
    """Merged without loading, made transient, and expunged: what is written is told."""
    with sessions() as session:
        thing = Thing(name="a")
        session.add(thing)
        session.commit()
        captured(session)
        session.commit()
        key = thing.id
        session.expunge(thing)
        make_transient(thing)
        thing.id, thing.name = uuid4(), "copy"
        session.add(thing)
        session.commit()
        assert [e.type for e in captured(session)] == ["things.created"]
        session.commit()
    with sessions() as session:
        detached = session.get_one(Thing, key)
    detached.name = "b"
    with sessions() as session:
        session.merge(detached)
        session.commit()
        assert brief(captured(session)) == [("things.updated", f"things/{key}", ["name"])]
        session.commit()
        session.delete(session.merge(detached))
        session.commit()
        (deleted,) = captured(session)
    assert (deleted.before or {})["name"] == "b"


def test_a_session_within_a_transaction_of_others(engine: Engine, sessions: "sessionmaker[Session]"):
    """A session that joins a connection's transaction by savepoints, as test suites do, tells what it commits there."""
    with engine.connect() as connection:
        outer = connection.begin()
        with sessions(bind=connection, join_transaction_mode="create_savepoint") as session:
            session.add(Tag(id=1))
            session.commit()
            session.add(Tag(id=2))
            session.flush()
            session.rollback()
            with session.begin_nested():
                session.add(Tag(id=3))
            session.commit()
            assert [e.subject for e in captured(connection)] == ["tags/1", "tags/3"]
        outer.rollback()
    assert captured(engine) == []


@pytest.mark.parametrize("application_url", ["mariadb"], indirect=True)
@pytest.mark.parametrize("prepared", [False, True])
def test_two_phases(engine: Engine, prepared: bool):
    """Events are part of what a transaction of two phases prepares, and are there once it commits."""
    made = sessionmaker(engine, twophase=True)
    capture.install(made, source="odd")
    with made() as session:
        session.add(Tag(id=1))
        if prepared:
            session.prepare()
        session.commit()
    with made() as session:
        session.add(Tag(id=2))
        session.flush()
        if prepared:
            session.prepare()
        session.rollback()
    assert [e.subject for e in captured(engine)] == ["tags/1"]


@pytest.mark.parametrize("statement", [False, True])
@pytest.mark.parametrize("policy", ["expand", "summary"])
@pytest.mark.parametrize("application_url", ["sqlite", "mariadb"], indirect=True)
def test_a_commit_that_is_tried_again(engine: Engine, sessions: "sessionmaker[Session]", statement: bool, policy: Any):
    """Where the outbox could not be written and the transaction lives on, a second commit tells it all."""
    capture.watch(Tag, bulk=policy)
    failing = [True]

    def fail(_connection: Any, _cursor: Any, sql: str, *_rest: Any) -> None:
        if failing and sql.startswith("INSERT INTO relay_outbox"):
            failing.clear()
            raise OperationalError("INSERT", {}, Exception("locked for too long"))

    event.listen(engine, "before_cursor_execute", fail)
    try:
        with sessions() as session:
            if statement:
                session.execute(insert(Tag), [{"id": 1}, {"id": 2}])
            else:
                session.add_all([Tag(id=1), Tag(id=2)])
            with pytest.raises(OperationalError):
                session.commit()
            session.commit()
            told = [e.type for e in captured(session)]
            count = session.scalar(select(func.count(Tag.id)))
    finally:
        capture.watch(Tag)
    assert count == 2
    assert told == (["tags.bulk_created"] if statement and policy == "summary" else ["tags.created"] * 2)


def test_legacy_queries(engine: Engine, sessions: "sessionmaker[Session]"):
    """Query.update() and Query.delete() are told row by row."""
    with sessions() as session:
        session.add_all([Thing(id=UUID(int=key), name="a") for key in (1, 2)])
        session.commit()
        captured(session)
        session.commit()
        session.query(Thing).filter(Thing.id == UUID(int=1)).update({"name": "b"})
        session.query(Thing).filter(Thing.id == UUID(int=2)).delete()
        session.commit()
        assert [(e.type, e.changed) for e in captured(session)] == [
            ("things.updated", ["name"]),
            ("things.deleted", []),
        ]


def test_a_missing_outbox_is_told_before_anything_is_written(url: str):
    """The first session that begins on a database with a watched table and no outbox says what to do."""
    engine = create_engine(url)
    made = sessionmaker(engine)
    capture.install(made, source="odd")
    with made() as session:
        # Nothing is there yet: this session may be the one that makes it.
        Base.metadata.create_all(session.connection(), tables=[Tag.__table__])
        session.commit()
    engine.dispose()
    engine = create_engine(url)
    made = sessionmaker(engine)
    capture.install(made, source="odd")
    with made() as session, pytest.raises(capture.CaptureError, match=r"capture\.outbox"):
        session.scalars(select(Tag)).all()
    engine.dispose()


def test_a_class_of_no_table():
    """A class that is mapped to a join is refused when it is watched."""
    metadata = MetaData()
    left = Table("lefts", metadata, Column("id", Integer, primary_key=True), Column("a", String(9)))
    right = Table("rights", metadata, Column("id", ForeignKey("lefts.id"), primary_key=True), Column("b", String(9)))
    base: Any = Base
    mapped = {"__table__": left.join(right), "__mapper_args__": {"primary_key": [left.c.id]}, "right_id": right.c.id}
    both = type("Both", (base,), mapped)
    with pytest.raises(capture.CaptureError, match="no table"):
        capture.watch(both)
