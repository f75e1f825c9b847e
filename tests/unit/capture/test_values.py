"""How values look in an event, whatever mapping they come from."""

import enum
import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from ipaddress import ip_address
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import ARRAY, Enum, Float, Integer, Numeric, String, create_engine, select
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker

from relay import capture
from relay.capture.values import LIMIT, exporter, plain
from tests.unit.capture.conftest import Shop
from tests.unit.capture.models import Car, Customer, Document, Manager, Node, Person, Stamped, Status, Vehicle

DOCUMENT = UUID("0190a1b2-0000-7000-8000-000000000001")


class Colour(enum.StrEnum):
    """Names and values that stand for each other."""

    RED = "BLUE"
    BLUE = "RED"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (Decimal("1E+3"), "1000"),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
        (datetime(2026, 1, 2, 3, 4, 5, 6, UTC), "2026-01-02T03:04:05.000006+00:00"),
        (date(2026, 1, 2), "2026-01-02"),
        (time(3, 4), "03:04:00"),
        (timedelta(minutes=1.5), 90.0),
        (DOCUMENT, str(DOCUMENT)),
        (b"\xff\x00", "/wA="),
        (memoryview(b"a"), "YQ=="),
        ({3, 1}, [1, 3]),
        ((1, [Decimal("2.50")]), [1, ["2.50"]]),
        ({1: {"at": date(2026, 1, 2)}}, {"1": {"at": "2026-01-02"}}),
        (Colour.RED, "BLUE"),
        (Status.PAID, "p"),
        (ip_address("::1"), "::1"),
        (Range(1, None), {"lower": 1, "upper": None, "bounds": "[)"}),
    ],
)
def test_plain(value: Any, expected: Any):
    """Every value a column can hold has one JSON form."""
    assert plain(value) == expected
    assert type(plain(value)) is type(expected)


def test_plain_refuses_the_rest():
    """A value without JSON form is refused by the name of its type."""
    with pytest.raises(capture.CaptureError, match="object"):
        plain([object()])


@pytest.mark.parametrize(
    ("column_type", "value", "expected"),
    [
        (Enum(Status), Status.PAID, "PAID"),
        (Enum(Status), "PAID", "PAID"),
        (Enum(Status), None, None),
        (Enum(Status, values_callable=lambda members: [m.value for m in members]), Status.PAID, "p"),
        (Enum(Colour), Colour.RED, "RED"),
        (Enum("a", "b"), "a", "a"),
        (ARRAY(Enum(Status)), [Status.PAID, None], ["PAID", None]),
        (Numeric(10, 2), 9, "9.00"),
        (Numeric(10, 2), Decimal("1.005"), "1.01"),
        (Numeric(10, 2), Decimal("NaN"), "NaN"),
        (Numeric(), Decimal("1.50"), "1.50"),
        (Float(), 1.5, 1.5),
        (Integer(), 5, 5),
        (String(), "x", "x"),
    ],
)
def test_column_types_decide(column_type: Any, value: Any, expected: Any):
    """A value looks as its column keeps it, and looks the same when it is exported twice."""
    export = exporter(column_type)
    assert export(value) == expected
    assert export(export(value)) == expected


def test_documents(shop: Shop):
    """Each type of column arrives in its JSON form, before a change and after it."""
    values: dict[str, Any] = {
        "status": Status.PAID,
        "price": 7,
        "due": date(2026, 1, 2),
        "sent": datetime(2026, 1, 2, 3, 4, 5),  # noqa: DTZ001  the column has no time zone
        "lasts": timedelta(hours=1),
        "thumbnail": b"\x00\xff",
        "tags": {"a": [1]},
        "raw": [1, None],
    }
    expected = {
        "id": str(DOCUMENT),
        "status": "PAID",
        "price": "7.00",
        "due": "2026-01-02",
        "sent": "2026-01-02T03:04:05",
        "lasts": 3600.0,
        "thumbnail": "AP8=",
        "tags": {"a": [1]},
        "raw": [1, None],
    }
    with shop.session() as session:
        session.add(Document(id=DOCUMENT, body="long", **values))
        session.commit()
        (told,) = shop.told()
        assert told.after == expected | {"body": "long"}

        session.get_one(Document, DOCUMENT).status = Status.NEW
        session.commit()
    (told,) = shop.told()
    assert told.before == expected
    assert told.after == expected | {"status": "NEW"}


