"""Replays as every database keeps them: the same promises on SQLite and on PostgreSQL."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select, update

from relay.domain.delivery import Attempt, Delivery, Lane, State, Verdict
from relay.domain.event import JSON, Event, new_id
from relay.errors import NotFound
from relay.store.database import Database
from relay.store.deliveries import Deliveries
from relay.store.events import Events
from relay.store.migrate import migrate
from relay.store.replays import CANCELLED, Replays
from relay.store.tables import events, targets
from tests.support.postgres import Postgres

NOW = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
LATER = NOW + timedelta(days=1)


class Store:
    """A database with two targets, and short ways to fill it and to look at it."""

    def __init__(self, url: str) -> None:
        self.database = Database(url)
        migrate(self.database)
        self.events = Events(self.database)
        self.deliveries = Deliveries(self.database)
        self.replays = Replays(self.database)
        with self.database.writing() as connection:
            for position, name in enumerate(("billing", "ops")):
                connection.execute(insert(targets).values(name=name, position=position, spec="{}"))

    def add(self, count: int, target: str = "billing", kind: str = "orders.paid") -> list[Delivery]:
        """Store events with one pending delivery each; return the deliveries, oldest first."""
        batch = [_event(kind, number) for number in range(count)]
        self.events.add(batch)
        made: list[Delivery] = []

        def decide(routed: Sequence[Event]) -> list[Delivery]:
            made.extend(_delivery(event, target) for event in routed)
            return made

        self.events.route(count, decide)
        return made

    def end(self, state: State, *names: str) -> None:
        """Let everything that is due for these targets (all, if none is named) come to an end."""
        claimed = self.deliveries.claim([Lane(name, 1000) for name in names or ("billing", "ops")], 1000, LATER)
        self.deliveries.record(
            [
                Verdict(one, Attempt(one.id, one.attempts + 1, LATER, 1.0, state, error="it said no"), state, LATER)
                for one in claimed
            ]
        )

    def of(self, made: Sequence[Delivery]) -> list[Delivery]:
        """Return deliveries as they are now."""
        found = [self.deliveries.get(one.id) for one in made]
        return [one for one in found if one is not None]


def _event(kind: str, number: int) -> Event:
    return Event(new_id(), "shop", kind, NOW, NOW, b"{}", JSON, subject=f"orders/{number}")


def _delivery(event: Event, target: str) -> Delivery:
    return Delivery(new_id(), event.id, event.seq, "all", target, event.subject, State.PENDING, 0, 0, NOW, NOW)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store on each database."""
    if request.param == "sqlite":
        made = Store(f"sqlite:///{tmp_path / 'relay.sqlite3'}")
        yield made
        made.database.dispose()
        return
    server: Postgres = request.getfixturevalue("postgres")
    url = server.start().create_database()
    made = Store(url)
    yield made
    made.database.dispose()
    server.drop_database(url)


def test_what_ended_is_due_again(store: Store) -> None:
    """Whatever came of a delivery, it is due at once, with all its tries before it and its history kept."""
    made = store.add(2)
    store.end(State.DEAD)
    started = store.replays.start({"state": "dead"}, None, NOW)
    assert started.count == 2
    assert started.events == 0
    for one in store.of(made):
        assert (one.state, one.next_attempt_at, one.tries, one.attempts) == (State.PENDING, NOW, 0, 1)
        assert one.finished_at is None


def test_a_rate_spreads_in_the_order_of_the_events(store: Store) -> None:
    """At 20/s the deliveries are due 50 ms apart, the oldest event first and at once."""
    made = store.add(45)
    store.end(State.DELIVERED)
    store.replays.start({"target": "billing"}, 20.0, NOW)
    due = [one.next_attempt_at for one in store.of(made)]
    for turn, moment in enumerate(due):
        assert abs(moment - NOW - timedelta(milliseconds=50 * turn)) <= timedelta(milliseconds=1)
    assert len(store.deliveries.claim([Lane("billing", 100)], 100, NOW + timedelta(milliseconds=501))) == 11


def test_a_slow_rate_reaches_into_other_days(store: Store) -> None:
    """At one an hour the thirtieth is due on the next day."""
    made = store.add(30)
    store.end(State.DELIVERED)
    store.replays.start({"target": "billing"}, 1 / 3600, NOW)
    last = store.of(made)[-1].next_attempt_at
    assert abs(last - NOW - timedelta(hours=29)) <= timedelta(milliseconds=1)


def test_what_is_open_is_left_alone(store: Store) -> None:
    """A delivery that waits or is under way is neither counted nor moved."""
    made = store.add(3)
    store.deliveries.claim([Lane("billing", 1)], 1, NOW)
    assert store.replays.start({"ids": [made[0].event_id]}, None, LATER).count == 0
    assert store.replays.start({"target": "billing"}, None, LATER).count == 0
    assert [one.state for one in store.of(made)] == [State.SENDING, State.PENDING, State.PENDING]
    assert all(one.next_attempt_at == NOW for one in store.of(made))


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ({"target": "ops"}, 2),
        ({"state": "dead", "target": "billing"}, 3),
        ({"state": "delivered"}, 0),
        ({"route": "all", "source": "sh*"}, 5),
        ({"type": "orders.*"}, 3),
        ({"subject": "orders/1"}, 2),
        ({"since": NOW}, 5),
        ({"until": NOW}, 0),
        ({"q": "SAID"}, 5),
    ],
)
def test_filters(store: Store, filters: dict[str, object], count: int) -> None:
    """A replay takes exactly what the listing of the same filters shows."""
    store.add(3)
    store.add(2, "ops", "invoices.sent")
    store.end(State.DEAD)
    assert len(store.deliveries.find(filters, None, 100)) == count
    assert store.replays.start(filters, 5.0, NOW).count == count


