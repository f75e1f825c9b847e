"""No commit, no event; one event for each row and transaction, with the net change."""

from typing import Any

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from relay import capture
from tests.unit.capture.conftest import OUTBOX, Shop
from tests.unit.capture.models import Line, Order


def stored(shop: Shop, **columns: Any) -> None:
    """Store order 1, and forget the event of it."""
    with shop.session() as session:
        session.add(Order(id=1, **{"state": "new", **columns}))
        session.commit()
    shop.told()


def test_rollback_gives_nothing(shop: Shop):
    """What is rolled back leaves no event, and nothing of it in the session's next transaction."""
    with shop.session() as session:
        session.add(Order(state="new"))
        session.flush()
        session.rollback()
        session.add(Order(id=2, state="kept"))
        session.commit()
    assert [t.subject for t in shop.told()] == ["orders/2"]


def test_close_without_commit_gives_nothing(shop: Shop):
    """A session that is closed takes its changes with it."""
    with shop.session() as session:
        session.add(Order(state="new"))
        session.flush()
    assert shop.told() == []


def test_several_flushes_are_one_event(shop: Shop):
    """However often a row is written in a transaction: from how it was to how it is."""
    stored(shop)
    with shop.session() as session:
        order = session.get_one(Order, 1)
        for state in ("paid", "packed", "sent"):
            order.state = state
            session.flush()
        order.total = 3
        session.commit()
    (told,) = shop.told()
    assert (told.before["status"], told.after["status"], told.changed) == ("new", "sent", ["status", "total"])


def test_created_and_updated_is_created(shop: Shop):
    """A row that was not there before is created, as it is in the end."""
    with shop.session() as session:
        order = Order(state="new")
        session.add(order)
        session.flush()
        order.state = "paid"
        session.commit()
    (told,) = shop.told()
    assert (told.type, told.before, told.after["status"]) == ("orders.created", None, "paid")


def test_changed_and_changed_back_is_nothing(shop: Shop):
    """A row that is as it was gives no event."""
    stored(shop)
    with shop.session() as session:
        order = session.get_one(Order, 1)
        order.state = "paid"
        session.flush()
        order.state = "new"
        session.commit()
    assert shop.told() == []


def test_created_and_deleted_is_nothing(shop: Shop):
    """A row that nobody else ever saw gives no event."""
    with shop.session() as session:
        order = Order(state="new")
        session.add(order)
        session.flush()
        session.delete(order)
        session.commit()
    assert shop.told() == []


def test_deleted_and_created_again_is_updated(shop: Shop):
    """A row that is replaced was changed; replaced by its like, it was not."""
    stored(shop)
    with shop.session() as session:
        for state in ("paid", "new"):
            session.delete(session.get_one(Order, 1))
            session.flush()
            session.add(Order(id=1, state=state))
            session.commit()
    assert [(t.type, t.after["status"]) for t in shop.told()] == [("orders.updated", "paid"), ("orders.updated", "new")]


def test_savepoints(shop: Shop):
    """What a savepoint rolls back is gone; what it releases stays, and joins what came before."""
    stored(shop)
    with shop.session() as session:
        order = session.get_one(Order, 1)
        order.state = "paid"
        with session.begin_nested():
            order.total = 5
        rolled_back = session.begin_nested()
        order.state = "lost"
        session.add(Order(id=2, state="lost"))
        session.flush()
        rolled_back.rollback()
        session.add(Order(id=3, state="new"))
        session.commit()
    told = shop.told()
    assert [(t.type, t.subject) for t in told] == [("orders.updated", "orders/1"), ("orders.created", "orders/3")]
    assert (told[0].after["status"], told[0].after["total"]) == ("paid", "5.00")


