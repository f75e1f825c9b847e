"""Triggers tell what goes around SQLAlchemy, in the sessions' own shape, and never what a session tells already."""

import os
import sqlite3
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pymysql
import pytest
from pymysql.constants import CLIENT
from sqlalchemy import Connection, delete, make_url, text, update
from sqlalchemy.orm import sessionmaker

from tests.support import commands
from tests.support.relay import ROOT, Done
from tests.unit.capture.conftest import Shop, Told, shop, url
from tests.unit.capture.models import Document, Line, Order, Parcel

__all__ = ["shop", "url"]


def generated(*arguments: str) -> Done:
    """Run `relay capture triggers`."""
    words = ("capture", "triggers", *arguments)
    return Done(words, *commands.run(words, env=os.environ, cwd=ROOT, given=None, timeout=60))


def run_script(url: str, script: str) -> None:
    """Execute a script as its database's own client would."""
    if url.startswith("sqlite"):
        with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
            connection.executescript(script)
        connection.close()
    elif url.startswith("mysql"):
        at = make_url(url)
        with pymysql.connect(
            host=at.host,
            port=at.port or 0,
            user=at.username,
            database=at.database,
            client_flag=CLIENT.MULTI_STATEMENTS,
            init_command="SET sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES')",
        ) as connection:
            cursor = connection.cursor()
            cursor.execute(script)
            while cursor.nextset():
                continue
            connection.commit()
    else:
        with psycopg.connect(url) as connection:
            connection.execute(script.encode())


@pytest.fixture
def triggered(shop: Shop, url: str) -> Shop:
    """The shop, with triggers that the command wrote."""
    done = generated("--models", "tests.unit.capture.models", "--url", url, "--source", "shop")
    assert done.status == 0, done.err
    run_script(url, done.out)
    return shop


def brief(told: list[Told]) -> list[tuple[str, str, list[str]]]:
    """Return events as type, subject and what changed."""
    return [(t.type, t.subject, t.changed) for t in told]


def test_other_programs_are_told(triggered: Shop, url: str):
    """What another program writes is told like a session's changes; a row that it leaves as it was is not."""
    run_script(
        url,
        "INSERT INTO orders (id, status, total) VALUES (1, 'new', 5), (2, 'new', NULL);"
        "INSERT INTO \"lines\" (order_id, sku, count) VALUES (1, 'a b/ü', 1);"
        "UPDATE orders SET status = 'paid' WHERE id = 1; UPDATE orders SET status = status;"
        'UPDATE orders SET id = 9 WHERE id = 2; DELETE FROM "lines";',
    )
    told = triggered.told()
    assert brief(told)[:2] == [("orders.created", "orders/1", []), ("orders.created", "orders/2", [])]
    assert brief(told)[3:] == [
        ("orders.updated", "orders/1", ["status"]),
        ("orders.deleted", "orders/2", []),
        ("orders.created", "orders/9", []),
        ("lines.deleted", told[2].subject, []),
    ]
    assert told[2].subject.startswith("lines/1,a%20b%2F")
    assert (told[3].before["status"], told[3].after, told[3].source) == ("new", told[3].after, "shop")


def test_same_shape(triggered: Shop, url: str):
    """A trigger's event and a session's tell the same row in the same words."""
    run_script(url, "INSERT INTO orders (id, status, total) VALUES (1, 'new', 5.5)")
    (by_trigger,) = triggered.told()
    with triggered.session() as session:
        session.delete(session.get_one(Order, 1))
        session.commit()
        triggered.told()
        session.add(Order(id=1, state="new", total=5.5))
        session.commit()
    (by_session,) = triggered.told()
    assert by_trigger == by_session


WRITES: dict[str, Callable[[Any], Any]] = {
    "objects": lambda session: setattr(session.get_one(Order, 1), "state", "paid"),
    "statement": lambda session: session.execute(update(Order).values(state="paid")),
}


@pytest.mark.parametrize("way", WRITES)
@pytest.mark.parametrize("rolled_back", [False, True])
def test_sessions_are_told_once(triggered: Shop, way: str, rolled_back: bool):
    """A captured session's changes are told by itself alone, after a savepoint was rolled back too."""
    with triggered.session() as session:
        session.add(Order(id=1, state="new"))
        session.commit()
        assert triggered.types() == ["orders.created"]
        if rolled_back:
            savepoint = session.begin_nested()
            session.get_one(Order, 1).state = "lost"
            session.flush()
            savepoint.rollback()
        WRITES[way](session)
        session.commit()
    assert brief(triggered.told()) == [("orders.updated", "orders/1", ["status"])]


