"""Deliveries that are claimed as they are made: whoever routed them holds them from the start."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from relay.domain.delivery import LEASE, Claimed, Delivery, Lane, Routed, State
from relay.domain.event import Event
from tests.support.stores import NOW, Stores, delivery, event, migrated, stores, verdict

__all__ = ["migrated", "stores"]


def route(stores: Stores, *targets: str, take: Any = None) -> Routed:
    """Store an event and route it to targets; those that `take` names, or all, are taken on."""
    stores.events.add([event()])

    def decide(batch: Sequence[Event]) -> list[Delivery]:
        return [delivery(one, target) for one in batch for target in targets]

    def take_on(made: Sequence[Delivery]) -> Sequence[Delivery]:
        return [one for one in made if take is None or one.target in take]

    return stores.events.route(10, decide, take_on)


def claim(stores: Stores, *targets: str) -> list[Claimed]:
    """Claim what is due for targets."""
    return stores.deliveries.claim([Lane(name, 10) for name in targets or ("billing",)], 10, NOW)


def test_what_is_taken_on_is_claimed(stores: Stores) -> None:
    """It is under way from the start, with its event; nobody else gets it, and its verdict counts."""
    routed = route(stores, "billing", "audit", take={"billing"})
    assert (routed.events, routed.made) == (1, 2)
    (mine,) = routed.claimed
    assert mine.target == "billing"
    assert stores.events.get(mine.event.id) == mine.event
    assert [one.target for one in claim(stores, "billing", "audit")] == ["audit"]
    found = stores.deliveries.get(mine.id)
    assert found is not None
    assert (found.state, found.attempts, found.tries) == (State.SENDING, 0, 0)
    assert stores.deliveries.record([verdict(mine)]) == 1
    found = stores.deliveries.get(mine.id)
    assert found is not None
    assert (found.state, found.attempts) == (State.DELIVERED, 1)


def test_its_lease_ends_like_any_other(stores: Stores) -> None:
    """A worker that routes and dies delays what it took on by no more than a lease."""
    (mine,) = route(stores, "billing").claimed
    assert stores.deliveries.take_back(NOW + LEASE) == 0
    assert stores.deliveries.take_back(NOW + LEASE + timedelta(seconds=1)) == 1
    (again,) = claim(stores)
    assert again.id == mine.id
    assert stores.deliveries.record([verdict(mine)]) == 0, "it is another worker's by now"


def test_nobody_is_overtaken(stores: Stores) -> None:
    """Where something is due already, what is new waits behind it; other targets are no reason to wait."""
    stores.add(1, "billing")
    routed = route(stores, "billing", "audit")
    assert [one.target for one in routed.claimed] == ["audit"]
    assert len(claim(stores, "billing")) == 2
    routed = route(stores, "billing")
    assert [one.target for one in routed.claimed] == ["billing"], "those before it are under way, they do not wait"


def test_what_is_there_already_is_not_taken_on(stores: Stores) -> None:
    """Of two deliveries of one event to one target there is but one, and one claim."""
    routed = route(stores, "billing", "billing")
    (mine,) = routed.claimed
    assert [one.id for one in stores.deliveries.of_event(mine.event.id)] == [mine.id]


def test_without_a_taker_all_of_it_waits(stores: Stores) -> None:
    """Who routes and delivers nothing leaves it to whoever does."""
    stores.events.add([event()])
    routed = stores.events.route(10, lambda batch: [delivery(one, "billing") for one in batch])
    assert (routed.made, list(routed.claimed)) == (1, [])
    assert len(claim(stores)) == 1
