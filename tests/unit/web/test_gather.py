"""Group commit: nobody hears of an event that is not stored, and what waits is bounded."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from relay.domain.event import Event
from relay.errors import StoreUnavailable
from relay.web import gather
from relay.web.gather import Gatherer
from relay.web.problems import Problem
from tests.support.stores import event


class Store:
    """Stores groups while it is `open`; keeps what it was given."""

    def __init__(self) -> None:
        self.groups: list[list[Event]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.error: Exception | None = None

    async def store(self, batch: Sequence[Event]) -> list[str]:
        """Keep a group, once it may."""
        self.groups.append(list(batch))
        await asyncio.wait_for(self.open.wait(), 20)
        if self.error is not None:
            raise self.error
        return [one.id for one in batch]


def gathered(work: Callable[[Gatherer, Store], Awaitable[None]], announced: list[int] | None = None) -> None:
    """Run a coroutine function with a gatherer and its store."""
    store, told = Store(), announced if announced is not None else []

    async def run() -> None:
        try:
            await work(Gatherer(store.store, lambda: told.append(1)), store)
        finally:
            store.open.set()

    asyncio.run(run())


async def stored(store: Store, groups: int) -> None:
    """Wait until so many groups were begun."""
    for _ in range(2000):
        if len(store.groups) >= groups:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{len(store.groups)} of {groups} groups")


def test_what_arrives_meanwhile_is_one_group() -> None:
    """While one group is stored the next gathers, and everybody hears the id of its own event."""

    async def work(gatherer: Gatherer, store: Store) -> None:
        store.open.clear()
        events = [event() for _ in range(20)]
        waiting = [asyncio.ensure_future(gatherer.add(one)) for one in events]
        await stored(store, 1)
        store.open.set()
        assert await asyncio.gather(*waiting) == [one.id for one in events]
        assert [len(group) for group in store.groups] == [20]
        store.open.clear()
        first = asyncio.ensure_future(gatherer.add(event()))
        await stored(store, 2)
        others = [asyncio.ensure_future(gatherer.add(event())) for _ in range(9)]
        await asyncio.sleep(0)
        store.open.set()
        await asyncio.gather(first, *others)
        assert [len(group) for group in store.groups] == [20, 1, 9]

    gathered(work)


def test_groups_are_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large bodies come in several groups, each small enough for one statement; one that is too large comes alone."""
    monkeypatch.setattr(gather, "GROUP_BYTES", 250)

    async def work(gatherer: Gatherer, store: Store) -> None:
        sizes = [100, 100, 100, 400, 100]
        await asyncio.gather(*(gatherer.add(event(body=bytes(size))) for size in sizes))
        assert [[len(one.body) for one in group] for group in store.groups] == [[100, 100], [100], [400], [100]]

    gathered(work)


