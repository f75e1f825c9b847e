"""The kit for applications' tests shows what commits tell."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from relay import capture
from relay.capture.testing import captured_events, captured_messages
from relay.errors import InvalidConfiguration
from tests.unit.capture.conftest import Shop
from tests.unit.capture.models import Order

__all__ = ["captured_events", "captured_messages"]


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


CONFIGURATION = """
[[targets]]
name = "ops-room"
kind = "google_chat"
url = "env:OPS_ROOM_URL"

[[targets]]
name = "billing"
kind = "http"
url = "https://billing.example/hooks"
headers = { authorization = "secret-token" }

[[routes]]
name = "paid"
types = ["orders.updated"]
when = "data.after.status == 'paid' && data.before.status != 'paid'"
to = ["ops-room"]
text = "Order *{{ data.after.id }}* is paid: {{ data.after.total }}"

[[routes]]
name = "all"
to = ["billing"]
"""
ENV = {"OPS_ROOM_URL": "https://chat.googleapis.com/v1/spaces/A/messages?key=the-key&token=the-token"}


@pytest.mark.parametrize("written", [False, True])
def test_messages(shop: Shop, captured_messages: Callable[..., list[Any]], tmp_path: Path, written: bool):
    """A commit's messages are told as they would be sent, by target and route, in the order of the events."""
    path = tmp_path / "relay.toml"
    path.write_text(CONFIGURATION)
    with shop.session() as session:
        session.add(Order(id=42, state="new", total=9.9))
        session.commit()
        session.get_one(Order, 42).state = "paid"
        session.commit()
        sent = captured_messages(session, path if written else CONFIGURATION, env=ENV)
        assert captured_messages(session, CONFIGURATION, env=ENV) == []
    assert [(m.event.type, m.target, m.route, m.text) for m in sent] == [
        ("orders.created", "billing", "all", None),
        ("orders.updated", "ops-room", "paid", "Order *42* is paid: 9.90"),
        ("orders.updated", "billing", "all", None),
    ]
    assert sent[1].json["text"] == "Order *42* is paid: 9.90"
    assert (sent[2].json["subject"], sent[2].json["data"]["changed"]) == ("orders/42", ["status"])
    assert "webhook-id" in {name.lower() for name in sent[2].headers}
    assert not [word for word in ("the-token", "secret-token") if word in str(sent)]
    assert "OPS_ROOM_URL" not in os.environ


@pytest.mark.parametrize("application_url", ["sqlite"], indirect=True)
def test_messages_of_events(shop: Shop, captured_events: Any, captured_messages: Callable[..., list[Any]]):
    """Events taken before become messages too; a mistake in the configuration or in the words is an error."""
    with shop.session() as session:
        session.add(Order(id=1, state="new"))
        session.commit()
        events = captured_events(session)
    assert [m.target for m in captured_messages(events, CONFIGURATION, ENV)] == ["billing"]
    with pytest.raises(InvalidConfiguration, match="OPS_ROOM_URL"):
        captured_messages(events, CONFIGURATION)
    with pytest.raises(InvalidConfiguration, match="no such file"):
        captured_messages(events, "absent.toml")
    wrong = CONFIGURATION.replace("orders.updated", "orders.created").split("when =")[0] + (
        'to = ["ops-room"]\ntext = "{{ 1 // 0 }}"\n'
    )
    with pytest.raises(ValueError, match="zero"):
        captured_messages(events, wrong, ENV)
