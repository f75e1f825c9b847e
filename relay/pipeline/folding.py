"""Folding: when more waits for a place than people can read there, one message tells it all.

It is decided when a message is about to leave, so that it tells whatever waits by then.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

from relay.domain.delivery import Claimed, Rider
from relay.domain.event import Event
from relay.domain.fold import ALONE, MOST, fold_card, line_of, spoken_for
from relay.domain.target import Message
from relay.domain.templates import TemplateFailed
from relay.pipeline.live import Following, Live, LiveTarget
from relay.pipeline.rendering import compose

CHUNK = 50
"""Events looked at together when it is asked whether all belong to one thread."""


class FoldStore(Protocol):
    """Where deliveries are kept that one message tells."""

    def gather(self, leader: Claimed, least: int | None, most: int, now: datetime) -> list[Rider]:
        """Return what the leader's message tells beside its own delivery."""

    def events(self, seqs: Iterable[int]) -> Mapping[int, Event]:
        """Return the events with these numbers, by number."""


class Folding:
    """Makes one message of a delivery and of those that ride along."""

    def __init__(self, store: FoldStore, following: Following) -> None:
        self._store = store
        self._following = following

    def gather(self, claimed: Claimed, live: LiveTarget) -> tuple[Claimed, Sequence[Rider]]:
        """Return a delivery as it leaves, and what rides along. Raises `StoreUnavailable`."""
        riders = self._store.gather(claimed, ALONE if live.folds else None, MOST - 1, datetime.now(UTC))
        return (claimed._replace(riders=len(riders)), riders) if riders else (claimed, riders)

    def tell(self, claimed: Claimed, riders: Sequence[Rider], message: Message, live: LiveTarget) -> Message:
        """Return the message of all of them, where `message` is the leader's own. Raises `StoreUnavailable`."""
        leader = claimed.event
        own = Rider(leader.seq, claimed.route, leader.source, leader.type, leader.occurred_at)
        told = sorted([own, *riders], key=lambda one: one.seq)
        latest = self._following.latest
        chosen = spoken_for(told)
        events = self._store.events([one.seq for one in chosen])
        lines, tones = [], []
        for one in chosen:
            event = events[one.seq]
            single = _single(latest, live, one, event, message)
            lines.append(line_of(event, single.card, _plain(latest, one, event)))
            tones.append(single.card.tone)
        thread = self._shared_thread(latest, told, message, live)
        return replace(
            message,
            text=None,
            layout=None,
            notice=None,
            thread=thread,
            told=fold_card(told, lines, tones, thread),
            folded=len(riders),
        )

    def _shared_thread(self, latest: Live, told: Sequence[Rider], message: Message, live: LiveTarget) -> str | None:
        """Return the thread that all of them belong to; `None` from the first on that belongs elsewhere."""
        if message.thread is None:
            return None
        for start in range(0, len(told), CHUNK):
            some = told[start : start + CHUNK]
            events = self._store.events([one.seq for one in some])
            threads = (_single(latest, live, one, events[one.seq], message).thread for one in some)
            if any(thread != message.thread for thread in threads):
                return None
        return message.thread


def _single(latest: Live, live: LiveTarget, one: Rider, event: Event, message: Message) -> Message:
    """Return the message that one of them would be by itself."""
    route, told = latest.router.named(one.route), latest.told(event, live.target)
    return compose(route, event, live.target, message.id, message.sent_at, told=told)


def _plain(latest: Live, one: Rider, event: Event) -> str | None:
    """Return the words of its route without a kind's escapes: a card is plain text."""
    route = latest.router.named(one.route)
    try:
        return route.text(event, str) if route else None
    except TemplateFailed:
        return None
