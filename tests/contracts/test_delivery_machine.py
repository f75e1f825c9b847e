"""The states of deliveries, on every database, held against a model through whatever order of events chance finds."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import func, select

from relay import plugins
from relay.domain.configuration import Configuration
from relay.domain.delivery import OPEN, Attempt, Claimed, Delivery, Lane, State, Verdict
from relay.domain.event import Event
from relay.errors import NotFound
from relay.store import tables
from relay.store.replays import Replays
from tests.contracts.delivery_model import EDGES, LANES, Known, Model
from tests.support.stores import NOW, Stores, delivery, event, migrated, stores

__all__ = ["migrated", "stores"]

HTTP = plugins.discover().targets["http"].Options
TARGETS = st.sampled_from(sorted(LANES))
SUBJECTS = st.sampled_from(["a", "b", None])
ENDS = st.sampled_from([State.DELIVERED, State.DEAD, State.PENDING])


class Deliveries(RuleBasedStateMachine):
    """Whatever workers, operators and the passing of time do to deliveries."""

    claims: Bundle[Claimed] = Bundle("claims")
    verdicts: Bundle[Verdict] = Bundle("verdicts")
    replays: Bundle[str] = Bundle("replays")

    def __init__(self, stores: Stores) -> None:
        super().__init__()
        stores.clear()
        self.stores = stores
        self.model = Model(NOW)
        self.unrouted: dict[str, Event] = {}
        self.before: dict[str, Known] = {}
        self.moments: Iterator[int] = count()
        self._configure()

    # What comes in

    @rule(subjects=st.lists(SUBJECTS, min_size=1, max_size=4))
    def publish(self, subjects: list[str | None]) -> None:
        """Events are stored."""
        batch = [event(subject=subject) for subject in subjects]
        assert self.stores.events.add(batch) == [one.id for one in batch]
        assert self.stores.events.add(batch) == [one.id for one in batch], "a repeat is the same event"
        for one in batch:
            stored = self.stores.events.get(one.id)
            assert stored is not None
            self.unrouted[one.id] = stored

    @rule(limit=st.integers(1, 5))
    def fan_out(self, limit: int) -> None:
        """The oldest events get a delivery to each target that there is, but for those they have already."""
        batch = sorted(self.unrouted.values(), key=lambda one: one.seq)[:limit]

        def decide(found: Any) -> list[Delivery]:
            assert [one.id for one in found] == [one.id for one in batch]
            made = [
                delivery(one, name, ordered=LANES[name].ordered) for one in found for name in sorted(self.model.targets)
            ]
            known = {(one.event_id, one.target) for one in self.model.all()}
            for one in made:
                if (one.event_id, one.target) not in known:
                    self.model.deliveries[one.id] = Known(
                        one.id, one.event_id, one.event_seq, one.target, one.subject, one.next_attempt_at
                    )
            return made

        targets = len(self.model.targets)
        assert self.stores.events.route(limit, decide)[:2] == (len(batch), len(batch) * targets)
        for one in batch:
            del self.unrouted[one.id]

    # What workers do

    @rule(target=claims, names=st.sets(TARGETS, min_size=1), quota=st.integers(1, 3), limit=st.integers(1, 8))
    def claim(self, names: set[str], quota: int, limit: int) -> Any:
        """A claim gets what is due first of each target, no more than it may, and nothing that is to wait its turn."""
        lanes = [self._lane(name, quota) for name in sorted(names & self.model.targets - self.model.paused)]
        offered = {delivery_id for lane in lanes for delivery_id in self.model.claimable(lane)}
        got = self.stores.deliveries.claim(lanes, limit, self.model.now)
        assert len(got) == min(limit, len(offered))
        assert {one.id for one in got} <= offered
        assert len({one.lease for one in got}) <= 1
        for one in got:
            mine = self.model.deliveries[one.id]
            assert (one.attempts, one.tries, one.event.id) == (mine.attempts, mine.tries, mine.event_id)
        if got:
            self.model.claim([one.id for one in got], got[0].lease)
        return multiple(*got)

    @rule(claimed=claims)
    def renew(self, claimed: Claimed) -> None:
        """A claim that still is one holds for longer; one that was lost stays lost."""
        self.stores.deliveries.renew([claimed], self.model.now)
        if self.model.holds(claimed):
            self.model.claim([claimed.id], claimed.lease)

    @rule(claimed=consumes(claims))
    def release(self, claimed: Claimed) -> None:
        """What was not sent is given back, if it is still ours to give."""
        self.stores.deliveries.release([claimed])
        if self.model.holds(claimed):
            self.model.change([claimed.id], state=State.PENDING)

    @rule(target=verdicts, claimed=consumes(claims), state=ENDS, wait=st.integers(0, 30))
    def record(self, claimed: Claimed, state: State, wait: int) -> Verdict:
        """An attempt is kept in any case; its verdict counts if the lease held until then."""
        at = self.model.now + timedelta(microseconds=next(self.moments))
        attempt = Attempt(claimed.id, claimed.attempts + 1, at, 1.5, "told")
        due = self.model.now + timedelta(seconds=wait if state is State.PENDING else 0)
        verdict = Verdict(claimed, attempt, state, due)
        held = self.model.holds(claimed)
        assert self.stores.deliveries.record([verdict]) == held
        self.model.attempts += 1
        if held:
            self.model.change([claimed.id], state=state, attempts=attempt.number, tries=claimed.tries + 1, due=due)
        return verdict

    @rule(verdict=verdicts)
    def record_again(self, verdict: Verdict) -> None:
        """A worker that never heard whether it was recorded says it again, however late: that changes nothing."""
        assert self.stores.deliveries.record([verdict]) == 0

    # What the sweep does, and time

    @rule()
    def take_back(self) -> None:
        """What is under a lease that has ended is due again."""
        late = self.model.late()
        assert self.stores.deliveries.take_back(self.model.now) == len(late)
        self.model.change(late, state=State.PENDING, lease=None, until=None)

    @rule()
    def cancel_orphans(self) -> None:
        """What waits for nobody is cancelled."""
        orphans = self.model.orphans()
        assert self.stores.deliveries.cancel_orphans(self.model.now) == len(orphans)
        self.model.change(orphans, state=State.CANCELLED)

    @rule(seconds=st.sampled_from([0.5, 5, 21, 120]))
    def time_passes(self, seconds: float) -> None:
        """Leases end, and what waits is due."""
        self.model.pass_time(seconds)

    # What operators do

    @rule(name=TARGETS)
    def pause(self, name: str) -> None:
        """A target is paused once."""
        changed = name in self.model.targets - self.model.paused
        assert self.stores.configuration.pause(name, "by hand", self.model.now) == changed
        self.model.paused |= {name} & self.model.targets

    @rule(name=TARGETS)
    def resume(self, name: str) -> None:
        """A target that is paused is resumed."""
        assert self.stores.configuration.pause(name, None, self.model.now) == (name in self.model.paused)
        self.model.paused.discard(name)

    @rule(name=TARGETS)
    def add_or_remove(self, name: str) -> None:
        """What waits for a target that goes is cancelled; what is under way comes to its own end."""
        self.model.targets ^= {name}
        self.model.paused &= self.model.targets
        self._configure()
        self.model.change(self.model.orphans(), state=State.CANCELLED)

    @precondition(lambda self: self.model.deliveries)
    @rule(target=replays, data=st.data(), rate=st.sampled_from([None, 0.5, 20.0]))
    def replay(self, data: st.DataObject, rate: float | None) -> Any:
        """What has ended is due again, all at once or one after the other; by an event's id it is also routed again."""
        known = sorted({one.event_id for one in self.model.all()} | self.model.deliveries.keys())
        ids = data.draw(st.none() | st.lists(st.sampled_from(known), min_size=1, max_size=3, unique=True))
        state = data.draw(st.sampled_from([None, State.DEAD, State.DELIVERED])) if ids is None else None
        name = data.draw(st.none() | TARGETS) if ids is None else None
        taken = self.model.replayable(ids, state, name)
        filters = {key: value for key, value in (("ids", ids), ("state", state), ("target", name)) if value is not None}
        again = {one.event_id for one in self.model.all() if ids is not None and one.event_id in ids}
        try:
            started = Replays(self.stores.database).start(filters, rate, self.model.now)
        except NotFound:
            assert not taken
            assert not again
            return multiple()
        assert (started.count, started.events) == (len(taken), len(again))
        for event_id in again:
            found = self.stores.events.get(event_id)
            assert found is not None
            self.unrouted[event_id] = found
        for turn, one in enumerate(taken):
            due = self._due(one.id)
            ought = self.model.now + timedelta(seconds=turn / rate if rate else 0)
            assert abs(due - ought) <= timedelta(milliseconds=1)
            self.model.change([one.id], state=State.PENDING, tries=0, due=due, replay=started.id)
        return started.id

    @rule(replay_id=replays)
    def cancel_replay(self, replay_id: str) -> None:
        """What still waits of a replay is cancelled, what is under way goes on."""
        assert Replays(self.stores.database).cancel(replay_id, self.model.now)
        waiting = [one.id for one in self.model.all(State.PENDING) if one.replay == replay_id]
        self.model.change(waiting, state=State.CANCELLED)

    # What is always true

    @invariant()
    def agrees(self) -> None:
        """Nothing vanishes or appears, and each delivery is as the model has it."""
        columns = tables.deliveries.c
        with self.stores.database.reading() as connection:
            rows = connection.execute(select(tables.deliveries)).all()
            assert connection.scalar(select(func.count()).select_from(tables.attempts)) == self.model.attempts
        found = {row.id: row for row in rows}
        assert found.keys() == self.model.deliveries.keys()
        for row in rows:
            mine = self.model.deliveries[row.id]
            told = (row.state, row.attempts, row.tries, row.event_id, row.target)
            assert told == (mine.state, mine.attempts, mine.tries, mine.event_id, mine.target)
            # When what is finished was due means nothing any more.
            assert row.next_attempt_at == mine.due or mine.state not in OPEN
            if mine.state is State.SENDING:
                assert (row.lease, row.lease_until) == (mine.lease, mine.until)
            assert (row.finished_at is None) == (not mine.over), columns.finished_at
        assert self.stores.events.waiting() == bool(self.unrouted)

    @invariant()
    def moves_along_its_edges(self) -> None:
        """States change as they may, and attempts are never forgotten."""
        for delivery_id, mine in self.model.deliveries.items():
            if (before := self.before.get(delivery_id)) is not None:
                assert mine.state is before.state or mine.state in EDGES[before.state]
                assert mine.attempts >= before.attempts
        self.before = dict(self.model.deliveries)

    @invariant()
    def is_counted(self) -> None:
        """What is shown of the backlog is what waits."""
        names = sorted(self.model.targets)
        waiting = Counter(one.target for one in self.model.all(State.PENDING) if one.target in names)
        assert self.stores.deliveries.waiting(names) == waiting
        assert self.stores.deliveries.due(names, self.model.now) == self.model.due(names)

    def _lane(self, name: str, quota: int) -> Lane:
        lane = LANES[name]
        return Lane(name, quota, lane.most, lane.ordered, lane.blocking)

    def _configure(self) -> None:
        made = [HTTP(name=name, kind="http", url="https://receiver.example/") for name in sorted(self.model.targets)]  # type: ignore[call-arg]
        self.stores.configuration.replace(Configuration(targets=tuple(made)), self.model.now)

    def _due(self, delivery_id: str) -> Any:
        found = self.stores.deliveries.get(delivery_id)
        assert found is not None
        return found.next_attempt_at


@pytest.mark.timeout(120)
def test_deliveries_do_as_the_model_does(stores: Stores) -> None:
    """Each step has the same result as in the model, in whatever order they come."""
    run_state_machine_as_test(
        lambda: Deliveries(stores),
        # Without shrinking: a list of forty steps can be read, and to make it shorter takes minutes.
        settings=settings(
            max_examples=30,
            stateful_step_count=40,
            deadline=None,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )
