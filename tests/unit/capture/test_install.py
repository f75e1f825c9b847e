"""Every kind of session is captured, none twice, and mistakes are told when they are made."""

import asyncio
import subprocess
import sys
from typing import Any

import pytest
from sqlalchemy import Column, Computed, Integer, MetaData, PickleType, String, Table, create_engine, select
from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session, async_sessionmaker, create_async_engine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    declarative_base,
    mapped_column,
    relationship,
    scoped_session,
    sessionmaker,
)
from sqlalchemy.types import UserDefinedType

from relay import capture
from tests.unit.capture.conftest import OUTBOX, Shop
from tests.unit.capture.models import Base, Order


def asynchronous(url: str) -> str:
    """Return the same database's URL for an asynchronous driver."""
    return url.replace("sqlite://", "sqlite+aiosqlite://").replace("postgresql://", "postgresql+asyncpg://")


def test_session_class(shop: Shop):
    """A Session class is captured with the classes that inherit from it, once, in whatever order they are installed."""

    class Own(Session):
        """The application's sessions."""

    class Special(Own):
        """Some of them."""

    for sessions in (Special, Own, Special):
        capture.install(sessions, source="own")
    for number, sessions in enumerate((Own, Special), start=1):
        with sessions(shop.engine) as session:
            savepoint = session.begin_nested()
            session.add(Order(id=number, state="new"))
            savepoint.commit()
            session.commit()
    assert [(t.subject, t.source) for t in shop.told()] == [("orders/1", "own"), ("orders/2", "own")]


def test_scoped_session(shop: Shop):
    """A scoped_session is captured, and annotated as any other."""
    sessions = scoped_session(sessionmaker(shop.engine))
    capture.install(sessions, source="scoped")
    with capture.annotate(sessions, actor="ana"):
        sessions.add(Order(id=1, state="new"))
        sessions.commit()
    sessions.remove()
    (told,) = shop.told()
    assert (told.source, told.data["meta"]) == ("scoped", {"actor": "ana"})


def test_installed_twice(shop: Shop):
    """Installing again changes the source, and tells nothing twice."""
    capture.install(shop.sessions, source="renamed")
    with shop.session() as session:
        session.add(Order(id=1, state="new"))
        session.commit()
    assert [t.source for t in shop.told()] == ["renamed"]


def test_other_sessions_are_left_alone(shop: Shop):
    """Sessions of another factory write no events: a warning says so, unless it is known to be meant."""
    with sessionmaker(shop.engine)() as session:
        session.add(Order(id=1, state="new"))
        with pytest.warns(capture.CaptureWarning, match="orders is watched"):
            session.commit()
    with sessionmaker(shop.engine.execution_options(relay="ignore"))() as session:
        session.add(Order(id=2, state="new"))
        session.commit()
    assert shop.told() == []


@pytest.mark.parametrize("application_url", ["sqlite", "postgresql"], indirect=True)
@pytest.mark.parametrize("scoped", [False, True])
def test_async_sessions(shop: Shop, url: str, scoped: bool):
    """Asynchronous sessions are captured: expired objects, savepoints, rollback and annotations too."""

    async def work() -> None:
        engine = create_async_engine(asynchronous(url))
        factory = async_sessionmaker(engine)
        sessions: Any = async_scoped_session(factory, asyncio.current_task) if scoped else factory
        capture.install(sessions, source="async")
        async with sessions() as session:
            with capture.annotate(sessions if scoped else session, actor="ana"):
                order = Order(id=1, state="new")
                session.add(order)
                await session.commit()
                order.state = "paid"
                async with session.begin_nested():
                    session.add(Order(id=2, state="new"))
                await session.commit()
            session.add(Order(id=3, state="lost"))
            await session.flush()
            await session.rollback()
        await engine.dispose()

    asyncio.run(work())
    told = shop.told()
    assert {(t.type, t.subject) for t in told[1:]} == {("orders.created", "orders/2"), ("orders.updated", "orders/1")}
    assert told[0].type == "orders.created"
    assert {t.data["meta"]["actor"] for t in told} == {"ana"}


def test_only_the_asynchronous_sessions_of_one_factory(shop: Shop):
    """Installing in an async_sessionmaker, or in a class of asynchronous sessions, captures no other sessions."""

    class Own(AsyncSession):
        """The application's sessions."""

    capture.install(async_sessionmaker(), source="async")
    capture.install(Own, source="async")
    with Session(shop.engine.execution_options(relay="ignore")) as session:
        session.add(Order(id=1, state="new"))
        session.commit()
    assert shop.told() == []


