"""For an application's own tests: what a commit tells. Put `pytest_plugins = ["relay.capture.testing"]` in conftest.py.

def test_paying(session, captured_events):
    pay(session, order)
    assert [event.type for event in captured_events(session)] == ["orders.updated"]


def test_telling(session, captured_messages):
    pay(session, order)
    (message,) = captured_messages(session, "relay.toml")
    assert (message.target, message.text) == ("ops-room", "Order *42* is paid: 9.90")
"""

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, MetaData, delete, select
from sqlalchemy.orm import Session

from relay.capture.outbox import outbox

Place = Engine | Connection | Session
"""Where to look: a session or a connection sees its own open transaction too."""


@dataclass(frozen=True, slots=True)
class CapturedEvent:
    """An event as the relay will get it."""

    type: str
    subject: str | None
    source: str
    data: dict[str, Any]

    @property
    def before(self) -> dict[str, Any] | None:
        """Return the row as it was; `None` when it was not there."""
        return self._of("before")

    @property
    def after(self) -> dict[str, Any] | None:
        """Return the row as it is; `None` when it is no more."""
        return self._of("after")

    @property
    def changed(self) -> list[str]:
        """Return the names of the columns that changed."""
        return list(self.data["changed"])

    @property
    def meta(self) -> dict[str, Any]:
        """Return what `annotate` said."""
        return dict(self.data["meta"])

    def _of(self, side: str) -> dict[str, Any] | None:
        row = self.data[side]
        return None if row is None else dict(row)


def captured(place: Place, schema: str | None = None) -> list[CapturedEvent]:
    """Return the events that were told since the last call, oldest first, and take them out of the outbox."""
    table = outbox(MetaData(schema=schema))
    with _opened(place) as connection:
        rows = connection.execute(select(table).order_by(table.c.seq)).all()
        connection.execute(delete(table))
    return [CapturedEvent(row.type, row.subject, row.source, json.loads(row.data)) for row in rows]


def _opened(place: Place) -> AbstractContextManager[Connection]:
    match place:
        case Engine():
            return place.begin()
        case Session():
            return nullcontext(place.connection())
        case _:
            return nullcontext(place)


def captured_messages_of(
    told: Place | Iterable[CapturedEvent], configuration: Path | str, env: Mapping[str, str] | None = None
) -> list[Any]:
    """Return what `told` becomes under a relay.toml: events, or those that `captured` takes out of a place.

    See `relay.testing.messages`.
    """
    events = captured(told) if isinstance(told, Engine | Connection | Session) else told
    # The relay itself is above capture: only who asks for messages has it imported.
    made: list[Any] = import_module("relay.testing").messages(events, configuration, env)
    return made


@pytest.fixture
def captured_messages() -> Callable[..., list[Any]]:
    """Return what tells the messages of the events since the last call: `captured_messages(session, "relay.toml")`."""
    return captured_messages_of


@pytest.fixture
def captured_events() -> Callable[[Place], list[CapturedEvent]]:
    """Return `captured`: what was told since the last call."""
    return captured
