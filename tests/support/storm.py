"""What storms are made of: a space of Google Chat, changes of rows, and what is told of them."""

import re
from datetime import UTC, datetime
from typing import Any

from relay.domain.delivery import State
from relay.domain.event import Event, encode, new_id
from tests.support import chat_schema
from tests.support.engine import Engine
from tests.support.sink import Sink

SPACE = "/v1/spaces/AAA/messages"
_COUNTED = re.compile(r"([\d,]+) (changes|events) from ")


def room(sink: Sink, route: str = "", *, name: str = "room", **options: Any) -> str:
    """A space with a quota that tests need not wait for, and a route for every event of the shop."""
    lines = [f"{key} = {value}" for key, value in {"rate": '"50/s"', **options}.items()]
    return "\n".join(
        [
            *("[[targets]]", f'name = "{name}"', 'kind = "google_chat"', f'url = "{sink.url(SPACE)}?key=k&token=t"'),
            *(*lines, "[[routes]]", f'name = "to-{name}"', 'sources = ["shop"]', f'to = ["{name}"]', route, ""),
        ]
    )


def change(engine: Engine, count: int, type_: str = "orders.updated", **row: Any) -> list[Event]:
    """Store changes, each of a row of its own, and route them; `row` is what else the rows hold."""
    return tell(engine, *({"type": type_, "subject": f"orders/{number}"} for number in range(count)), **row)


def tell(engine: Engine, *given: dict[str, Any], **row: Any) -> list[Event]:
    """Store events of the shop and route them: changes of a row, unless they have `data`."""
    now = datetime.now(UTC)
    events = []
    for fields in given:
        known = {"source": "shop", "type": "orders.updated", **fields}
        data = known.pop("data") if "data" in known else _row(known["subject"], row)
        events.append(Event(id=new_id(), occurred_at=now, received_at=now, body=encode(data), **known))
    engine.relay.events.add(events)
    while engine.relay.fan_out.run()[0]:
        pass
    return events


def _row(subject: str, row: dict[str, Any]) -> dict[str, Any]:
    before = {"id": subject.partition("/")[2], "status": "new", **row}
    return {"before": before, "after": before | {"status": "paid"}, "changed": ["status"], "meta": {}}


def messages(sink: Sink) -> list[Any]:
    """What the space received, each a message that Google Chat knows."""
    return [chat_schema.check(request.body) for request in sink.requests(SPACE)]


def words(message: Any) -> str:
    """All that is written on a message."""
    return "\n".join(chat_schema.strings(message))


def counts(sink: Sink) -> list[int]:
    """How many deliveries each message tells, by its own words."""
    found = (_COUNTED.search(words(message)) for message in messages(sink))
    return [int(match[1].replace(",", "")) if match else 1 for match in found]


def states(engine: Engine) -> dict[State, int]:
    """How many deliveries are in which state."""
    found = [one.state for one in engine.deliveries()]
    return {state: found.count(state) for state in set(found)}
