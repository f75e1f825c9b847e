"""One contract for every database: deliveries that ride in another's message are bound once, and end with it."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from relay.domain.delivery import LEASE, Claimed, Delivery, Gathering, Lane, Rider, State
from relay.domain.event import new_id
from relay.store.folds import Folds
from tests.support.stores import NOW, Stores, delivery, event, migrated, stores, verdict

__all__ = ["migrated", "stores"]


def lead(stores: Stores, now: datetime = NOW) -> Claimed:
    """Claim the oldest delivery."""
    (claimed,) = stores.deliveries.claim([Lane("room", 1)], 1, now)
    return claimed


def take(stores: Stores, made: Delivery) -> Claimed:
    """Claim this one, and nothing else."""
    claimed = {one.id: one for one in stores.deliveries.claim([Lane("room", 100)], 100, NOW)}
    mine = claimed.pop(made.id)
    stores.deliveries.release(list(claimed.values()))
    return mine


def gather(stores: Stores, leader: Claimed, least: int | None = 1, most: int = 1000) -> list[Rider]:
    """Return what rides with a leader."""
    return Folds(stores.database).gather(leader, least, most, NOW)


def place(stores: Stores, count: int, **fields: Any) -> list[Delivery]:
    """Store events with a delivery each that has these fields."""
    made: list[Delivery] = []
    stores.events.add([event() for _ in range(count)])

    def decide(batch: Any) -> list[Delivery]:
        made.extend(replace(delivery(one, "room"), **fields) for one in batch)
        return made

    stores.events.route(1000, decide)
    return made


def state(stores: Stores, made: Delivery) -> Delivery:
    """Return a delivery as it is now."""
    found = stores.deliveries.get(made.id)
    assert found is not None
    return found


def test_riders_are_bound_once(stores: Stores) -> None:
    """The oldest that wait ride along, as many as asked for; asked again, the same do, whatever else waits."""
    stored = stores.add(10, "room")
    leader = lead(stores)
    bound = gather(stores, leader, most=6)
    assert [one.seq for one in bound] == [one.seq for one in stored[1:7]]
    assert bound[0] == Rider(stored[1].seq, "all", "shop", "orders.created", NOW)
    assert gather(stores, leader) == bound
    assert gather(stores, leader._replace(tries=3)) == bound
    assert len(stores.deliveries.find({"folded_into": leader.id}, None, 100)) == 6


@pytest.mark.parametrize(("least", "found"), [(9, 9), (10, 0), (None, 0)])
def test_too_few_are_left_alone(stores: Stores, least: int | None, found: int) -> None:
    """Fewer than asked for do not ride, and without a number none does."""
    stores.add(10, "room")
    assert len(gather(stores, lead(stores), least)) == found


def test_only_what_is_fresh_and_due_rides(stores: Stores) -> None:
    """Not what leads others itself, was tried before, is under way, waits for later, gathers, or goes elsewhere."""
    leads, *_ = place(stores, 3)
    other = take(stores, leads)
    assert len(gather(stores, other)) == 2
    stores.deliveries.release([other])
    (tried,) = place(stores, 1)
    stores.deliveries.record([verdict(take(stores, tried), State.PENDING)])
    (busy,) = place(stores, 1)
    take(stores, busy)
    place(stores, 1, next_attempt_at=NOW + timedelta(seconds=1))
    place(stores, 1, digest="d" * 32)
    stores.add(1, "elsewhere")
    leader, *fresh = place(stores, 3)
    assert [one.seq for one in gather(stores, take(stores, leader))] == [one.event_seq for one in fresh]


def test_who_lost_the_lease_binds_nothing(stores: Stores) -> None:
    """A leader that another worker has by now takes nobody along for the one that lost it."""
    stores.add(5, "room")
    leader = lead(stores)
    stores.deliveries.take_back(NOW + 2 * LEASE)
    assert gather(stores, leader) == []
    assert len(gather(stores, lead(stores, NOW))) == 4


def test_leaders_that_meet_share(stores: Stores) -> None:
    """Many leaders gather at once: each delivery rides with one of them."""
    stores.add(200, "room")
    leaders = stores.deliveries.claim([Lane("room", 8)], 8, NOW)
    with ThreadPoolExecutor(8) as pool:
        bound = [one.seq for some in pool.map(lambda one: gather(stores, one, most=40), leaders) for one in some]
    assert len(bound) == len(set(bound)) == 192


@pytest.mark.parametrize(
    ("end", "became"), [(State.DELIVERED, State.FOLDED), (State.DEAD, State.DEAD), (State.PENDING, State.FOLDED)]
)
def test_riders_end_with_their_leader(stores: Stores, end: State, became: State) -> None:
    """Told with it, dead with it, and waiting while it waits; without an attempt of their own."""
    stores.add(4, "room")
    leader = lead(stores)
    riders = gather(stores, leader)
    stores.deliveries.record([verdict(leader._replace(riders=len(riders)), end, error="it said no")])
    led = stores.deliveries.get(leader.id)
    assert led is not None
    for one in stores.deliveries.find({"folded_into": leader.id}, None, 10):
        assert (one.state, one.finished_at, one.attempts) == (became, led.finished_at, 0)
        assert one.last_error == (None if end is State.PENDING else led.last_error)


def test_a_lost_lease_ends_no_rider(stores: Stores) -> None:
    """The verdict of a worker that lost its leader changes nothing for those that ride with it."""
    stores.add(4, "room")
    leader = lead(stores)
    gather(stores, leader)
    stores.deliveries.take_back(NOW + 2 * LEASE)
    lead(stores)
    stores.deliveries.record([verdict(leader._replace(riders=3), State.DEAD)])
    assert {one.finished_at for one in stores.deliveries.find({"state": "folded"}, None, 10)} == {None}


def test_a_digest_rides_whole(stores: Stores) -> None:
    """When one of a digest is due all of it is, and nothing else; so is one beside another target's of that name."""
    place(stores, 3, digest="a" * 32, next_attempt_at=NOW + timedelta(hours=1))
    place(stores, 2, digest="b" * 32, next_attempt_at=NOW + timedelta(hours=1))
    place(stores, 1)
    place(stores, 1, digest="a" * 32)
    plain, full = stores.deliveries.claim([Lane("room", 2)], 2, NOW)
    assert len(gather(stores, full, None)) == 3
    assert gather(stores, plain) == []


