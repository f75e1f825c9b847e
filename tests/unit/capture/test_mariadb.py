"""What MariaDB does in its own way is told as exactly as elsewhere."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import (
    DateTime,
    Engine,
    ForeignKey,
    MetaData,
    String,
    create_engine,
    func,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.dialects.mysql import DATETIME
from sqlalchemy.dialects.mysql import insert as mysql_insert
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

from relay import capture
from relay.capture.testing import captured

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678900, UTC).replace(tzinfo=None)


class Base(DeclarativeBase):
    """The models of this module."""

    metadata = MetaData()


class Member(Base):
    """Known by more than its number."""

    __tablename__ = "members"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str | None] = mapped_column(String(100), unique=True)
    name: Mapped[str | None] = mapped_column(String(100))
    seen: Mapped[datetime | None] = mapped_column(DateTime)
    exact: Mapped[datetime | None] = mapped_column(DATETIME(fsp=6))


class Badge(Base):
    """What belongs to members."""

    __tablename__ = "badges"
    id: Mapped[int] = mapped_column(primary_key=True)
    member_id: Mapped[int | None] = mapped_column(ForeignKey("members.id"))
    colour: Mapped[str | None] = mapped_column(String(20))


class Visit(Base):
    """Not watched."""

    __tablename__ = "visits"
    id: Mapped[int] = mapped_column(primary_key=True)
    member_id: Mapped[int | None]


capture.outbox(Base.metadata)
capture.watch(Member)
capture.watch(Badge)


@pytest.fixture(params=["mysql+pymysql", "mariadb+pymysql"])
def engine(request: pytest.FixtureRequest, mariadb_database: str) -> Iterator[Engine]:
    """A database with this module's tables, by either name of its dialect."""
    opened = create_engine(mariadb_database.replace("mysql+pymysql", request.param))
    Base.metadata.create_all(opened)
    yield opened
    opened.dispose()


@pytest.fixture(params=[True, False])
def returning(request: pytest.FixtureRequest, engine: Engine) -> bool:
    """Whether the server has INSERT ... RETURNING: MySQL has not."""
    with engine.connect():
        engine.dialect.insert_returning = request.param
        engine.dialect.insert_executemany_returning = request.param
    return bool(request.param)


@pytest.fixture
def sessions(engine: Engine) -> "sessionmaker[Session]":
    """Captured sessions, with two members in the database."""
    made = sessionmaker(engine)
    capture.install(made, source="club")
    with made.begin() as session:
        session.add_all([Member(id=key, email=f"{name}@x", name=name) for key, name in ((1, "ana"), (2, "bo"))])
    captured(engine)
    return made


def told(engine: Engine) -> list[tuple[str, str | None, list[str]]]:
    """Return the events since the last time: type, subject and what changed."""
    return [(event.type, event.subject, event.changed) for event in captured(engine)]


def rename(**values: Any) -> Any:
    """Return an upsert that gives known members a new name."""
    statement = mysql_insert(Member)
    wanted = {"name": statement.inserted.name, **values}
    return statement.on_duplicate_key_update(wanted)


@pytest.mark.usefixtures("returning")
@pytest.mark.parametrize("many", [False, True])
def test_an_upsert_knows_rows_by_any_key(engine: Engine, sessions: "sessionmaker[Session]", many: bool):
    """Rows are recognised by whichever unique key the statement gives, in whatever spelling the collation allows."""
    rows = [{"email": "ANA@x", "name": "Ana"}, {"email": "cy@x", "name": "cy"}, {"id": 2, "email": None, "name": "bo"}]
    with sessions.begin() as session:
        if many:
            session.connection().execute(rename(), [{"id": None, **row} for row in rows])
        else:
            for row in rows:
                session.execute(rename().values(**row))
    found = told(engine)
    assert found[0] == ("members.updated", "members/1", ["name"])
    assert [kind for kind, *_ in found[1:]] == ["members.created"]


def test_an_upsert_says_what_it_always_said(engine: Engine, sessions: "sessionmaker[Session]"):
    """Its count of rows and its last number are those that the database gives where nobody watches."""
    with sessions.begin() as session:
        connection = session.connection()
        result = connection.execute(rename().values(email="ana@x", name="Ana"))
        assert result.rowcount == 2
        kept = connection.execute(rename(id=func.last_insert_id(Member.id)).values(email="bo@x", name="Bo"))
        assert kept.lastrowid == 2
        made = connection.execute(insert(Member.__table__).values(name="cy"))
        assert made.inserted_primary_key is not None
        assert made.lastrowid == made.inserted_primary_key[0] > 2
        several = connection.execute(insert(Member.__table__).values([{"name": "di"}, {"name": "ed"}]))
        assert (several.rowcount, several.lastrowid) == (2, made.lastrowid + 1)
        ignored = connection.execute(insert(Member.__table__).prefix_with("IGNORE").values(email="ana@x"))
        assert (ignored.rowcount, ignored.lastrowid) == (0, 0)
    assert [subject for kind, subject, _ in told(engine) if kind == "members.updated"] == ["members/1", "members/2"]