@pytest.mark.parametrize("factory", [None, "SessionLocal", Order, object()])
def test_what_is_no_factory(factory: Any):
    """Something that makes no sessions is refused."""
    with pytest.raises(capture.CaptureError, match="sessionmaker"):
        capture.install(factory, source="shop")


@pytest.mark.parametrize(
    ("source", "wake"), [("", None), ("my shop", None), ("shop", "http://x"), ("shop", "redis://:s3cret/@h")]
)
def test_wrong_source_and_broker(source: str, wake: str | None):
    """A source that is no name and a broker's URL that is none are refused, without repeating a password."""
    with pytest.raises(capture.CaptureError) as caught:
        capture.install(sessionmaker(), source=source, wake=wake)
    assert "s3cret" not in str(caught.value)


def test_a_missing_outbox_stops_the_commit(url: str):
    """Without its table nothing commits, and the error says how to make it."""
    engine = create_engine(url)
    Order.metadata.create_all(engine, tables=[table for table in Base.metadata.sorted_tables if table is not OUTBOX])
    sessions = sessionmaker(engine)
    capture.install(sessions, source="shop")
    with pytest.raises(capture.CaptureError, match=r"capture\.outbox"), sessions.begin() as session:
        session.add(Order(id=1, state="new"))
    with engine.connect() as connection:
        assert connection.scalars(select(Order.id)).all() == []
    engine.dispose()


def test_annotate_needs_captured_sessions():
    """Facts about sessions that are not captured, and facts that are no JSON, are refused."""
    with pytest.raises(capture.CaptureError, match="install"), capture.annotate(Session(), actor="ana"):
        pass
    with pytest.raises(capture.CaptureError, match="session"), capture.annotate("session", actor="ana"):
        pass
    sessions = sessionmaker()
    capture.install(sessions, source="shop")
    with pytest.raises(capture.CaptureError, match="object"), capture.annotate(sessions(), actor=object()):
        pass


class Point(UserDefinedType[object]):
    """A type that says what it holds, and that is nothing JSON knows."""

    @property
    def python_type(self) -> type[Any]:
        """A complex number."""
        return complex


def mapped(*columns: Column[Any]) -> type:
    """Return a class mapped to a table of these columns."""
    base: Any = declarative_base()
    return type(
        "Thing",
        (base,),
        {"__table__": Table("things", base.metadata, Column("id", Integer, primary_key=True), *columns)},
    )


@pytest.mark.parametrize(
    ("model", "arguments", "said"),
    [
        (Table("t", MetaData()), {}, "mapped class"),
        (int, {}, "not mapped"),
        (mapped(Column("a", String)), {"exclude": {"b"}}, "no column b"),
        (mapped(Column("a", String)), {"only": {"b"}}, "it has a, id"),
        (mapped(Column("a", String)), {"mask": "a"}, "set"),
        (mapped(Column("a", String)), {"exclude": {"id"}}, "primary key"),
        (mapped(Column("a", PickleType)), {}, "exclude={'a'}"),
        (mapped(Column("a", Point())), {}, "exclude={'a'}"),
        (mapped(Column("a", String, info={"relay": "hide"})), {}, "hide"),
    ],
)
def test_what_cannot_be_watched(model: Any, arguments: dict[str, Any], said: str):
    """A model that cannot be captured is refused when it is watched, and the error says what to do."""
    with pytest.raises(capture.CaptureError, match=said):
        capture.watch(model, **arguments)


def test_a_type_without_json_may_be_excluded():
    """What is excluded may be of any type."""
    capture.watch(mapped(Column("a", PickleType), Column("b", String, Computed("1"))), exclude={"a"})


def test_models_may_be_watched_before_all_are_mapped():
    """Watching a model does not ask for the models that its relationships name."""

    class Own(DeclarativeBase):
        """Models of this test."""

    class Early(Own):
        """Comes before what it refers to."""

        __tablename__ = "early"
        id: Mapped[int] = mapped_column(primary_key=True)
        late: Mapped[list["Late"]] = relationship()  # noqa: F821

    capture.watch(Early)


def test_an_application_needs_no_more_than_sqlalchemy():
    """Importing capture imports SQLAlchemy and the standard library alone."""
    script = "import sys; from relay import capture; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split()) - set(sys.stdlib_module_names)
    assert not {name for name in loaded if not name.startswith("_")} - {
        "relay",
        "sqlalchemy",
        "greenlet",
        "typing_extensions",
        "cython_runtime",
        "importlib_metadata",
    }