def test_json_changed_in_place(shop: Shop):
    """A mutable value that is changed in place shows what it was, and later changes to the object do not show."""
    with shop.session() as session:
        document = Document(id=DOCUMENT, tags={"a": 1}, raw={"deep": [1]})
        session.add(document)
        session.commit()
        shop.told()

        assert document.tags is not None
        document.tags["b"] = 2
        session.flush()
        document.raw["deep"].append(2)
        session.commit()
    (told,) = shop.told()
    assert (told.before["tags"], told.after["tags"], told.changed) == ({"a": 1}, {"a": 1, "b": 2}, ["tags"])
    assert told.after["raw"] == {"deep": [1]}


def test_deferred_columns_stay_where_they_are(shop: Shop):
    """A deferred column is not read for an event, unless it is what changed."""
    with shop.session() as session:
        session.add(Document(id=DOCUMENT, body="long"))
        session.commit()
        shop.told()
        document = session.get_one(Document, DOCUMENT)
        document.price = 1
        session.commit()
        (told,) = shop.told()
        assert "body" not in told.before | told.after

        document.price = 2
        session.flush()
        document.body = "longer"
        session.commit()
    (told,) = shop.told()
    assert (told.before["body"], told.after["body"], told.changed) == ("long", "longer", ["price", "body"])


def test_what_the_database_fills_in(shop: Shop):
    """Defaults, computed columns, version counters and values written on update are told as the database has them."""
    with shop.session() as session:
        row = Stamped(id=1, name="a")
        session.add(row)
        session.commit()
        (told,) = shop.told()
        assert told.after == {
            "id": 1,
            "name": "a",
            "colour": "green",
            "size": 3,
            "edits": 0,
            "shouted": "A",
            "version": 1,
            "touched": None,
            "renamed": None,
            "trigger": None,
        }
        row.name = "b"
        row.edits = Stamped.edits + 1
        session.commit()
    (told,) = shop.told()
    assert told.before["shouted"] == "A"
    filled_in = {"shouted": "B", "version": 2, "touched": "touched", "renamed": "renamed"}
    assert told.after == told.before | {"name": "b", "edits": 1} | filled_in
    assert told.changed == ["name", "edits", "shouted", "version", "touched", "renamed"]


@pytest.mark.parametrize("loaded", [True, False])
def test_what_the_database_fills_in_on_update(shop: Shop, loaded: bool):
    """A value that the UPDATE itself computes is told, whether the session knew the one before or not."""
    with shop.session() as session:
        row = Stamped(id=1, name="a")
        session.add(row)
        session.commit()
        shop.told()
        if loaded:
            session.refresh(row)
        row.name = "b"
        session.commit()
    (told,) = shop.told()
    assert (told.before["renamed"], told.after["renamed"]) == (None, "renamed")


def test_defaults_without_returning(shop: Shop):
    """Where the INSERT itself does not bring a default back, all rows of a transaction are read in one statement."""
    shop.engine.dialect.insert_returning = False
    shop.engine.dialect.use_insertmanyvalues = False
    with shop.session() as session:
        session.add_all([Stamped(id=number, name="a") for number in range(1, 4)])
        session.commit()
    assert shop.reads() == 1
    assert [(t.after["colour"], t.after["shouted"]) for t in shop.told()] == [("green", "A")] * 3


def test_joined_inheritance(shop: Shop):
    """A row of joined tables is one event with the columns of all, named after the table that is watched."""
    with shop.session() as session:
        session.add_all([Person(id=1, name="a"), Manager(id=2, name="b", bonus=5)])
        session.commit()
        person, manager = shop.told()
        assert (person.type, person.after) == ("people.created", {"id": 1, "kind": "person", "name": "a"})
        assert manager.subject == "people/2"
        assert manager.after == {"id": 2, "kind": "manager", "name": "b", "bonus": 5}

        session.get_one(Manager, 2).bonus = 6
        session.commit()
        (told,) = shop.told()
        assert (told.before, told.changed) == ({"id": 2, "kind": "manager", "name": "b", "bonus": 5}, ["bonus"])

        session.delete(session.get_one(Person, 2))
        session.commit()
    assert [(t.type, t.before["name"]) for t in shop.told()] == [("people.deleted", "b")]


def test_single_table_inheritance(shop: Shop):
    """Subclasses in the same table have the columns they map."""
    with shop.session() as session:
        session.add_all([Vehicle(id=1), Car(id=2, doors=5)])
        session.commit()
    assert [t.after for t in shop.told()] == [{"id": 1, "kind": "vehicle"}, {"id": 2, "kind": "car", "doors": 5}]


