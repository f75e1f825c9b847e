"""Replays: what has ended is made due again in one statement, and counted by the deliveries themselves."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, Row, case, exists, func, insert, literal, select, update

from relay.domain.delivery import OPEN, State
from relay.domain.event import new_id
from relay.domain.replay import Replay, Started
from relay.errors import NotFound
from relay.store.batch import any_of
from relay.store.database import Database
from relay.store.deliveries import filtered
from relay.store.folds import cancel, is_over
from relay.store.tables import deliveries, events, replays, targets

CANCELLED = "its replay was cancelled"


class Replays:
    """The `replays` table, and the deliveries that belong to its rows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def start(self, filters: Mapping[str, Any], rate: float | None, now: datetime) -> Started:
        """Make all that fits due again, whatever came of it: at once, or `rate` of them a second in their order.

        `filters` are those of `Deliveries.find`, or `ids` of events and deliveries; such events are also routed again.
        What is on its way is left alone, and so is what went to a target that is gone. Raises `NotFound` when `ids`
        name nothing.
        """
        replay_id = new_id()
        with self._database.writing() as connection:
            count = self._make_due(connection, replay_id, filters, rate, now)
            routed = _route_again(connection, filters["ids"]) if "ids" in filters else 0
            if "ids" in filters and not count and not routed:
                raise NotFound("none of these is an event or a finished delivery", hint="`relay deliveries` lists them")
            stored = orjson.dumps(filters, option=orjson.OPT_UTC_Z).decode()
            row = {"id": replay_id, "created_at": now, "rate": rate, "count": count, "filter": stored}
            connection.execute(insert(replays).values(row))
        return Started(replay_id, count, routed)

    def find(self, before: str | None, limit: int) -> list[Replay]:
        """Return replays, newest first, from `before` (an id) backwards."""
        statement = select(replays).order_by(replays.c.id.desc()).limit(limit)
        if before is not None:
            statement = statement.where(replays.c.id < before)
        with self._database.reading() as connection:
            return _with_progress(connection, connection.execute(statement).all())

    def get(self, replay_id: str) -> Replay | None:
        """Return one replay, or `None`."""
        with self._database.reading() as connection:
            rows = connection.execute(select(replays).where(replays.c.id == replay_id)).all()
            return next(iter(_with_progress(connection, rows)), None)

    def cancel(self, replay_id: str, now: datetime) -> bool:
        """Cancel what still waits of a replay; return whether there is such a replay. What is on its way goes on."""
        with self._database.writing() as connection:
            first = func.coalesce(replays.c.cancelled_at, literal(now, replays.c.cancelled_at.type))
            # One that is over was not cancelled, however late somebody asks for it.
            runs = exists().where(deliveries.c.replay_id == replay_id, deliveries.c.state.in_(OPEN))
            at = case((runs, first), else_=replays.c.cancelled_at)
            known = update(replays).where(replays.c.id == replay_id).values(cancelled_at=at)
            if not connection.execute(known).rowcount:
                return False
            waiting = (deliveries.c.replay_id == replay_id) & (deliveries.c.state == State.PENDING)
            cancel(connection, waiting, CANCELLED, now)
            return True

    def _make_due(
        self, connection: Connection, replay_id: str, filters: Mapping[str, Any], rate: float | None, now: datetime
    ) -> int:
        over = is_over()
        turn = (func.row_number().over(order_by=(deliveries.c.event_seq, deliveries.c.id)) - 1).label("turn")
        known = deliveries.c.target.in_(select(targets.c.name))
        picked = filtered(select(deliveries.c.id, turn), filters).where(over, known).subquery("picked")
        due = (
            literal(now, deliveries.c.next_attempt_at.type)
            if rate is None
            else _due(connection, now, picked.c.turn, rate)
        )
        again = {
            "state": State.PENDING,
            "tries": 0,
            "next_attempt_at": due,
            "finished_at": None,
            "replay_id": replay_id,
            # By itself: what told it before, or the same, is over. A leader keeps its riders, and tells them again.
            "folded_into": None,
            "repeat": False,
            "digest": None,
        }
        # Once more what is over: two replays of the same can meet, and a delivery is sent again by one of them.
        statement = update(deliveries).values(again).where(deliveries.c.id == picked.c.id, over)
        return int(connection.execute(statement).rowcount)


def _due(connection: Connection, now: datetime, turn: ColumnElement[int], rate: float) -> ColumnElement[Any]:
    """Return when each turn is due, to the millisecond at least."""
    if connection.dialect.name == "postgresql":
        return literal(now, deliveries.c.next_attempt_at.type) + func.make_interval(0, 0, 0, 0, 0, 0, turn / rate)
    moment = func.strftime("%Y-%m-%dT%H:%M:%f", now.timestamp() + turn / rate, "unixepoch")
    return moment.concat("000Z")


def _route_again(connection: Connection, ids: Iterable[str]) -> int:
    """Have these events routed again, under the routes now in force; return how many there were."""
    again = update(events).where(any_of(connection, events.c.id, ids)).values(routed=False)
    return int(connection.execute(again).rowcount)


def _with_progress(connection: Connection, rows: Iterable[Row[Any]]) -> list[Replay]:
    found = [row._asdict() for row in rows]
    states: dict[str, dict[str, int]] = {row["id"]: {} for row in found}
    counted = (
        select(deliveries.c.replay_id, deliveries.c.state, func.count())
        .where(deliveries.c.replay_id.is_not(None), any_of(connection, deliveries.c.replay_id, states))
        .group_by(deliveries.c.replay_id, deliveries.c.state)
    )
    for replay_id, state, count in connection.execute(counted):
        states[replay_id][state] = count
    return [Replay(**row | {"filter": orjson.loads(row["filter"]), "states": states[row["id"]]}) for row in found]