def test_savepoints_within_savepoints(shop: Shop):
    """A released savepoint goes with the one around it when that is rolled back."""
    with shop.session() as session:
        outer = session.begin_nested()
        session.add(Order(id=1, state="lost"))
        with session.begin_nested():
            session.add(Order(id=2, state="lost"))
        outer.rollback()
        with session.begin_nested():
            session.add(Order(id=3, state="kept"))
            with session.begin_nested():
                session.add(Order(id=4, state="kept"))
        session.commit()
    assert [t.subject for t in shop.told()] == ["orders/3", "orders/4"]


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_commit_with_savepoints_open(shop: Shop, depth: int):
    """Committing the transaction itself releases the savepoints that are open in it, and tells of their changes."""
    with shop.session() as session:
        root = session.begin()
        session.add(Order(id=1, state="new"))
        for number in range(depth):
            session.begin_nested()
            session.add(Order(id=2 + number, state="new"))
        root.commit()
        assert not session.in_transaction()
    assert [t.subject for t in shop.told()] == [f"orders/{number}" for number in range(1, depth + 2)]


def test_a_savepoint_that_is_closed_is_forgotten(shop: Shop):
    """Closing a savepoint without releasing it rolls it back."""
    with shop.session() as session:
        savepoint = session.begin_nested()
        session.add(Order(id=1, state="lost"))
        session.flush()
        savepoint.close()
        session.add(Order(id=2, state="kept"))
        session.commit()
    assert [t.subject for t in shop.told()] == ["orders/2"]


def test_a_flush_that_fails_leaves_nothing(shop: Shop):
    """A flush that the database refuses leaves no trace of itself; what came before its savepoint stays."""
    stored(shop)
    with shop.session() as session:
        session.add(Order(id=5, state="kept"))
        savepoint = session.begin_nested()
        session.add_all([Order(id=6, state="lost"), Line(order_id=6, sku="a"), Order(id=7)])
        with pytest.raises(IntegrityError):
            session.flush()
        savepoint.rollback()
        session.commit()
    assert [t.subject for t in shop.told()] == ["orders/5"]


def test_changes_made_while_committing(shop: Shop):
    """A change that another listener makes during the commit is told too, and still as one event for each row."""
    stored(shop)

    def late(session: Session) -> None:
        session.get_one(Order, 1).total = 9
        session.add(Order(id=2, state="late"))

    with shop.session() as session:
        session.get_one(Order, 1).state = "paid"
        event.listen(session, "before_commit", late)
        session.commit()

    told = {t.subject: t for t in shop.told()}
    assert told.keys() == {"orders/1", "orders/2"}
    assert told["orders/1"].changed == ["status", "total"]


def test_events_share_the_transaction(shop: Shop):
    """Events are written through the session's own connection: whoever looks earlier, or cannot commit, has none."""
    with shop.session() as session:
        session.add(Order(id=1, state="new"))
        session.flush()
        assert session.scalar(select(func.count()).select_from(OUTBOX)) == 0
    with shop.engine.connect() as connection:
        outer = connection.begin()
        with shop.sessions(bind=connection, join_transaction_mode="create_savepoint") as session:
            session.add(Order(id=2, state="new"))
            session.commit()
        assert connection.scalar(select(func.count()).select_from(OUTBOX)) == 1
        outer.rollback()
    assert shop.told() == []


def test_annotations_are_on_every_event(shop: Shop):
    """Facts about a change go with each event of the transaction, also when it is committed after the block."""
    with shop.session() as session:
        with capture.annotate(session, actor="ana", request_id=7):
            session.add(Order(id=1, state="new"))
            with capture.annotate(session, actor="ben"):
                session.add(Order(id=2, state="new"))
                session.commit()
            session.add(Order(id=3, state="new"))
        session.commit()
        session.add(Order(id=4, state="new"))
        session.commit()
    meta = {t.subject: t.data["meta"] for t in shop.told()}
    assert meta == {
        "orders/1": {"actor": "ben", "request_id": 7},
        "orders/2": {"actor": "ben", "request_id": 7},
        "orders/3": {"actor": "ana", "request_id": 7},
        "orders/4": {},
    }
