"""One contract for every database: deliveries are claimed by one, and what became of them is kept."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest

from relay.domain.delivery import LEASE, Claimed, Lane, State
from tests.support.stores import NOW, Stores, event, migrated, stores, verdict

__all__ = ["migrated", "stores"]


def claim(stores: Stores, *lanes: Lane, limit: int = 1000, now: datetime = NOW) -> list[Claimed]:
    """Claim from these lanes."""
    return stores.deliveries.claim(lanes or [Lane("billing", 1000)], limit, now)


def test_claims_never_overlap(stores: Stores) -> None:
    """Many claim at once: each delivery is had by one of them, and all are had."""
    stores.add(300, "billing", "ops")
    lanes = (Lane("billing", 20), Lane("ops", 20))

    def take(_: int) -> list[str]:
        taken: list[str] = []
        while got := claim(stores, *lanes, limit=25):
            assert len(got) <= 25
            taken += [one.id for one in got]
        return taken

    with ThreadPoolExecutor(6) as pool:
        everything = [one for taken in pool.map(take, range(6)) for one in taken]
    # On PostgreSQL a claim passes over what another is claiming, and may end early: the rest is still there.
    everything += take(0)
    assert len(everything) == len(set(everything)) == 600


def test_quotas_and_limits_hold(stores: Stores) -> None:
    """No lane gets more than its quota, no claim more than its limit, what is unknown or without a lane nothing."""
    stores.add(10, "billing", "ops", "slow")
    got = claim(stores, Lane("billing", 3), Lane("ops", 5), Lane("nobody", 5))
    assert Counter(one.target for one in got) == {"billing": 3, "ops": 5}
    assert len(claim(stores, Lane("billing", 10), Lane("slow", 10), limit=4)) == 4
    assert stores.deliveries.claim([], 10, NOW) == []
    assert claim(stores, Lane("ops", 0)) == []


def test_the_oldest_leave_first(stores: Stores) -> None:
    """Events leave in the order in which they were stored, with all that was stored of them."""
    stored = stores.add(5, "billing", body=b'{"n": 1}', subject="ü")
    first, second = claim(stores, Lane("billing", 3)), claim(stores)
    assert [one.event for one in (*first, *second)] == stored
    assert first[0].event.seq == stored[0].seq
    assert {one.lease for one in first}.isdisjoint({one.lease for one in second})


def test_what_is_not_due_waits(stores: Stores) -> None:
    """A delivery is claimable from its moment on, not before."""
    stores.add(1, "billing")
    assert claim(stores, now=NOW - timedelta(microseconds=1)) == []
    assert not stores.deliveries.due(["billing"], NOW - timedelta(microseconds=1))
    assert stores.deliveries.due(["billing"], NOW)
    assert not stores.deliveries.due(["ops"], NOW)
    assert not stores.deliveries.due([], NOW)
    assert stores.deliveries.oldest_due(NOW) == NOW
    assert len(claim(stores)) == 1
    assert stores.deliveries.oldest_due(NOW) is None


def test_an_ordered_lane_gives_one_of_a_subject(stores: Stores) -> None:
    """Only the oldest open delivery of a subject can be had, also while it is under way or waits for its next try."""
    lane = Lane("billing", 10, ordered=True)
    for subject in ("a", "b", "a", None, None, "a"):
        stores.events.add([event(subject=subject)])
    stores.route("billing", ordered=True)
    first = claim(stores, lane)
    assert [one.event.subject for one in first] == ["a", "b", None, None]
    assert claim(stores, lane) == []
    later = verdict(first[0], State.PENDING)._replace(next_attempt_at=NOW + timedelta(hours=1))
    stores.deliveries.record([later])
    assert claim(stores, lane) == []
    (again,) = claim(stores, lane, now=NOW + timedelta(hours=1))
    assert again.id == first[0].id
    stores.deliveries.record([verdict(again, at=NOW + timedelta(hours=1))])
    (second,) = claim(stores, lane)
    stores.deliveries.record([verdict(second)])
    (third,) = claim(stores, lane)
    assert [first[0].event.seq, second.event.seq, third.event.seq] == sorted(
        {one.event.seq for one in (first[0], second, third)}
    )


def test_a_verdict_is_kept(stores: Stores) -> None:
    """State, counts, times and the attempt itself are there afterwards, whatever the response held."""
    stores.add(1, "billing")
    (claimed,) = claim(stores)
    due = NOW + timedelta(minutes=5)
    failed = verdict(claimed, State.PENDING, outcome="failed", status=503, error="503 ü", response="🚲" * 1000)
    assert stores.deliveries.record([failed._replace(next_attempt_at=due)]) == 1
    found = stores.deliveries.get(claimed.id)
    assert found is not None
    assert (found.state, found.attempts, found.tries, found.next_attempt_at) == (State.PENDING, 1, 1, due)
    assert (found.last_status, found.last_error, found.finished_at) == (503, "503 ü", None)
    (again,) = claim(stores, now=due)
    assert (again.attempts, again.tries) == (1, 1)
    done = verdict(again, at=due, status=200)
    stores.deliveries.record([done])
    found = stores.deliveries.get(claimed.id)
    assert found is not None
    assert (found.state, found.attempts, found.last_error) == (State.DELIVERED, 2, None)
    assert found.finished_at == due + timedelta(milliseconds=1.5)
    assert stores.deliveries.attempts_of(claimed.id) == [failed.attempt, done.attempt]
    assert stores.deliveries.record([]) == 0


def test_recording_twice_is_once(stores: Stores) -> None:
    """Whoever does not know whether a record was stored may store it again."""
    stores.add(2, "billing")
    verdicts = [verdict(one) for one in claim(stores)]
    assert stores.deliveries.record(verdicts) == 2
    stores.deliveries.record(verdicts)
    for one in verdicts:
        assert stores.deliveries.attempts_of(one.claimed.id) == [one.attempt]
        found = stores.deliveries.get(one.claimed.id)
        assert found is not None
        assert (found.attempts, found.state) == (1, State.DELIVERED)


def test_a_lease_ends(stores: Stores) -> None:
    """A claim that is not renewed is taken back at its end, not before, and can be claimed again."""
    stores.add(2, "billing")
    kept, left = claim(stores)
    assert stores.deliveries.take_back(NOW + LEASE) == 0
    stores.deliveries.renew([kept], NOW + timedelta(seconds=5))
    assert stores.deliveries.take_back(NOW + LEASE + timedelta(microseconds=1)) == 1
    (again,) = claim(stores, now=NOW + LEASE)
    assert again.id == left.id
    assert again.lease != left.lease


def test_a_lost_lease_changes_no_state(stores: Stores) -> None:
    """Who lost a lease may tell of the attempt that was made, but the delivery is another's: also for renewals."""
    stores.add(1, "billing")
    (lost,) = claim(stores)
    stores.deliveries.take_back(NOW + 2 * LEASE)
    (held,) = claim(stores, now=NOW + 2 * LEASE)
    assert stores.deliveries.record([verdict(lost, State.DEAD)]) == 0
    stores.deliveries.release([lost])
    stores.deliveries.renew([lost], NOW + timedelta(days=1))
    found = stores.deliveries.get(held.id)
    assert found is not None
    assert found.state is State.SENDING
    assert len(stores.deliveries.attempts_of(held.id)) == 1
    assert stores.deliveries.take_back(NOW + 3 * LEASE + timedelta(seconds=1)) == 1


def test_what_is_released_is_due(stores: Stores) -> None:
    """A claim that is given back can be had at once, as if it had never been made."""
    stores.add(3, "billing")
    claimed = claim(stores)
    stores.deliveries.release(claimed[:2])
    stores.deliveries.release([])
    again = claim(stores)
    assert [(one.id, one.attempts) for one in again] == [(one.id, 0) for one in claimed[:2]]


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ({}, 6),
        ({"state": "delivered"}, 1),
        ({"state": "dead", "target": "ops"}, 0),
        ({"target": "ops"}, 3),
        ({"route": "all"}, 6),
        ({"source": "sh*"}, 6),
        ({"type": "orders.paid"}, 0),
        ({"subject": "orders/1"}, 6),
        ({"since": NOW}, 6),
        ({"until": NOW}, 0),
        ({"q": "100% WRONG_"}, 1),
        ({"q": "wrong%"}, 0),
        ({"q": "ORDERS/"}, 6),
    ],
)
def test_deliveries_are_found(stores: Stores, filters: dict[str, Any], count: int) -> None:
    """Filters take what they say and nothing more; pages go backwards from any of them."""
    stores.add(3, "billing", "ops", subject="orders/1")
    done, dead = claim(stores, Lane("billing", 2))
    stores.deliveries.record([verdict(done), verdict(dead, State.DEAD, error="it is 100% wrong_")])
    everything = stores.deliveries.find(filters, None, 10)
    assert len(everything) == count
    walked = []
    before = None
    while page := stores.deliveries.find(filters, before, 2):
        walked += page
        before = page[-1].id
    assert walked == everything == sorted(everything, key=lambda one: one.id, reverse=True)