def test_text_in_a_session_is_told_by_the_triggers(triggered: Shop):
    """SQL text in a captured session is told, before and after the session's own changes, and without a warning."""
    with triggered.session() as session:
        session.add(Order(id=1, state="new"))
        session.flush()
        session.execute(text("INSERT INTO parcels (id) VALUES (7)"))
        session.add(Parcel(id=8))
        session.flush()
        session.execute(text("INSERT INTO parcels (id) VALUES (9)"))
        session.commit()
    assert sorted(t.subject for t in triggered.told()) == ["orders/1", "parcels/7", "parcels/8", "parcels/9"]


def test_the_mark_ends_with_the_transaction(triggered: Shop, url: str):
    """After a captured commit, and after a rollback, other programs are told again."""
    with triggered.session() as session:
        session.add(Order(id=1, state="new"))
        session.commit()
        session.add(Order(id=2, state="new"))
        session.flush()
        session.rollback()
    run_script(url, "INSERT INTO parcels (id) VALUES (1)")
    with triggered.engine.begin() as connection:
        write_text(connection)
    assert [t.subject for t in triggered.told()] == ["orders/1", "parcels/1", "parcels/2"]


def write_text(connection: Connection) -> None:
    """Write a watched table outside of sessions."""
    connection.execute(text("INSERT INTO parcels (id) VALUES (2)"))


def test_removed(triggered: Shop, url: str):
    """The script that removes the triggers leaves nothing of them."""
    done = generated("--models", "tests.unit.capture.models", "--url", url, "--drop")
    run_script(url, done.out)
    run_script(url, "INSERT INTO parcels (id) VALUES (1)")
    assert triggered.told() == []


def test_alembic(shop: Shop, url: str):
    """The migration goes up and down."""
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    done = generated("--models", "tests.unit.capture.models", "--url", url, "--source", "shop", "--alembic")
    namespace: dict[str, Any] = {}
    exec(compile(done.out, "migration", "exec"), namespace)
    for step, expected in (("upgrade", ["parcels.created"]), ("downgrade", [])):
        with shop.engine.begin() as connection, Operations.context(MigrationContext.configure(connection)):
            namespace[step]()
        run_script(url, f"DELETE FROM relay_outbox; INSERT INTO parcels (id) VALUES ({len(expected)})")
        assert shop.types() == expected


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["--models", "tests.unit.capture.models"], "which database"),
        (["--models", "no.such.module", "--url", "sqlite://"], "no.such"),
        (["--models", "json", "--url", "sqlite://"], "nothing is watched"),
        (["--models", "tests.unit.capture.models", "--url", "mssql+pymssql://h/d"], "mssql"),
    ],
)
def test_wrong_usage(arguments: list[str], match: str):
    """What cannot be done is said in one line, with status 2."""
    done = generated(*arguments)
    assert done.status == 2
    assert match in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("application_url", ["postgresql"], indirect=True)
def test_cascades_are_told(triggered: Shop, url: str):
    """Rows that the database deletes along with another are told, though a captured session deleted that one."""
    cascade = "ADD FOREIGN KEY (order_id) REFERENCES orders ON DELETE CASCADE"
    run_script(url, f"ALTER TABLE lines DROP CONSTRAINT lines_order_id_fkey, {cascade}")
    with triggered.session() as session:
        session.add(Order(id=1, state="new", lines=[Line(sku="a")]))
        session.commit()
        triggered.told()
        session.execute(delete(Order))
        session.commit()
    assert sorted(triggered.types()) == ["lines.deleted", "orders.deleted"]


def test_every_type_in_the_same_form(triggered: Shop):
    """A trigger shows a column of any type as a session does: JSON, moments, bytes, numbers and what is not there."""
    values = {
        "id": UUID("0190a1b2-0000-7000-8000-000000000001"),
        "price": Decimal("12.50"),
        "due": date(2026, 3, 1),
        "sent": datetime(2026, 3, 1, 12, 30),  # noqa: DTZ001
        "lasts": timedelta(hours=1, seconds=1),
        "tags": {"a": [1, None], "ü": "x"},
        "raw": [True],
        "body": 'it\'s "quoted"',
    }
    with sessionmaker(triggered.engine.execution_options(relay="ignore"))() as session:
        session.add(Document(**values))
        session.commit()
        session.delete(session.get_one(Document, values["id"]))
        session.commit()
    by_trigger, _ = triggered.told()
    with triggered.session() as session:
        session.add(Document(**values))
        session.commit()
    (by_session,) = triggered.told()
    bytes_and_spans = {"thumbnail", "lasts"} if triggered.engine.dialect.name == "sqlite" else set()
    assert {name for name, value in by_session.after.items() if by_trigger.after.get(name) != value} <= bytes_and_spans
