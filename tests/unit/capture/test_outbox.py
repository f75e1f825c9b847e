"""The outbox table, and the instants in it."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, create_engine, insert, literal, select
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.exc import StatementError
from sqlalchemy.schema import CreateTable

from relay import capture
from relay.capture.moment import Moment
from relay.capture.outbox import find

MOMENTS = [
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(2026, 1, 2, 3, 4, 5, 6, UTC),
    datetime(2026, 1, 2, 3, 4, 5, 7, timezone(timedelta(hours=-1))),
    datetime(2026, 7, 1, tzinfo=timezone(timedelta(hours=5, minutes=30))),
]


def test_the_same_table_every_time():
    """Asking twice gives one table, in the schema of the metadata it is asked for."""
    metadata = MetaData(schema="app")
    table = capture.outbox(metadata)
    assert capture.outbox(metadata) is table is find(metadata)
    assert table.fullname == "app.relay_outbox"
    assert find(MetaData()).fullname == "relay_outbox"


@pytest.mark.parametrize(
    ("dialect", "said"),
    [
        (postgresql.dialect(), ["seq BIGINT GENERATED", "id UUID", "occurred_at TIMESTAMP WITH TIME ZONE"]),
        (sqlite.dialect(), ["seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT", "occurred_at VARCHAR(27)"]),
        (mysql.dialect(), ["seq BIGINT NOT NULL AUTO_INCREMENT", "data LONGTEXT", "occurred_at VARCHAR(27)"]),
    ],
)
def test_every_database_has_its_types(dialect: object, said: list[str]):
    """The table numbers its rows, and keeps instants exactly, on every database."""
    made = str(CreateTable(capture.outbox(MetaData())).compile(dialect=dialect))
    assert [part for part in said if part not in made] == []


def test_moments_come_back_in_order(url: str):
    """An instant comes back as the same instant, and sorts as time does, whatever zone it was written in."""
    table = Table("moments", MetaData(), Column("id", Integer, primary_key=True), Column("at", Moment, nullable=True))
    engine = create_engine(url)
    table.create(engine)
    with engine.begin() as connection:
        connection.execute(insert(table), [{"at": moment} for moment in [*reversed(MOMENTS[1:]), None]])
        found = connection.scalars(select(table.c.at).where(table.c.at.is_not(None)).order_by(table.c.at)).all()
        assert found == MOMENTS[1:]
        assert all(moment.tzinfo is not None for moment in found if moment)
        assert connection.scalar(select(table.c.at).where(table.c.at.is_(None))) is None
        assert connection.scalar(select(table.c.id).where(table.c.at == MOMENTS[1])) == 3
    engine.dispose()


def test_moments_as_text():
    """Outside PostgreSQL an instant is 27 characters of UTC; one without a zone is refused."""
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        for moment in MOMENTS:
            written = str(literal(moment, Moment).compile(engine, compile_kwargs={"literal_binds": True}))
            assert len(written.strip("'")) == 27
        with pytest.raises(StatementError, match="time zone"):
            connection.scalar(select(literal(datetime(2026, 1, 1), Moment)))  # noqa: DTZ001