@pytest.mark.usefixtures("returning")
def test_ignored_rows_are_not_told(engine: Engine, sessions: "sessionmaker[Session]"):
    """INSERT IGNORE tells of the rows that it made alone, whichever key made it leave out others."""
    statement = insert(Member.__table__).prefix_with("IGNORE")
    with sessions.begin() as session:
        session.connection().execute(statement, [{"id": 3, "email": "ana@x"}, {"id": 4, "email": "di@x"}])
        session.connection().execute(statement.values(id=5, email="bo@x"))
        session.connection().execute(statement.values(id=6, email="ed@x"))
    assert [(kind, subject) for kind, subject, _ in told(engine)] == [
        ("members.created", "members/4"),
        ("members.created", "members/6"),
    ]


def test_many_rows_without_keys(engine: Engine, sessions: "sessionmaker[Session]", returning: bool):
    """A server that cannot say which keys many rows got is not asked: they are given, or nothing is written."""
    several = insert(Member).values([{"name": "cy"}, {"name": "di"}])
    copied = insert(Member).from_select(["name"], select(Member.name))
    for statement in (several, copied):
        with sessions() as session:
            if returning:
                session.execute(statement)
            else:
                with pytest.raises(capture.CaptureError, match="which keys"):
                    session.execute(statement)
            session.commit()
    with sessions.begin() as session:
        session.execute(insert(Member).values([{"id": 70, "name": "cy"}, {"id": 71, "name": "di"}]))
        session.execute(insert(Member).values(name="ed"))
        session.add(Member(name="fay"))
    assert [kind for kind, *_ in told(engine)] == ["members.created"] * (10 if returning else 4)


def test_rows_are_told_as_they_are_and_not_as_they_were(engine: Engine, sessions: "sessionmaker[Session]"):
    """A transaction that began before another's commit tells of the row that it changes, not of the one it saw."""
    with sessions() as session:
        assert session.scalar(select(func.count(Member.id))) == 2
        with sessions.begin() as other:
            other.get_one(Member, 1).name = "Ana"
            other.add(Member(id=3, name="cy"))
        captured(engine)
        session.execute(update(Member).values(email=None), execution_options={"synchronize_session": False})
        session.execute(update(Member).where(Member.id == 3).values(name="Cy"))
        session.commit()
    found = {event.subject: event for event in captured(engine)}
    first = found["members/1"].before or {}
    assert (first["name"], found["members/1"].changed) == ("Ana", ["email"])
    assert (found["members/3"].before or {})["name"] == "cy"


def test_moments_are_told_as_they_are_stored(engine: Engine, sessions: "sessionmaker[Session]"):
    """A column that keeps no microseconds is told without; one that does, with them."""
    with sessions.begin() as session:
        session.get_one(Member, 1).seen = MOMENT
        session.add(Member(id=3, seen=MOMENT, exact=MOMENT))
    updated, created = sorted(captured(engine), key=lambda event: event.subject or "")
    with engine.connect() as connection:
        stored = connection.scalars(select(Member.seen).where(Member.id.in_([1, 3]))).all()
    assert [event.after["seen"] for event in (updated, created) if event.after] == [
        at.isoformat() for at in stored if at
    ]
    assert (created.after or {})["exact"] == MOMENT.isoformat()
    with sessions.begin() as session:
        session.get_one(Member, 1).seen = stored[0]
    assert told(engine) == []


def test_an_update_of_several_tables(engine: Engine, sessions: "sessionmaker[Session]"):
    """An UPDATE that writes a watched table beside another is refused; one that only looks at it is told."""
    with sessions.begin() as session:
        session.add_all([Badge(id=1, member_id=1), Visit(id=1, member_id=1)])
    captured(engine)
    joined = Badge.member_id == Member.id
    options = {"synchronize_session": False}
    with sessions() as session:
        for table in (Badge.__table__, Visit.__table__):
            several = update(table).where(table.c.member_id == Member.id).values({Member.__table__.c.name: "x"})
            with pytest.raises(capture.CaptureError, match="each by itself"):
                session.connection().execute(several)
        session.execute(update(Badge).where(joined).values(colour=Member.name), execution_options=options)
        session.commit()
    assert told(engine) == [("badges.updated", "badges/1", ["colour"])]


def test_the_outbox_holds_any_text(engine: Engine, sessions: "sessionmaker[Session]"):
    """Events hold what the row holds, in an outbox that counts its rows, whatever the database's own alphabet."""
    with engine.begin() as connection:
        connection.execute(text("ALTER DATABASE CHARACTER SET latin1"))
        connection.execute(text("DROP TABLE relay_outbox"))
    Base.metadata.create_all(engine)
    options = inspect(engine).get_table_options("relay_outbox")
    assert "InnoDB" in options.values()
    with sessions.begin() as session:
        session.get_one(Member, 1).name = "🚲" * 20
    (event,) = captured(engine)
    assert (event.after or {})["name"] == "🚲" * 20
