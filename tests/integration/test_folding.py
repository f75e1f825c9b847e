"""Storm control: what is too much to read is one message, and nothing of it is lost."""

from datetime import UTC, datetime
from typing import Any

from relay.domain.delivery import State
from relay.domain.event import Event, encode, new_id
from tests.support import chat_schema
from tests.support.engine import Engine, engine
from tests.support.sink import Sink

__all__ = ["engine"]

SPACE = "/v1/spaces/AAA/messages"


def room(sink: Sink, route: str = "", **options: Any) -> str:
    """A space of Google Chat with a quota that tests need not wait for, and a route for every event of the shop."""
    given = {"rate": '"50/s"', **options}
    lines = [f"{key} = {value}" for key, value in given.items()]
    return "\n".join(
        [
            *(
                "[[targets]]",
                'name = "room"',
                'kind = "google_chat"',
                f'url = "{sink.url(SPACE)}?key=k&token=t"',
                *lines,
            ),
            *("[[routes]]", 'name = "changes"', 'sources = ["shop"]', 'to = ["room"]', route, ""),
        ]
    )


def change(engine: Engine, count: int, type_: str = "orders.updated", **fields: Any) -> list[Event]:
    """Store changes of rows, each of another one, and route them."""
    now = datetime.now(UTC)
    events = [
        Event(new_id(), "shop", type_, now, now, encode(_row(number)), subject=f"orders/{number}")
        for number in range(count)
    ]
    engine.relay.events.add(events)
    while engine.relay.fan_out.run()[0]:
        pass
    return events


def _row(number: int) -> dict[str, Any]:
    row = {"id": number, "status": "new"}
    return {"before": row, "after": row | {"status": "paid"}, "changed": ["status"], "meta": {}}


def messages(sink: Sink) -> list[Any]:
    """What the space received, each a message that Google Chat knows."""
    return [chat_schema.check(request.body) for request in sink.requests(SPACE)]


def words(message: Any) -> str:
    """All that is written on a message."""
    return "\n".join(chat_schema.strings(message))


def states(engine: Engine) -> dict[State, int]:
    """How many deliveries are in which state."""
    found = [one.state for one in engine.deliveries()]
    return {state: found.count(state) for state in set(found)}


def test_a_burst_is_one_message(engine: Engine, sink: Sink) -> None:
    """Three hundred changes that wait for a space are told at once: how many of which kind, the first of them, when."""
    engine.configure(room(sink))
    created = change(engine, 40, "orders.created")
    change(engine, 260)
    engine.drain()
    (message,) = messages(sink)
    told = words(message)
    assert "300 changes from shop" in told
    assert "260" in told
    assert "Order 0 created" in told
    assert "Order 0 updated: status new → paid" in told
    assert "… and 290 more" in told
    assert "thread" not in message
    leader, *riders = engine.deliveries()
    assert (leader.state, leader.attempts, leader.event_id) == (State.DELIVERED, 1, created[0].id)
    assert {one.state for one in riders} == {State.FOLDED}
    assert {(one.folded_into, one.attempts, one.finished_at) for one in riders} == {(leader.id, 0, leader.finished_at)}
    (request,) = sink.requests(SPACE)
    assert request.headers["webhook-id"] == f"{created[0].id}_room"
    assert engine.relay.deliveries.folded_count(leader.id) == 299
