"""What a model says about its columns: how an event carries it, and what people read then."""

import json
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import pytest
from sqlalchemy import Enum as EnumType
from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker

from relay import capture
from relay.domain.card import Row, event_card
from relay.domain.event import Event, encode


class Base(DeclarativeBase):
    """A shop that says what it calls things."""


class State(Enum):
    """Stored by value."""

    NEW = "n"
    PAID = "p"


class Parcel(Base):
    """Labels, units and names, told in every way there is."""

    __tablename__ = "parcels"
    id: Mapped[int] = mapped_column(primary_key=True)
    weight: Mapped[int] = mapped_column(info={"relay": {"label": "Weight", "unit": "kg"}})
    state: Mapped[State] = mapped_column(
        EnumType(State, values_callable=lambda members: [member.value for member in members])
    )
    way: Mapped[int | None] = mapped_column(doc="Sent by", info={"relay": {"names": {1: "Air", 2: "Sea"}}})
    urgent: Mapped[bool] = mapped_column(default=False, info={"relay": {"names": {True: "yes", False: "no"}}})
    note: Mapped[str | None] = mapped_column(comment="What the customer wrote")
    plain: Mapped[str | None]
    phone: Mapped[str | None] = mapped_column(info={"relay": {"label": "Telephone", "hide": "mask"}})
    secret: Mapped[str | None] = mapped_column(info={"relay": {"hide": "exclude"}})


OUTBOX = capture.outbox(Base.metadata)


@pytest.fixture
def sessions() -> sessionmaker[Any]:
    """Sessions of a captured shop."""
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    capture.watch(Parcel)
    made = sessionmaker(engine)
    capture.install(made, source="shop")
    return made


def told(sessions: sessionmaker[Any]) -> list[dict[str, Any]]:
    """Return the data of every event, oldest first."""
    with sessions() as session:
        return [json.loads(row.data) for row in session.execute(select(OUTBOX).order_by(OUTBOX.c.seq))]


def rows(data: dict[str, Any]) -> tuple[Row, ...]:
    """Return the rows of the card that tells the data."""
    now = datetime(2026, 3, 1, tzinfo=UTC)
    return event_card(Event("e1", "shop", "parcels.updated", now, now, encode(data), subject="parcels/1")).rows


def test_a_change_is_told_in_the_words_of_its_model(sessions: sessionmaker[Any]) -> None:
    """A card shows labels, units and the names of values, old and new."""
    with sessions.begin() as session:
        session.add(Parcel(id=1, weight=3, state=State.NEW, way=1, note="Ring", plain="a", phone="1", secret="s"))
    with sessions.begin() as session:
        parcel = session.get_one(Parcel, 1)
        parcel.weight, parcel.state, parcel.way, parcel.urgent, parcel.note, parcel.plain = (
            4,
            State.PAID,
            2,
            True,
            None,
            "b",
        )
    created, updated = told(sessions)
    assert rows(updated) == (
        Row("Weight", "4 kg", "3 kg"),
        Row("state", "PAID", "NEW"),
        Row("Sent by", "Sea", "Air"),
        Row("urgent", "yes", "no"),
        Row("What the customer wrote", "—", "Ring"),
        Row("plain", "b", "a"),
    )
    assert [row.label for row in rows(created)][-1] == "Telephone"
    assert "secret" not in created["after"]


def test_only_what_the_event_needs_goes_along(sessions: sessionmaker[Any]) -> None:
    """An event carries the labels of the columns in it, and the names of their values, no more."""
    with sessions.begin() as session:
        session.add(Parcel(id=1, weight=3, state=State.NEW, way=1))
    with sessions.begin() as session, capture.annotate(session, actor="ana"):
        session.get_one(Parcel, 1).state = State.PAID
    with sessions.begin() as session:
        session.get_one(Parcel, 1).plain = "b"
    _, state, plain = told(sessions)
    assert state["meta"] == {"columns": {"state": {"names": {"n": "NEW", "p": "PAID"}}}, "actor": "ana"}
    assert plain["meta"] == {}


@pytest.mark.parametrize(
    ("info", "said"),
    [
        ("hide", "'exclude', 'mask', or a dict"),
        ({"lable": "Weight"}, "a dict of hide, label, names, unit"),
        ({"hide": "no"}, "hide is 'exclude' or 'mask'"),
        ({"label": 1}, "label and unit are text"),
        ({"names": [1]}, "a text for each value"),
    ],
)
def test_a_mistake_is_told_when_the_model_is_watched(info: Any, said: str) -> None:
    """What nobody could understand is refused, with the column's name."""

    class Alone(DeclarativeBase):
        pass

    class Broken(Alone):
        __tablename__ = "broken"
        id: Mapped[int] = mapped_column(primary_key=True)
        weight: Mapped[int] = mapped_column(info={"relay": info})

    with pytest.raises(capture.CaptureError, match=said):
        capture.watch(Broken)


@pytest.mark.parametrize("columns", [None, 1, [], {"a": 1}, {"a": {"label": 1, "unit": [], "names": "no"}}])
def test_odd_labels_are_no_labels(columns: Any) -> None:
    """Whatever an application puts under that name, the row is told."""
    data = {"before": {"a": 1}, "after": {"a": 2}, "changed": ["a"], "meta": {"columns": columns}}
    assert rows(data) == (Row("a", "2", "1"),)
