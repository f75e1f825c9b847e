"""A captured shop, on SQLite, on PostgreSQL and on MariaDB."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, delete, event, select
from sqlalchemy.orm import Session, sessionmaker

from relay import capture
from tests.unit.capture.models import Base

OUTBOX = capture.outbox(Base.metadata)


@dataclass(frozen=True)
class Told:
    """An event, as the outbox tells it."""

    type: str
    subject: str
    source: str
    data: dict[str, Any]

    @property
    def before(self) -> Any:
        """The row as it was."""
        return self.data["before"]

    @property
    def after(self) -> Any:
        """The row as it is."""
        return self.data["after"]

    @property
    def changed(self) -> list[str]:
        """The names of the columns that changed."""
        return self.data["changed"]


def transactions(engine: Engine) -> None:
    """Let SQLite begin transactions when SQLAlchemy does, so that a savepoint is never the outermost one."""

    @event.listens_for(engine, "connect")
    def connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")


class Shop:
    """A database with the shop's tables, and sessions that are captured."""

    def __init__(self, url: str) -> None:
        self.engine: Engine = create_engine(url)
        if self.engine.dialect.name == "sqlite":
            transactions(self.engine)
        Base.metadata.create_all(self.engine)
        self.sessions = sessionmaker(self.engine)
        capture.install(self.sessions, source="shop")
        self.statements: list[str] = []
        event.listen(self.engine, "before_cursor_execute", self._note)

    def session(self) -> Session:
        """Return a new session."""
        return self.sessions()

    def told(self) -> list[Told]:
        """Return the events since the last time, in the order in which the relay reads them."""
        with self.engine.begin() as connection:
            rows = connection.execute(select(OUTBOX).order_by(OUTBOX.c.seq)).all()
            connection.execute(delete(OUTBOX))
        return [Told(row.type, row.subject, row.source, json.loads(row.data)) for row in rows]

    def types(self) -> list[str]:
        """Return the types of the events since the last time."""
        return [told.type for told in self.told()]

    def reads(self) -> int:
        """Return how often capture itself read rows since the last time."""
        found = [statement for statement in self.statements if " AS k0" in statement]
        self.statements.clear()
        return len(found)

    def _note(self, _connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        self.statements.append(statement)


@pytest.fixture
def url(application_url: str) -> str:
    """The URL of an empty database, of each kind."""
    return application_url


@pytest.fixture
def shop(url: str) -> Iterator[Shop]:
    """A captured shop."""
    opened = Shop(url)
    yield opened
    opened.engine.dispose()
