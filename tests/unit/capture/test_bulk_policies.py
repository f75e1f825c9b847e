"""What a model may choose for statements around its objects, and what becomes of SQL that shows no rows."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

from relay import capture
from relay.capture.opaque import written
from tests.unit.capture.conftest import Shop
from tests.unit.capture.models import Base, Customer, Order


class Own(DeclarativeBase):
    """The models of this module."""

    metadata = Base.metadata
    type_annotation_map = Base.type_annotation_map


class Reading(Own):
    """Comes in masses: one event for each statement is enough."""

    __tablename__ = "readings"
    id: Mapped[int] = mapped_column(primary_key=True)
    sensor: Mapped[str]
    level: Mapped[int] = mapped_column("depth")
    secret: Mapped[str | None]


class Account(Own):
    """Nobody changes it but through objects."""

    __tablename__ = "accounts"
    id: Mapped[int] = mapped_column(primary_key=True)
    balance: Mapped[int]


capture.watch(Reading, bulk="summary", exclude={"secret"})
capture.watch(Account, bulk="refuse")


@pytest.fixture(params=[False, True])
def strict(request: pytest.FixtureRequest, shop: Shop) -> Iterator[bool]:
    """Whether unseen writes are errors in the shop."""
    capture.install(shop.sessions, source="shop", strict=request.param)
    yield request.param
    capture.install(shop.sessions, source="shop")


def test_summaries(shop: Shop):
    """A statement is one event: how many rows, by which criteria, which columns; objects are told one by one."""
    with shop.session() as session:
        session.execute(insert(Reading), [{"sensor": "a", "level": 1}, {"sensor": "b", "level": 2}])
        session.execute(update(Reading).where(Reading.sensor == "a").values(level=3, secret="x"))
        session.connection().execute(delete(Reading.__table__))
        session.add(Reading(id=9, sensor="c", level=1))
        session.commit()
    told = {t.type: t for t in shop.told()}
    assert {kind: t.data.get("count") for kind, t in told.items()} == {
        "readings.bulk_created": 2,
        "readings.bulk_updated": 1,
        "readings.bulk_deleted": 2,
        "readings.created": None,
    }
    updated = told["readings.bulk_updated"]
    assert (updated.subject, updated.changed) == ("readings", ["depth"])
    assert "readings.sensor = " in updated.data["criteria"]
    assert updated.data["parameters"] == {"sensor_1": "a"}
    assert told["readings.bulk_deleted"].data["criteria"] is None


def test_summaries_keep_secrets(shop: Shop):
    """Criteria that look at a column which may not leave the process show no values."""
    with shop.session() as session:
        session.execute(delete(Reading).where(Reading.secret == "hidden", Reading.level > 1))
        session.commit()
    (told,) = shop.told()
    assert told.data["parameters"] == {}
    assert "hidden" not in str(told.data)


def test_summaries_are_rolled_back(shop: Shop):
    """A summary goes with its savepoint."""
    with shop.session() as session:
        savepoint = session.begin_nested()
        session.execute(update(Reading).values(level=1))
        savepoint.rollback()
        with session.begin_nested():
            session.execute(delete(Reading))
        session.commit()
    assert shop.types() == ["readings.bulk_deleted"]


@pytest.mark.parametrize(
    "write",
    [
        lambda s: s.execute(insert(Account), [{"balance": 1}, {"balance": 2}]),
        lambda s: s.execute(update(Account).values(balance=0)),
        lambda s: s.connection().execute(delete(Account.__table__)),
        lambda s: s.bulk_save_objects([Account(balance=1)]),
    ],
)
def test_refused(shop: Shop, write: Callable[[Session], Any]):
    """A model may refuse to be written around its objects: nothing is."""
    with shop.session() as session:
        session.add(Account(id=1, balance=5))
        session.commit()
        with pytest.raises(capture.CaptureError, match="bulk='refuse'"):
            write(session)
        session.rollback()
        assert session.scalars(select(Account.balance)).all() == [5]
    assert shop.types() == ["accounts.created"]


def test_an_unknown_policy_is_refused():
    """A policy that is none is refused when it is told."""
    with pytest.raises(capture.CaptureError, match="expand"):
        capture.watch(Account, bulk="loud")  # type: ignore[arg-type]


def run(shop: Shop, write: Callable[[Session], Any]) -> None:
    """Write in a session of the shop."""
    with shop.session() as session:
        write(session)
        session.commit()


def begin(shop: Shop, statement: Any) -> None:
    """Write through the engine."""
    with shop.engine.begin() as connection:
        connection.execute(statement)


def another(shop: Shop) -> None:
    """Write through a session that is not captured."""
    with sessionmaker(shop.engine)() as session:
        session.add(Order(state="odd"))
        session.commit()


UNSEEN: dict[str, Callable[[Shop], Any]] = {
    "text": lambda shop: run(shop, lambda s: s.execute(text("UPDATE orders SET total = 1"))),
    "the driver's own": lambda shop: run(shop, lambda s: s.connection().exec_driver_sql("DELETE FROM orders")),
    "within a query": lambda shop: run(
        shop, lambda s: s.execute(text("WITH x AS (SELECT 1) DELETE FROM orders WHERE id IN (SELECT 77 FROM x)"))
    ),
    "without a session": lambda shop: begin(shop, update(Order.__table__).values(total=1)),
    "text without a session": lambda shop: begin(shop, text("INSERT INTO orders (status) VALUES ('odd')")),
    "another session": another,
}


@pytest.mark.parametrize("way", UNSEEN)
def test_unseen_writes_are_said_aloud(shop: Shop, strict: bool, way: str):
    """A write that no event can tell of warns; in a strict installation it fails, and writes nothing."""
    if way == "within a query" and shop.engine.dialect.name == "mysql":
        # MariaDB has none in a DELETE.
        return
    run(shop, lambda s: s.add(Order(id=77, state="new")))
    shop.told()
    if strict:
        with pytest.raises(capture.CaptureError, match="orders is watched"):
            UNSEEN[way](shop)
    else:
        with pytest.warns(capture.CaptureWarning, match="orders is watched"):
            UNSEEN[way](shop)
    with shop.engine.connect() as connection:
        rows = connection.execute(select(Order.id, Order.total)).all()
    assert (rows == [(77, None)]) is strict


def test_what_is_meant_is_let_alone(shop: Shop):
    """The execution option says that a write is meant to be unseen."""
    capture.install(shop.sessions, source="shop", strict=True)
    options = {"relay": "ignore"}
    with shop.session() as session:
        session.execute(text("INSERT INTO orders (id, status) VALUES (1, 'new')"), execution_options=options)
        session.execute(update(Order).values(state="paid"), execution_options=options)
        session.execute(text("UPDATE notes SET id = 1"))
        session.execute(text("SELECT * FROM orders"))
        session.commit()
    assert shop.told() == []


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("insert into orders (id) values (1)", ("orders",)),
        ('INSERT OR IGNORE INTO "orders" VALUES (1)', ("orders",)),
        ("REPLACE INTO `orders` VALUES (1)", ("orders",)),
        ("Update Only public.Orders set id = 1", ("public.Orders",)),
        ("WITH x AS (DELETE FROM lines RETURNING *) UPDATE orders SET id = 1", ("lines", "orders")),
        ("MERGE INTO orders USING lines ON true", ("orders",)),
        ("TRUNCATE TABLE orders", ("orders",)),
        ("COPY orders (id) FROM STDIN", ("orders",)),
        ("COPY orders (id) TO STDOUT", ()),
        ("INSERT LOW_PRIORITY IGNORE INTO orders VALUES (1)", ("orders",)),
        ("INSERT IGNORE orders VALUES (1)", ("orders",)),
        ("insert orders values (1)", ("orders",)),
        ("REPLACE orders VALUES (1)", ("orders",)),
        ("UPDATE LOW_PRIORITY IGNORE shop.orders SET id = 1", ("shop.orders",)),
        ("DELETE QUICK FROM `shop`.`orders`", ("shop.orders",)),
        ("DELETE o FROM orders AS o JOIN lines ON o.id = lines.order_id", ("orders",)),
        ("LOAD DATA LOCAL INFILE 'x' REPLACE INTO TABLE orders", ("orders",)),
        ("SELECT REPLACE(status, 'a', 'b') FROM orders", ()),
        ("INSERT INTO notes VALUES (1) ON DUPLICATE KEY UPDATE id = 2", ()),
        ("SELECT * FROM orders FOR UPDATE OF orders", ()),
        ("INSERT INTO notes VALUES (1) ON CONFLICT DO UPDATE SET id = 1", ()),
        ("SELECT updated FROM orders", ()),
    ],
)
def test_sql_that_writes(sql: str, tables: tuple[str, ...]):
    """Text is read for the watched tables that it writes, and those that it only reads are left out."""
    assert Customer
    assert written(sql) == tables