def test_progress_is_counted(store: Store) -> None:
    """A replay tells how many of its deliveries wait, are under way and came to which end, and when all is done."""
    store.add(4)
    store.end(State.DEAD)
    replay_id = store.replays.start({"type": "orders.*", "since": NOW}, 0.5, NOW).id
    claimed = store.deliveries.claim([Lane("billing", 1)], 1, NOW)
    assert len(claimed) == 1
    found = store.replays.get(replay_id)
    assert found is not None
    assert (found.state, found.count, found.rate, found.created_at) == ("running", 4, 0.5, NOW)
    assert found.states == {"pending": 3, "sending": 1}
    assert found.filter == {"type": "orders.*", "since": "2026-03-01T12:00:00.250000Z"}
    store.deliveries.release(claimed)
    store.end(State.DELIVERED)
    found = store.replays.get(replay_id)
    assert found is not None
    assert (found.state, found.states) == ("done", {"delivered": 4})


def test_a_later_replay_takes_over(store: Store) -> None:
    """A delivery counts for the latest replay that sent it; the earlier one keeps its count of then."""
    made = store.add(2)
    store.end(State.DEAD)
    first = store.replays.start({"state": "dead"}, None, NOW).id
    store.end(State.DEAD)
    second = store.replays.start({"ids": [made[0].id]}, None, LATER).id
    newest, oldest = store.replays.find(None, 10)
    assert (newest.id, newest.count, newest.states) == (second, 1, {"pending": 1})
    assert (oldest.id, oldest.count, oldest.states) == (first, 2, {"dead": 1})
    assert [one.id for one in store.replays.find(second, 10)] == [first]
    assert [one.id for one in store.replays.find(None, 1)] == [second]


def test_cancelling_spares_what_is_under_way(store: Store) -> None:
    """What waits is cancelled, of this replay alone; a request under way comes to its own end."""
    made = store.add(3)
    others = store.add(1, "ops")
    store.end(State.DEAD)
    replay_id = store.replays.start({"target": "billing"}, None, NOW).id
    store.replays.start({"target": "ops"}, None, NOW)
    store.deliveries.claim([Lane("billing", 1)], 1, NOW)
    assert store.replays.cancel(replay_id, LATER)
    assert [one.state for one in store.of(made)] == [State.SENDING, State.CANCELLED, State.CANCELLED]
    assert store.of(made)[1].last_error == CANCELLED
    assert store.of(made)[1].finished_at == LATER
    assert store.of(others)[0].state is State.PENDING
    assert store.replays.cancel(replay_id, LATER + timedelta(days=1))
    found = store.replays.get(replay_id)
    assert found is not None
    assert (found.state, found.cancelled_at) == ("cancelled", LATER)
    assert found.states == {"sending": 1, "cancelled": 2}


def test_what_is_over_cannot_be_cancelled(store: Store) -> None:
    """A replay that is done stays so: nothing of it waits."""
    store.add(1)
    store.end(State.DEAD)
    replay_id = store.replays.start({"state": "dead"}, None, NOW).id
    store.end(State.DELIVERED)
    assert store.replays.cancel(replay_id, LATER)
    found = store.replays.get(replay_id)
    assert found is not None
    assert (found.state, found.cancelled_at) == ("done", None)


def test_an_event_is_routed_again(store: Store) -> None:
    """By an event's id all its deliveries are sent again, and the event waits to be routed once more."""
    made = store.add(2)
    store.end(State.DELIVERED)
    started = store.replays.start({"ids": [made[0].event_id, made[1].id]}, None, NOW)
    assert (started.count, started.events) == (2, 1)
    with store.database.reading() as connection:
        assert connection.scalars(select(events.c.id).where(~events.c.routed)).all() == [made[0].event_id]


def test_what_names_nothing_is_refused(store: Store) -> None:
    """Ids of nothing leave no replay behind; a filter that fits nothing is a replay that is done."""
    with pytest.raises(NotFound):
        store.replays.start({"ids": [new_id()]}, None, NOW)
    assert store.replays.find(None, 10) == []
    started = store.replays.start({"state": "dead"}, None, NOW)
    found = store.replays.get(started.id)
    assert found is not None
    assert (found.count, found.state) == (0, "done")
    assert store.replays.get(new_id()) is None
    assert not store.replays.cancel(new_id(), NOW)


def test_a_target_that_is_gone_gets_nothing(store: Store) -> None:
    """What went to a target that was removed since is left as it is: nobody would ever send it."""
    made = store.add(1)
    store.end(State.DEAD)
    with store.database.writing() as connection:
        connection.execute(update(targets).where(targets.c.name == "billing").values(name="renamed"))
    assert store.replays.start({"state": "dead"}, None, NOW).count == 0
    assert store.of(made)[0].state is State.DEAD


def test_two_replays_at_once_share(store: Store) -> None:
    """Of two replays of the same deliveries at the same time, each delivery is sent again by one."""
    store.add(200)
    store.end(State.DEAD)
    with ThreadPoolExecutor(2) as pool:
        started = list(pool.map(lambda _: store.replays.start({"state": "dead"}, 50.0, NOW), range(2)))
    assert sum(one.count for one in started) == 200
    for one in started:
        found = store.replays.get(one.id)
        assert found is not None
        assert sum(found.states.values()) == one.count