def test_one_leads_a_digest(stores: Stores) -> None:
    """However many places are free, and whoever asks, one of a digest is claimed: the rest rides, or leads after it."""
    mine = place(stores, 5, digest="a" * 32)
    (other,) = place(stores, 1, digest="b" * 32)
    leader, beside = stores.deliveries.claim([Lane("room", 9)], 9, NOW)
    assert (leader.id, beside.id) == (mine[0].id, other.id)
    assert stores.deliveries.claim([Lane("room", 9)], 9, NOW) == []
    assert len(gather(stores, leader, None, most=3)) == 3
    stores.deliveries.record([verdict(leader._replace(riders=3), State.DELIVERED)])
    assert [one.id for one in stores.deliveries.claim([Lane("room", 9)], 9, NOW)] == [mine[4].id]


def test_a_digest_that_is_tried_again_holds_none_back(stores: Stores) -> None:
    """What gathered anew while an earlier message of the digest waits for its retry is told by itself."""
    (first,) = place(stores, 1, digest="a" * 32)
    stores.deliveries.record([verdict(lead(stores), State.PENDING, error="it said no")])
    (second,) = place(stores, 1, digest="a" * 32)
    later = NOW + timedelta(days=1)
    claimed = stores.deliveries.claim([Lane("room", 9)], 9, later)
    assert {one.id for one in claimed} == {first.id, second.id}


def test_open_windows_are_counted(stores: Stores) -> None:
    """A digest's window ends when its deliveries are due, and the latest counts; that one is due already is told."""
    until = NOW + timedelta(minutes=5)
    place(stores, 7, digest="a" * 32, next_attempt_at=until - timedelta(minutes=1))
    place(stores, 3, digest="a" * 32, next_attempt_at=until)
    place(stores, 1, digest="b" * 32)
    known = Folds(stores.database).gathering({"a" * 32, "b" * 32, "c" * 32}, NOW)
    assert known == {"a" * 32: Gathering(until, 3)}
    place(stores, 1, digest="a" * 32)
    assert Folds(stores.database).gathering({"a" * 32}, NOW) == {"a" * 32: Gathering(until, 3, due=True)}
    assert Folds(stores.database).gathering({"a" * 32}, until) == {}
    assert Folds(stores.database).gathering(set(), NOW) == {}


def test_what_was_told_is_known(stores: Stores) -> None:
    """What waits, or was told since then; not what is dead, was told before, or repeats another."""
    folds = Folds(stores.database)
    (waits,) = place(stores, 1, dedupe="a" * 32, target="later")
    (ends,) = place(stores, 1, dedupe="b" * 32)

    def told(ago: timedelta) -> list[tuple[str, Any]]:
        return [(one.delivery_id, one.at) for one in folds.told({"a" * 32, "b" * 32}, NOW - ago)]

    assert told(timedelta()) == [(waits.id, None), (ends.id, None)]
    stores.deliveries.record([verdict(lead(stores))])
    finished = state(stores, ends).finished_at
    assert told(timedelta(seconds=1)) == [(waits.id, None), (ends.id, finished)]
    assert told(-timedelta(seconds=1)) == [(waits.id, None)]
    (repeat,) = place(
        stores, 1, state=State.FOLDED, folded_into=ends.id, repeat=True, finished_at=NOW, last_error="told once in 10m"
    )
    kept = state(stores, repeat)
    assert (kept.state, kept.folded_into, kept.last_error) == (State.FOLDED, ends.id, "told once in 10m")
    assert gather(stores, lead_of(ends)._replace(tries=0)) == [], "a repeat is no rider"
    (dies,) = place(stores, 1, dedupe="b" * 32)
    stores.deliveries.record([verdict(lead(stores), State.DEAD)])
    assert dies.id not in dict(told(timedelta(hours=1)))
    assert folds.told(set(), NOW) == []


def lead_of(made: Delivery) -> Claimed:
    """Return a claim of a delivery whose lease is long gone."""
    return Claimed(made.id, event(id=made.event_id), made.route, made.target, 0, 0, new_id())
