"""What a session flushes becomes events."""

from sqlalchemy.orm import undefer
from sqlalchemy.orm.attributes import flag_dirty

from tests.unit.capture.conftest import Shop
from tests.unit.capture.models import Customer, Line, Note, Order, Parcel


def test_a_new_row_is_created(shop: Shop):
    """A row that is added gives one event with every column, named as in the database, and nothing before."""
    with shop.session() as session:
        session.add(Order(state="new", total=5))
        session.commit()

    (told,) = shop.told()
    assert (told.type, told.subject, told.source) == ("orders.created", "orders/1", "shop")
    assert told.data == {
        "before": None,
        "after": {"id": 1, "status": "new", "total": "5.00", "customer_id": None},
        "changed": [],
        "meta": {},
    }


def test_a_changed_row_is_updated(shop: Shop):
    """A change says what the row was, what it is, and which columns differ."""
    with shop.session() as session:
        session.add(Order(id=1, state="new", total=5))
        session.commit()
    shop.told()

    with shop.session() as session:
        session.get_one(Order, 1).state = "paid"
        session.commit()

    (told,) = shop.told()
    assert (told.type, told.subject, told.changed) == ("orders.updated", "orders/1", ["status"])
    assert told.before == {"id": 1, "status": "new", "total": "5.00", "customer_id": None}
    assert told.after == told.before | {"status": "paid"}


def test_a_row_is_deleted(shop: Shop):
    """A deletion says what the row was."""
    with shop.session() as session:
        session.add(Order(id=1, state="new"))
        session.commit()
        session.delete(session.get_one(Order, 1))
        session.commit()

    _, told = shop.told()
    assert (told.type, told.after, told.changed) == ("orders.deleted", None, [])
    assert told.before == {"id": 1, "status": "new", "total": None, "customer_id": None}


def test_rows_that_expired_are_read_before_they_change(shop: Shop):
    """After a commit a session knows nothing of its objects: what they were is read, all of them in one statement."""
    with shop.session() as session:
        orders = [Order(state="new") for _ in range(5)]
        session.add_all(orders)
        session.commit()
        shop.told()
        shop.reads()
        for order in orders:
            order.state = "paid"
        session.commit()

    assert shop.reads() == 1
    told = shop.told()
    assert [(t.before["status"], t.after["status"]) for t in told] == [("new", "paid")] * 5
    assert all(t.after.keys() == {"id", "status", "total", "customer_id"} for t in told)


def test_deleted_rows_that_expired_are_read_first(shop: Shop):
    """A deletion says what the row was, though the session had forgotten it."""
    with shop.session() as session:
        orders = [Order(state="new") for _ in range(3)]
        session.add_all(orders)
        session.commit()
        shop.told()
        for order in orders:
            session.delete(order)
        session.commit()

    assert [(t.type, t.before["status"]) for t in shop.told()] == [("orders.deleted", "new")] * 3


def test_nothing_is_read_that_is_known(shop: Shop):
    """Rows that the session has loaded cost no statement but the outbox's own."""
    with shop.session() as session:
        session.add(Order(id=1, state="new"))
        session.commit()
        order = session.get_one(Order, 1)
        _ = order.state, order.lines, order.parcels
        shop.reads()
        order.state = "paid"
        session.commit()
        assert shop.reads() == 0


def test_an_expression_is_told_by_its_result(shop: Shop):
    """A value that the database computes is read back, and what it was before is known."""
    with shop.session() as session:
        session.add(Order(id=1, state="new", total=5))
        session.commit()
        shop.told()
        session.get_one(Order, 1).total = Order.total + 1
        session.commit()

    (told,) = shop.told()
    assert (told.before["total"], told.after["total"], told.changed) == ("5.00", "6.00", ["total"])


