"""The record: what attempts came to, in one statement where the database takes one."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, Interval, case, func, literal_column, select, update
from sqlalchemy.dialects import postgresql

from relay.domain.delivery import OPEN, State, Verdict
from relay.store.batch import arrays, insert_rows, unnested, update_rows
from relay.store.database import Database
from relay.store.folds import settle
from relay.store.tables import attempts, deliveries

_ATTEMPT = ("delivery_id", "at", "number", "ms", "outcome", "status", "error", "response")
_STATE = ("lease", "state", "tries", "next_attempt_at")
_SAME = {"attempts": "number", "last_status": "status", "last_error": "error"}
"""What a delivery keeps of its last attempt, by the attempt's name for it."""
# As a parameter: written out, PostgreSQL would rather read the index of all that is under way than look each one up.
SENDING = deliveries.c.state == State.SENDING
_MILLISECOND = literal_column("interval '1 millisecond'", Interval)


def record(database: Database, verdicts: Sequence[Verdict]) -> int:
    """Store attempts and the states they lead to; return how many deliveries took theirs.

    A delivery whose lease was lost meanwhile is another worker's: the attempt is kept, its state is not touched. Nor is
    that of one which took its verdict already, whatever was made of it since: who never heard of it says it again.
    """
    leaders = [verdict.claimed.id for verdict in verdicts if verdict.claimed.riders]
    alone = database.is_postgresql and not leaders
    with database.single() if alone else database.writing() as connection:
        taken = _store(connection, verdicts)
        if leaders:
            settle(connection, leaders)
        return taken


def _store(connection: Connection, verdicts: Sequence[Verdict]) -> int:
    made = [_attempt(verdict) for verdict in verdicts]
    if connection.dialect.name == "postgresql":
        rows = [(*attempt, *_state(verdict)) for attempt, verdict in zip(made, verdicts, strict=True)]
        return int(connection.execute(_both(), arrays((*_ATTEMPT, *_STATE), rows)).rowcount)
    insert_rows(connection, attempts, _ATTEMPT, made)
    known = ("id", "lease", "state", "tries", "next_attempt_at", "finished_at", *_SAME)
    last = [_ATTEMPT.index(name) for name in _SAME.values()]
    rows = [
        (attempt[0], *_state(verdict)[:3], *_moments(verdict), *(attempt[place] for place in last))
        for attempt, verdict in zip(made, verdicts, strict=True)
    ]
    return update_rows(connection, deliveries, known[:2], known[2:], rows, SENDING)


@cache
def _both() -> Any:
    """Return the statement that stores both. Made once: to build it anew costs as much as to run it."""
    told = unnested([*(attempts.c[name] for name in _ATTEMPT), *(deliveries.c[name] for name in _STATE)])
    batch = select(*told.c).cte("batch")
    kept = postgresql.insert(attempts).from_select(_ATTEMPT, select(*(batch.c[name] for name in _ATTEMPT)))
    taken: dict[str, Any] = {
        **{name: batch.c[name] for name in ("state", "tries")},
        **{name: batch.c[told] for name, told in _SAME.items()},
        # A moment costs PostgreSQL more to read than to work out: whatever is finished brings none.
        "next_attempt_at": func.coalesce(batch.c.next_attempt_at, deliveries.c.next_attempt_at),
        "finished_at": case((batch.c.next_attempt_at.is_(None), batch.c.at + batch.c.ms * _MILLISECOND)),
    }
    mine = SENDING & (deliveries.c.id == batch.c.delivery_id) & (deliveries.c.lease == batch.c.lease)
    return update(deliveries).values(taken).where(mine).add_cte(kept.on_conflict_do_nothing().cte("kept"))


def _attempt(verdict: Verdict) -> tuple[Any, ...]:
    told = verdict.attempt
    return told.delivery_id, told.at, told.number, told.ms, told.outcome, told.status, told.error, told.response


def _state(verdict: Verdict) -> tuple[Any, ...]:
    due = verdict.next_attempt_at if verdict.state in OPEN else None
    return verdict.claimed.lease, verdict.state, verdict.claimed.tries + 1, due


def _moments(verdict: Verdict) -> tuple[datetime, datetime | None]:
    """Return when it is due again, and when it finished."""
    attempt = verdict.attempt
    ended = None if verdict.state in OPEN else attempt.at + timedelta(milliseconds=attempt.ms)
    return verdict.next_attempt_at, ended