def test_rows_that_point_at_each_other(shop: Shop):
    """What SQLAlchemy writes in a second statement of the same flush is part of the same event."""
    with shop.session() as session:
        first, second = Node(id=1), Node(id=2)
        first.best, second.best = second, first
        session.add_all([first, second])
        session.commit()
        assert [(t.type, t.after["best_id"]) for t in shop.told()] == [("nodes.created", 2), ("nodes.created", 1)]

        first.best = None
        session.commit()
        (told,) = shop.told()
        assert (told.before["best_id"], told.after["best_id"]) == (2, None)


def test_private_columns(shop: Shop):
    """Excluded columns never leave; masked ones show that they changed, and nothing else."""
    with shop.session() as session:
        session.add(Customer(id=1, email="ana@example.com", password_hash="x", phone="1", notes="y"))
        session.commit()
        (created,) = shop.told()
        assert created.after.keys() == {"id", "email", "phone"}
        assert created.after["email"].startswith("masked:")

        customer = session.get_one(Customer, 1)
        customer.email, customer.password_hash = "ben@example.com", "z"
        session.commit()
        (told,) = shop.told()
        assert told.changed == ["email"]
        assert told.before["email"] == created.after["email"] != told.after["email"]

        customer.password_hash, customer.email = "w", "ben@example.com"
        session.commit()
        assert shop.told() == []

        customer.email = None
        session.commit()
    (told,) = shop.told()
    assert told.after["email"] is None


def test_long_text_is_cut(shop: Shop):
    """Long text ends in a mark; that it changed beyond the cut still counts."""
    with shop.session() as session:
        document = Document(id=DOCUMENT, body="x" * LIMIT + "a")
        session.add(document)
        session.commit()
        shop.told()
        document.body = "x" * LIMIT + "b"
        session.commit()
    (told,) = shop.told()
    assert told.changed == ["body"]
    assert told.after["body"] == "x" * LIMIT + f"… (cut, {LIMIT + 1} characters)"


def test_no_columns_at_all(tmp_path: Any):
    """A model may be watched for its keys alone: events then say which row, and nothing of what is in it."""

    class Base(DeclarativeBase):
        pass

    class Secret(Base):
        __tablename__ = "secrets"
        id: Mapped[int] = mapped_column(primary_key=True)
        text: Mapped[str]

    table = capture.outbox(Base.metadata)
    engine = create_engine(f"sqlite:///{tmp_path}/secrets.db")
    Base.metadata.create_all(engine)
    sessions = sessionmaker(engine)
    capture.watch(Secret, only=())
    capture.install(sessions, source="shop")
    with sessions() as session:
        session.add_all([Secret(id=1, text="a"), Secret(id=2, text="b")])
        session.commit()
        session.get_one(Secret, 1).text = "c"
        session.delete(session.get_one(Secret, 2))
        session.commit()
        told = [(row.subject, json.loads(row.data)) for row in session.execute(select(table).order_by(table.c.seq))]
    engine.dispose()
    nothing = {"changed": [], "meta": {}}
    assert told == [
        ("secrets/1", {"before": None, "after": {}} | nothing),
        ("secrets/2", {"before": None, "after": {}} | nothing),
        ("secrets/2", {"before": {}, "after": None} | nothing),
    ]


def test_text_that_json_alone_can_hold(shop: Shop):
    """Text with quotes, control characters and lone surrogates arrives as it was, one row or several at once."""
    texts = ['"\\ \x1e %s %%', "ü\u2028"]
    with shop.session() as session, capture.annotate(session, half="\ud800"):
        session.add_all([Document(id=UUID(int=number), raw=[text]) for number, text in enumerate(texts)])
        session.commit()
        told = shop.told()
        session.get_one(Document, UUID(int=0)).raw = "\t"
        session.commit()
    told += shop.told()
    assert [each.after["raw"] for each in told] == [[texts[0]], [texts[1]], "\t"]
    assert [each.data["meta"] for each in told] == [{"half": "\ud800"}] * 3


def test_values_that_are_equal_are_no_change(shop: Shop):
    """A value that is another object, or of another type, and means the same in the database is no change."""
    with shop.session() as session:
        session.add(Document(id=DOCUMENT, price=Decimal("1.50"), raw={"a": 1, "b": 2}, tags=None, body=None))
        session.commit()
        shop.told()
        document = session.get_one(Document, DOCUMENT)
        document.price, document.raw = Decimal("1.5"), {"b": 2, "a": True}
        session.commit()
        assert shop.told() == []
        document.price, document.raw = Decimal("1.5"), {"a": 1}
        session.commit()
    (told,) = shop.told()
    assert told.changed == ["raw"]
    assert (told.before["price"], told.after["price"]) == ("1.50", "1.50")
