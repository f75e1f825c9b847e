"""Whatever a transaction does, its events are the difference it made."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, delete, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.orm import Session, SessionTransaction, sessionmaker
from sqlalchemy.pool import StaticPool

from relay import capture
from tests.unit.capture.conftest import OUTBOX, transactions
from tests.unit.capture.models import Base, Order

Table = dict[int, dict[str, Any]]

STATES = st.sampled_from(["new", "paid", "sent"])
KEYS = st.integers(1, 4)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("save"), KEYS, STATES),
        st.tuples(st.just("delete"), KEYS),
        st.tuples(st.just("move"), KEYS, KEYS),
        st.tuples(st.just("put"), KEYS, STATES),
        st.tuples(st.just("set"), STATES, STATES),
        st.tuples(st.just("drop"), STATES),
        st.tuples(st.sampled_from(["flush", "expire", "savepoint", "release", "undo", "commit", "rollback"])),
    ),
    max_size=25,
)


class Player:
    """Carries out the steps that make sense where they come."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.savepoints: list[SessionTransaction] = []

    def save(self, key: int, state: str) -> None:
        """Change a row, or add it."""
        order = self.session.get(Order, key)
        if order is None:
            self.session.add(Order(id=key, state=state))
        else:
            order.state = state

    def delete(self, key: int) -> None:
        """Delete a row that is there."""
        if (order := self.session.get(Order, key)) is not None:
            self.session.delete(order)

    def move(self, key: int, other: int) -> None:
        """Give a row a primary key that is free."""
        order = self.session.get(Order, key)
        if order is not None and self.session.get(Order, other) is None:
            order.id = other

    def put(self, key: int, state: str) -> None:
        """Insert a row, or update it, around its object."""
        self.session.flush()
        statement = upsert(Order).values(id=key, state=state)
        statement = statement.on_conflict_do_update(index_elements=["id"], set_={"status": state})
        self.session.connection().execute(statement)
        self.session.expire_all()

    def set(self, state: str, other: str) -> None:
        """Change all rows that are in a state, around their objects."""
        self.session.execute(update(Order).where(Order.state == state).values(state=other))

    def drop(self, state: str) -> None:
        """Delete all rows that are in a state, around their objects."""
        self.session.execute(delete(Order).where(Order.state == state))

    def flush(self) -> None:
        """Write what changed."""
        self.session.flush()

    def expire(self) -> None:
        """Forget what was loaded."""
        self.session.flush()
        self.session.expire_all()

    def savepoint(self) -> None:
        """Begin a savepoint within those there are."""
        self.savepoints.append(self.session.begin_nested())

    def release(self) -> None:
        """Release the innermost savepoint."""
        if self.savepoints:
            self.savepoints.pop().commit()

    def undo(self) -> None:
        """Roll back the innermost savepoint."""
        if self.savepoints:
            self.savepoints.pop().rollback()

    def commit(self) -> None:
        """Commit the transaction, by way of its savepoints or over their heads."""
        root = self.session.get_transaction()
        if self.savepoints and root is not None:
            root.commit()
        self.session.commit()
        self.savepoints.clear()

    def rollback(self) -> None:
        """Roll back the transaction."""
        self.session.rollback()
        self.savepoints.clear()


def content(session: Session) -> Table:
    """Return the table as it is now."""
    return {row.id: dict(row._mapping) for row in session.execute(select(Order.id, Order.__table__.c.status))}


def replayed(table: Table, events: list[Any]) -> Table:
    """Return what the events make of `table`, each checked against what the table held before it."""
    now = dict(table)
    for event in events:
        data = json.loads(event.data)
        rows = [row and {"id": row["id"], "status": row["status"]} for row in (data["before"], data["after"])]
        key = int(event.subject.removeprefix("orders/"))
        assert now.get(key) == rows[0]
        assert rows[0] != rows[1]
        now[key] = rows[1]
    return {key: row for key, row in now.items() if row is not None}


@pytest.fixture(scope="module")
def sessions() -> Iterator[sessionmaker[Session]]:
    """Captured sessions of a database in memory."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    transactions(engine)
    Base.metadata.create_all(engine)
    factory = sessionmaker(engine)
    capture.install(factory, source="shop")
    yield factory
    engine.dispose()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(there=st.dictionaries(KEYS, STATES), steps=STEPS)
def test_events_are_the_difference(
    sessions: sessionmaker[Session], there: dict[int, str], steps: list[tuple[Any, ...]]
):
    """Events turn the table that was into the table that is, each row at most once in a transaction."""
    with sessions() as session:
        session.execute(delete(OUTBOX))
        session.execute(delete(Order.__table__), execution_options={"relay": "ignore"})
        for key, state in there.items():
            session.execute(insert(Order.__table__).values(id=key, status=state), execution_options={"relay": "ignore"})
        session.commit()
        before = content(session)
        player = Player(session)
        for name, *arguments in [*steps, ("commit",)]:
            getattr(player, name)(*arguments)
        after = content(session)
        events = list(session.execute(select(OUTBOX).order_by(OUTBOX.c.seq)))
    assert replayed(before, events) == after
    if ("commit",) not in steps:
        assert len({event.subject for event in events}) == len(events)
