"""Folds: deliveries that the message of another one tells, its riders, and what gathers or was told already.

A rider has no lease and no attempt of its own: it is bound to its leader, and finished when that one is.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, exists, func, or_, select, update

from relay.domain.delivery import Claimed, Gathering, Rider, State, Told
from relay.domain.event import Event
from relay.store.batch import any_of
from relay.store.database import Database
from relay.store.eventrows import load_events
from relay.store.tables import deliveries, events, in_state

_rider = deliveries.alias("rider")
_leader = deliveries.alias("leader")


class Folds:
    """The `deliveries` table, as far as one message tells many of them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def gather(self, leader: Claimed, least: int | None, most: int, now: datetime) -> list[Rider]:
        """Return what the leader's message tells beside its own delivery, in the order of the events.

        A leader that has riders keeps them, whatever else waits by now: a message that may have been sent stays the
        same. One that was never tried takes up to `most` along: what its digest gathered; without one, what is due for
        its target, if that is `least` or more. `None` takes nothing but digests.
        """
        with self._database.reading() as connection:
            if (riders := _riders(connection, leader.id)) or leader.tries:
                return riders
            digest = connection.scalar(select(deliveries.c.digest).where(deliveries.c.id == leader.id))
            waiting, enough = _waiting(leader.target, digest, now), 1 if digest else least
            if (
                enough is None
                or len(connection.execute(select(deliveries.c.id).where(waiting).limit(enough)).all()) < enough
            ):
                return []
        with self._database.writing() as connection:
            _bind(connection, leader, waiting, most, gathered=digest is not None)
            return _riders(connection, leader.id)

    def events(self, seqs: Iterable[int]) -> Mapping[int, Event]:
        """Return the events with these numbers, by number."""
        with self._database.reading() as connection:
            return load_events(connection, seqs)

    def gathering(self, digests: Collection[str], now: datetime) -> dict[str, Gathering]:
        """Return what each of these digests gathers in the window that ends last."""
        if not digests:
            return {}
        counted = (
            select(deliveries.c.digest, deliveries.c.next_attempt_at, func.count())
            .where(in_state(deliveries, State.PENDING), deliveries.c.tries == 0)
            .group_by(deliveries.c.digest, deliveries.c.next_attempt_at)
            .order_by(deliveries.c.next_attempt_at)
        )
        due, open_ = set(), {}
        with self._database.reading() as connection:
            named = any_of(connection, deliveries.c.digest, digests)
            for digest, until, count in connection.execute(counted.where(named)):
                if until <= now:
                    due.add(digest)
                else:
                    open_[digest] = Gathering(until, count, digest in due)
        return open_

    def told(self, dedupes: Collection[str], since: datetime) -> list[Told]:
        """Return the deliveries that told these since then, or will once sent, in the order of their making."""
        if not dedupes:
            return []
        with self._database.reading() as connection:
            found = (
                select(deliveries.c.dedupe, deliveries.c.id, deliveries.c.finished_at)
                .where(any_of(connection, deliveries.c.dedupe, dedupes))
                .where(or_(deliveries.c.finished_at.is_(None), deliveries.c.finished_at > since))
                .where(deliveries.c.state.not_in((State.DEAD, State.CANCELLED)))
                .order_by(deliveries.c.id)
            )
            return [Told(*row) for row in connection.execute(found)]


def settle(connection: Connection, leaders: Iterable[str]) -> None:
    """Let riders end as their leaders did, where those did: told with them, or dead with them."""
    ended = and_(
        deliveries.c.folded_into == _leader.c.id,
        any_of(connection, _leader.c.id, leaders),
        _leader.c.finished_at.is_not(None),
        _unfinished(deliveries),
    )
    connection.execute(
        update(deliveries)
        .where(ended)
        .values(
            state=case((_leader.c.state == State.DELIVERED, State.FOLDED.value), else_=_leader.c.state),
            finished_at=_leader.c.finished_at,
            last_error=_leader.c.last_error,
        )
    )


def cancel(connection: Connection, which: ColumnElement[bool], reason: str, now: datetime) -> int:
    """Cancel the deliveries that a condition picks, and their riders; return how many it picked."""
    ended = {"state": State.CANCELLED, "finished_at": now, "last_error": reason}
    picked = connection.scalars(update(deliveries).where(which).values(ended).returning(deliveries.c.id)).all()
    settle(connection, picked)
    return len(picked)


def is_over() -> ColumnElement[bool]:
    """Return the condition that a delivery is neither open nor a rider whose leader is."""
    return and_(deliveries.c.state.not_in((State.PENDING, State.SENDING)), ~_unfinished(deliveries))


def _unfinished(table: Any) -> ColumnElement[bool]:
    return and_(table.c.state == State.FOLDED, ~table.c.repeat, table.c.finished_at.is_(None))


def _waiting(target: str, digest: str | None, now: datetime) -> ColumnElement[bool]:
    """Return the condition that a delivery can ride: never tried, and no leader itself, whose riders it would lose.

    When one of a digest is due, all that it gathered is.
    """
    leads = exists().where(_rider.c.folded_into == deliveries.c.id, ~_rider.c.repeat)
    fresh = and_(in_state(deliveries, State.PENDING), deliveries.c.tries == 0, ~leads)
    if digest is not None:
        return and_(deliveries.c.digest == digest, fresh)
    due = deliveries.c.next_attempt_at <= now
    return and_(deliveries.c.target == target, due, deliveries.c.digest.is_(None), fresh)


def _bind(connection: Connection, leader: Claimed, waiting: ColumnElement[bool], most: int, *, gathered: bool) -> None:
    """Make riders of what waits, if the leader is still held by whoever asks."""
    mine = select(deliveries.c.id).where(deliveries.c.id == leader.id, deliveries.c.lease == leader.lease)
    if connection.scalar(mine.with_for_update()) is None:
        return
    picked = (
        select(deliveries.c.id)
        .where(waiting)
        # Of a digest the first stored: were the due ones first, none would be left to lead what is left.
        .order_by(*(() if gathered else (deliveries.c.next_attempt_at,)), deliveries.c.id)
        .limit(most)
        .with_for_update(skip_locked=True, of=deliveries)
        .cte("picked")
    )
    bound = update(deliveries).where(deliveries.c.id.in_(select(picked.c.id)))
    connection.execute(bound.values(state=State.FOLDED, folded_into=leader.id))


def _riders(connection: Connection, leader: str) -> list[Rider]:
    found = (
        select(events.c.seq, deliveries.c.route, events.c.source, events.c.type, events.c.occurred_at)
        .join(events, events.c.seq == deliveries.c.event_seq)
        .where(deliveries.c.folded_into == leader, ~deliveries.c.repeat)
        .order_by(events.c.seq)
    )
    return [Rider(*row) for row in connection.execute(found)]
