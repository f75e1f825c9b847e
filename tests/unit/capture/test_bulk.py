"""Statements that go around objects are told row by row: created, updated and deleted, with before and after."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import bindparam, delete, event, exists, insert, select, update
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.orm import Session

from relay import capture
from tests.unit.capture.conftest import Shop, Told
from tests.unit.capture.models import Car, Line, Manager, Order, Parcel, Person, Vehicle

ORDERS = Order.__table__
TWO = [{"state": "new"}, {"state": "paid"}]
CORE_TWO = [{"status": "new"}, {"status": "paid"}]
PLAIN_TWO = [(1, "new", None, None), (2, "paid", None, None)]
FETCH = {"synchronize_session": "fetch"}
UNSYNCHRONISED = {"synchronize_session": False}

CREATED: dict[str, Callable[[Session], Any]] = {
    "orm many": lambda s: s.execute(insert(Order), TWO),
    "orm many returned": lambda s: s.scalars(insert(Order).returning(Order), TWO).all(),
    "core many returned": lambda s: s.connection().execute(insert(ORDERS).returning(ORDERS.c.id), CORE_TWO).all(),
    "orm values": lambda s: s.execute(insert(Order).values(TWO)),
    "orm one by one": lambda s: [s.execute(insert(Order).values(state=state)) for state in ("new", "paid")],
    "core many": lambda s: s.connection().execute(insert(ORDERS), CORE_TWO),
    "core values": lambda s: s.connection().execute(insert(ORDERS).values(CORE_TWO)),
    "core keys": lambda s: s.connection().execute(insert(ORDERS).values(PLAIN_TWO)),
    "mappings": lambda s: s.bulk_insert_mappings(Order, map(dict, TWO)),
    "mappings and defaults": lambda s: s.bulk_insert_mappings(Order, list(map(dict, TWO)), return_defaults=True),
    "objects": lambda s: s.bulk_save_objects([Order(state="new"), Order(state="paid")]),
}

UPDATED: dict[str, Callable[[Session], Any]] = {
    "evaluated": lambda s: s.execute(update(Order).where(Order.state == "new").values(state="paid")),
    "fetched": lambda s: s.execute(
        update(Order).where(Order.state == "new").values(state="paid"),
        execution_options=FETCH,
    ),
    "not synchronised": lambda s: s.execute(
        update(Order).where(Order.state == "new").values(state="paid"), execution_options=UNSYNCHRONISED
    ),
    "returned": lambda s: s.execute(update(Order).values(state="paid").returning(Order.id)).all(),
    "by key": lambda s: s.execute(update(Order), [{"id": key, "state": "paid"} for key in (1, 2)]),
    "core": lambda s: s.connection().execute(update(ORDERS).where(ORDERS.c.id < 9).values(status="paid")),
    "core many": lambda s: s.connection().execute(
        update(ORDERS).where(ORDERS.c.status == bindparam("was")).values(status=bindparam("now")),
        [{"was": "new", "now": "odd"}, {"was": "odd", "now": "paid"}],
    ),
    "mappings": lambda s: s.bulk_update_mappings(Order, [{"id": key, "state": "paid"} for key in (1, 2)]),
    "from another table": lambda s: s.execute(
        update(Order).where(Order.id == Line.order_id).values(state="paid"),
        execution_options=UNSYNCHRONISED,
    ),
    "subquery": lambda s: s.execute(
        update(Order).where(exists().where(Line.order_id == Order.id)).values(state="paid"),
        execution_options=UNSYNCHRONISED,
    ),
}


def stored(shop: Shop) -> None:
    """Store two new orders with a line each, and forget the events of them."""
    with shop.session() as session:
        session.add_all([Order(id=key, state="new", lines=[Line(sku="a")]) for key in (1, 2)])
        session.commit()
    shop.told()


def brief(told: list[Told]) -> list[tuple[str, str, Any, Any]]:
    """Return events as type, subject, status before and after."""
    return [(t.type, t.subject, t.before and t.before["status"], t.after and t.after["status"]) for t in told]


@pytest.mark.parametrize("way", CREATED)
def test_inserted(shop: Shop, way: str):
    """Each row that an INSERT made is created, with what the database filled in."""
    with shop.session() as session:
        CREATED[way](session)
        session.commit()
    assert brief(shop.told()) == [
        ("orders.created", "orders/1", None, "new"),
        ("orders.created", "orders/2", None, "paid"),
    ]


@pytest.mark.parametrize("way", UPDATED)
def test_updated(shop: Shop, way: str):
    """Each row that an UPDATE changed is updated, from what it was to what it is; nothing else is told."""
    if way == "returned" and shop.engine.dialect.name == "mysql":
        # MariaDB has no UPDATE ... RETURNING.
        return
    stored(shop)
    with shop.session() as session:
        session.get(Order, 1)
        UPDATED[way](session)
        session.commit()
    assert brief(shop.told()) == [("orders.updated", f"orders/{key}", "new", "paid") for key in (1, 2)]


def test_deleted(shop: Shop):
    """Each row that a DELETE took is deleted, as it was last."""
    stored(shop)
    with shop.session() as session:
        session.execute(delete(Line))
        session.connection().execute(delete(ORDERS).where(ORDERS.c.id == 2))
        session.commit()
    told = shop.told()
    assert [t.subject for t in told] == ["lines/1,a", "lines/2,a", "orders/2"]
    assert {t.type for t in told} == {"lines.deleted", "orders.deleted"}
    assert told[2].before["status"] == "new"


def upsert(shop: Shop, **values: str) -> Any:
    """Return an INSERT of orders that gives those which are there these columns of its own rows."""
    match shop.engine.dialect.name:
        case "postgresql" | "sqlite" as name:
            statement: Any = {"postgresql": postgresql, "sqlite": sqlite}[name].insert(Order)
            wanted = {column: statement.excluded[given] for column, given in values.items()}
            return statement.on_conflict_do_update(index_elements=["id"], set_=wanted)
        case _:
            statement = mysql.insert(Order)
            return statement.on_duplicate_key_update(
                {column: statement.inserted[given] for column, given in values.items()}
            )


def insert_new(shop: Shop) -> Any:
    """Return an INSERT of orders that leaves those which are there as they are."""
    match shop.engine.dialect.name:
        case "postgresql":
            return postgresql.insert(Order).on_conflict_do_nothing()
        case "sqlite":
            return sqlite.insert(Order).on_conflict_do_nothing()
        case _:
            return insert(Order).prefix_with("IGNORE")


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("returned", [False, True])
def test_upserted(shop: Shop, many: bool, returned: bool):
    """An upsert tells apart what it made and what it changed; rows that it leaves as they are give no event."""
    stored(shop)
    rows = [{"id": 1, "state": "new"}, {"id": 2, "state": "paid"}, {"id": 3, "state": "odd"}]
    statement = upsert(shop, status="status")
    if returned:
        statement = statement.returning(Order.id)
    with shop.session() as session:
        result = session.execute(statement, rows) if many else session.execute(statement.values(rows))
        assert not returned or sorted(result.scalars()) == [1, 2, 3]
        session.commit()
    assert brief(shop.told()) == [
        ("orders.updated", "orders/2", "new", "paid"),
        ("orders.created", "orders/3", None, "odd"),
    ]


@pytest.mark.parametrize("many", [False, True])
def test_inserted_unless_there(shop: Shop, many: bool):
    """An INSERT that leaves alone what is there tells of the rows that it made alone."""
    stored(shop)
    rows = [{"id": 2, "state": "paid"}, {"id": 3, "state": "odd"}]
    statement = insert_new(shop)
    with shop.session() as session:
        if many:
            session.execute(statement, rows)
        else:
            for row in rows:
                session.execute(statement.values(row))
        session.commit()
    assert brief(shop.told()) == [("orders.created", "orders/3", None, "odd")]


def test_inserted_from_a_query(shop: Shop):
    """INSERT ... SELECT is told row by row too."""
    stored(shop)
    with shop.session() as session:
        session.execute(insert(Parcel).from_select(["order_id"], select(Order.id).order_by(Order.id)))
        session.commit()
    assert [(t.type, t.after["order_id"]) for t in shop.told()] == [("parcels.created", 1), ("parcels.created", 2)]


def test_what_an_insert_returns_is_its_own(shop: Shop):
    """Whoever executes an INSERT gets back what was asked for, whatever capture asked for besides."""
    with shop.session() as session:
        connection = session.connection()
        assert tuple(connection.execute(insert(ORDERS).values(status="a")).inserted_primary_key or ()) == (1,)
        assert connection.execute(insert(ORDERS).values(id=5, status="b").returning(ORDERS.c.status)).all() == [("b",)]
        assert connection.execute(insert(ORDERS).values([{"status": "c"}, {"status": "d"}])).rowcount == 2
        order = session.scalars(insert(Order).values(state="e").returning(Order)).one()
        assert order.state == "e"
        session.commit()
    assert len(shop.told()) == 5


def test_objects_and_statements_are_one_event(shop: Shop):
    """Flushes and statements of one transaction make one event for each row: their net change."""
    stored(shop)
    with shop.session() as session:
        first, second = session.get_one(Order, 1), session.get_one(Order, 2)
        first.total = 5
        session.flush()
        session.connection().execute(update(ORDERS).values(status="paid"))
        second.total = 7
        session.flush()
        session.add(Order(id=3, state="new"))
        session.flush()
        session.execute(delete(Order).where(Order.id == 3))
        session.commit()
    told = shop.told()
    assert brief(told) == [("orders.updated", f"orders/{key}", "new", "paid") for key in (1, 2)]
    assert [t.after["total"] for t in told] == ["5.00", "7.00"]


def test_changed_and_changed_back_is_nothing(shop: Shop):
    """Statements that undo each other give no event."""
    stored(shop)
    with shop.session() as session:
        session.execute(update(Order).values(state="paid"))
        session.execute(update(Order).values(state="new"))
        session.execute(insert(Parcel), [{"order_id": 1}, {"order_id": 2}])
        session.execute(delete(Parcel))
        session.commit()
    assert shop.told() == []


def test_savepoints(shop: Shop):
    """What a savepoint rolls back was not done; what it releases was."""
    stored(shop)
    with shop.session() as session:
        savepoint = session.begin_nested()
        session.execute(update(Order).values(state="lost"))
        savepoint.rollback()
        with session.begin_nested():
            session.execute(update(Order).where(Order.id == 2).values(state="paid"))
        session.commit()
    assert brief(shop.told()) == [("orders.updated", "orders/2", "new", "paid")]


def test_a_statement_that_fails_is_forgotten(shop: Shop):
    """A statement that the database refuses leaves nothing behind."""
    stored(shop)
    with shop.session() as session:
        savepoint = session.begin_nested()
        with pytest.raises(Exception, match=r"(?i)null"):
            session.execute(update(Order).values(state=None))
        savepoint.rollback()
        session.execute(update(Order).where(Order.id == 1).values(state="paid"))
        session.commit()
    assert brief(shop.told()) == [("orders.updated", "orders/1", "new", "paid")]


def test_inheritance(shop: Shop):
    """A row is told as what it is, whichever of its tables a statement writes."""
    with shop.session() as session:
        session.add_all([Person(id=1, name="a"), Manager(id=2, name="b", bonus=1), Vehicle(id=1), Car(id=2, doors=3)])
        session.commit()
        shop.told()
        session.execute(update(Person).values(name="c"))
        session.execute(update(Car).values(doors=5))
        session.bulk_insert_mappings(Manager, [{"id": 3, "kind": "manager", "name": "d", "bonus": 9}])
        session.commit()
    told = {t.subject: t for t in shop.told()}
    assert told.keys() == {"people/1", "people/2", "vehicles/2", "people/3"}
    assert told["people/2"].after == {"id": 2, "kind": "manager", "name": "c", "bonus": 1}
    assert (told["people/3"].type, told["people/3"].after["bonus"]) == ("people.created", 9)


def test_changes_made_while_committing(shop: Shop):
    """A statement that another listener executes during the commit is told too."""
    stored(shop)
    with shop.session() as session:
        session.get_one(Order, 1).state = "paid"
        event.listen(session, "before_commit", lambda s: s.execute(update(Order).values(total=1)))
        session.commit()
    assert [(t.subject, t.changed) for t in shop.told()] == [("orders/1", ["status", "total"]), ("orders/2", ["total"])]


@pytest.mark.parametrize(
    ("statement", "match"),
    [
        (lambda shop: update(ORDERS).values(id=ORDERS.c.id + 10), "primary key"),
        (lambda shop: insert(ORDERS).prefix_with("OR REPLACE").values(id=1, status="odd"), "REPLACE"),
        (
            lambda shop: upsert(shop, status="status").from_select(
                ["id", "status"], select(ORDERS.c.id, ORDERS.c.status).where(ORDERS.c.id > 0)
            ),
            "which rows it updates",
        ),
        (lambda shop: upsert(shop, id="id").values(id=1, state="odd"), "primary key"),
    ],
)
def test_what_cannot_be_told_is_refused(shop: Shop, statement: Any, match: str):
    """A statement whose rows cannot be told apart is refused before it writes, with the way out."""
    stored(shop)
    with shop.session() as session:
        with pytest.raises(capture.CaptureError, match=match):
            session.connection().execute(statement(shop))
        session.commit()
    assert shop.told() == []