@pytest.mark.parametrize(("bound", "value"), [("WAITING_AT_MOST", 3), ("BYTES_AT_MOST", 400)])
def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch, bound: str, value: int) -> None:
    """Beyond its bounds the gatherer takes nothing and says when to come back; what it took is stored."""
    monkeypatch.setattr(gather, bound, value)

    async def work(gatherer: Gatherer, store: Store) -> None:
        store.open.clear()
        first = asyncio.ensure_future(gatherer.add(event(body=bytes(100))))
        await stored(store, 1)
        others = [asyncio.ensure_future(gatherer.add(event(body=bytes(100)))) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(Problem, match="too many events wait") as refused:
            await gatherer.add(event(body=bytes(100)))
        assert (refused.value.status, refused.value.headers) == (503, {"retry-after": "1"})
        store.open.set()
        assert len(await asyncio.gather(first, *others)) == 4
        assert await gatherer.add(event(body=bytes(1000)))

    gathered(work)


def test_a_slow_database_keeps_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the database hangs, whoever waits is told to come back, again and again; once it answers all is well."""
    monkeypatch.setattr(gather, "PATIENCE", 0.05)

    async def work(gatherer: Gatherer, store: Store) -> None:
        store.open.clear()
        for _ in range(2):
            waiting = [asyncio.ensure_future(gatherer.add(event())) for _ in range(5)]
            results = await asyncio.gather(*waiting, return_exceptions=True)
            assert {type(result) for result in results} == {StoreUnavailable}
        store.open.set()
        one = event()
        assert await gatherer.add(one) == one.id

    gathered(work)


def test_a_failure_is_heard_by_all() -> None:
    """Whatever keeps a group from being stored, every sender of it hears, and the next group is none the worse."""

    async def work(gatherer: Gatherer, store: Store) -> None:
        store.error = StoreUnavailable()
        waiting = [gatherer.add(event()) for _ in range(5)]
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(result) for result in results} == {StoreUnavailable}
        store.error = None
        assert await gatherer.add(event())

    gathered(work)


def test_a_request_with_several_events() -> None:
    """It hears of all of them at once, in their order, though they are stored in several groups."""

    async def work(gatherer: Gatherer, store: Store) -> None:
        many, one = [event() for _ in range(gather.GROUP * 2)], event()
        heard = await asyncio.gather(gatherer.add_all(many), gatherer.add(one), gatherer.add_all([]))
        assert heard == [[each.id for each in many], one.id, []]
        assert len(store.groups) > 2
        assert [one.id for group in store.groups for one in group] == [one.id for one in (*many, one)]

    gathered(work)


def test_a_request_with_several_events_of_which_some_fail() -> None:
    """It hears of the failure, not of a part of its events; the rest of it does no harm."""

    async def work(gatherer: Gatherer, store: Store) -> None:
        store.open.clear()
        many = [event() for _ in range(gather.GROUP * 3)]
        waiting = asyncio.ensure_future(gatherer.add_all(many))
        await stored(store, 1)
        store.error = StoreUnavailable()
        store.open.set()
        with pytest.raises(StoreUnavailable):
            await waiting
        store.error = None
        assert await gatherer.add(event())

    gathered(work)


def test_many_that_wait_take_turns() -> None:
    """Half of those that wait are stored at a time, within bounds; few are one group."""

    async def work(gatherer: Gatherer, store: Store) -> None:
        worth, most = gather.WORTH_STORING, gather.GROUP
        await asyncio.gather(*(gatherer.add(event()) for _ in range(worth * 8)))
        assert [len(group) for group in store.groups] == [worth * 4, worth * 2, worth, worth]
        store.groups.clear()
        await asyncio.gather(*(gatherer.add(event()) for _ in range(most * 4)))
        assert [len(group) for group in store.groups][:3] == [most, most, most]

    gathered(work)


def test_a_group_that_is_worth_storing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What came while another group was stored waits for more, but no longer than until there is enough of it."""
    monkeypatch.setattr(gather, "GATHER_SECONDS", 3600)

    async def work(gatherer: Gatherer, store: Store) -> None:
        store.open.clear()
        waiting = [asyncio.ensure_future(gatherer.add(event()))]
        await stored(store, 1)
        for _ in range(gather.WORTH_STORING):
            waiting.append(asyncio.ensure_future(gatherer.add(event())))
            await asyncio.sleep(0)
            store.open.set()
        await asyncio.gather(*waiting)
        assert [len(group) for group in store.groups] == [1, gather.WORTH_STORING]

    gathered(work)


def test_busy_moments_are_announced_together() -> None:
    """The first event is announced at once, those that follow in its wake together, and none goes unannounced."""
    announced: list[int] = []

    async def work(gatherer: Gatherer, store: Store) -> None:
        for _ in range(50):
            await gatherer.add(event())
        assert 1 <= len(announced) < 50
        seen = len(announced)
        await asyncio.sleep(gather.ANNOUNCE_EVERY * 5)
        await gatherer.add(event())
        for _ in range(2000):
            if len(announced) > seen:
                return
            await asyncio.sleep(0.01)
        raise AssertionError("it was not announced")

    gathered(work, announced)


def test_a_crowd_is_announced_at_its_own_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a group that was worth storing at once the next announcement has its own time, after others the usual."""
    monkeypatch.setattr(gather, "ANNOUNCE_EVERY", 3600)
    monkeypatch.setattr(gather, "ANNOUNCE_CROWDS_EVERY", 0.001)
    announced: list[int] = []

    async def work(gatherer: Gatherer, store: Store) -> None:
        await asyncio.gather(*(gatherer.add(event()) for _ in range(gather.WORTH_STORING)))
        for _ in range(2000):
            await gatherer.add_all([event() for _ in range(gather.WORTH_STORING)])
            if len(announced) > 2:
                return
            await asyncio.sleep(0.01)
        raise AssertionError("it was not announced")

    gathered(work, announced)