def test_cascades_are_told(shop: Shop):
    """Rows that are saved, deleted or orphaned with another row have events of their own."""
    with shop.session() as session:
        order = Order(id=1, state="new", lines=[Line(sku="a"), Line(sku="b/ü"), Line(sku="c,d")])
        session.add(order)
        session.commit()
        created = [t.subject for t in shop.told()]
        assert created == ["orders/1", "lines/1,a", "lines/1,b%2F%C3%BC", "lines/1,c%2Cd"]

        order.lines.pop()
        session.commit()
        assert [(t.type, t.subject) for t in shop.told()] == [("lines.deleted", "lines/1,c%2Cd")]

        session.delete(order)
        session.commit()
        assert sorted(shop.types()) == ["lines.deleted", "lines.deleted", "orders.deleted"]


def test_foreign_keys_follow_relationships(shop: Shop):
    """A relationship is told by the foreign key it sets, also where only the other side knows of it."""
    with shop.session() as session:
        order = Order(id=1, state="new", customer=Customer(id=7), parcels=[Parcel(id=3)])
        session.add(order)
        session.commit()
        created = {t.type: t.after for t in shop.told()}
        assert created["orders.created"]["customer_id"] == 7
        assert created["parcels.created"] == {"id": 3, "order_id": 1}

        order.parcels.clear()
        session.commit()
        (told,) = shop.told()
        assert (told.before, told.after, told.changed) == (
            {"id": 3, "order_id": 1},
            {"id": 3, "order_id": None},
            ["order_id"],
        )


def test_a_new_object_in_a_deleted_ones_place_is_an_update(shop: Shop):
    """Deleting a row and adding one under its key in one flush changes that row: SQLAlchemy makes one UPDATE of it."""
    with shop.session() as session:
        session.add(Order(id=1, state="new", total=5))
        session.commit()
        shop.told()
        session.delete(session.get_one(Order, 1))
        session.add(Order(id=1, state="again"))
        session.commit()

    (told,) = shop.told()
    assert (told.type, told.before["status"], told.after["status"]) == ("orders.updated", "new", "again")


def test_a_new_primary_key_is_another_row(shop: Shop):
    """A row whose key changes is gone under the old one and there under the new one, as the table has it."""
    with shop.session() as session:
        session.add(Order(id=1, state="new"))
        session.commit()
        shop.told()
        session.get_one(Order, 1).id = 9
        session.commit()

    assert {(t.type, t.subject) for t in shop.told()} == {
        ("orders.deleted", "orders/1"),
        ("orders.created", "orders/9"),
    }


def test_merged_and_detached_objects(shop: Shop):
    """An object that was changed outside any session counts when it is merged into one."""
    with shop.session() as session:
        order = Order(id=1, state="new")
        session.add(order)
        session.commit()
        session.refresh(order)
    shop.told()
    order.state = "paid"
    with shop.session() as session:
        session.merge(order)
        session.commit()

    (told,) = shop.told()
    assert (told.before["status"], told.after["status"]) == ("new", "paid")


def test_what_is_not_watched_is_not_told(shop: Shop):
    """A model that is not watched writes no event and no statement, once its engine was looked at."""
    with shop.session() as session:
        session.connection()
    shop.statements.clear()
    with shop.session() as session:
        session.add(Note(id=1))
        session.commit()
    assert not any("relay_outbox" in statement for statement in shop.statements)
    assert shop.told() == []


def test_a_query_that_loads_all_changes_nothing(shop: Shop):
    """Touching a row without changing it is no event."""
    with shop.session() as session:
        session.add(Order(id=1, state="new"))
        session.commit()
        shop.told()
        order = session.get_one(Order, 1, options=[undefer("*")])
        order.state = "new"
        session.commit()
    assert shop.told() == []


def test_an_expired_row_that_is_marked_and_not_changed(shop: Shop):
    """An object of which the session knows nothing may be flushed without a statement, and without an event."""
    with shop.session() as session:
        order = Order(id=1, state="new")
        session.add(order)
        session.commit()
        shop.told()
        flag_dirty(order)
        session.commit()
    assert shop.told() == []
