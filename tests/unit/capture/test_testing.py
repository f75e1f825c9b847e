"""The kit for applications' tests shows what commits tell."""

from collections.abc import Callable
from typing import Any

import pytest

from relay import capture
from relay.capture.testing import captured_events
from tests.unit.capture.conftest import Shop
from tests.unit.capture.models import Order

__all__ = ["captured_events"]


@pytest.mark.parametrize("place", ["session", "connection", "engine"])
def test_events_since_the_last_time(shop: Shop, captured_events: Callable[[Any], list[Any]], place: str):
    """Each call returns what was told since the one before, with who did it."""
    with shop.session() as session:
        places = {"session": lambda: session, "connection": session.connection, "engine": lambda: shop.engine}
        session.add(Order(id=1, state="new"))
        session.commit()
        (created,) = captured_events(places[place]())
        session.commit()
        with capture.annotate(session, actor="ana"):
            session.get_one(Order, 1).state = "paid"
            session.commit()
        (updated,) = captured_events(places[place]())
        session.commit()
        assert captured_events(places[place]()) == []
    assert (created.type, created.before, created.source) == ("orders.created", None, "shop")
    assert (updated.subject, updated.changed, updated.meta) == ("orders/1", ["status"], {"actor": "ana"})
    assert updated.after["status"] == "paid"


def test_uncommitted_events_are_not_there(shop: Shop, captured_events: Callable[[Any], list[Any]]):
    """What was rolled back is told nowhere."""
    with shop.session() as session:
        session.add(Order(id=1, state="new"))
        session.flush()
        session.rollback()
        assert captured_events(session) == []
