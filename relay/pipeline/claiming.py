"""Claiming: what one drain takes into its hands, of what is due and of what was routed this moment."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from relay import log
from relay.domain.delivery import Claimed, Delivery, Lane, Routed, State, TakeOn
from relay.errors import StoreUnavailable
from relay.pipeline.breakers import Breakers
from relay.pipeline.live import Following, Live, LiveTarget
from relay.pipeline.ports import DeliveryStore, Nudge, Pacer
from relay.pipeline.underway import HAND, Underway

_log = log.get(__name__)

Routing = Callable[[TakeOn | None, int | None], Routed]
"""Routes waiting events: at most so many, where those of their deliveries that are named are claimed at once."""

CLAIM_AT = HAND // 4
CLAIM_FULL = HAND // 16
LOOK_AGAIN = 0.05
"""Seconds until a claim that found little is repeated while requests are under way."""
DATABASE_AWAY = 1.0
"""Seconds until a database that did not answer is asked again."""


class Claiming:
    """Fills the hands of one drain.

    `dry` says that nothing more is due, as far as is known: what comes due later has nudges of its own.
    """

    def __init__(
        self,
        deliveries: DeliveryStore,
        breakers: Breakers,
        following: Following,
        pacer: Pacer,
        nudge: Nudge,
        underway: Underway,
        *,
        dry: bool,
    ) -> None:
        self.dry = dry
        self._deliveries = deliveries
        self._breakers = breakers
        self._following = following
        self._pacer = pacer
        self._nudge = nudge
        self._underway = underway
        self._live = following.latest
        self._turn = 0
        self._after = time.monotonic()

    def wait(self, seconds: float) -> None:
        """Claim nothing for so long."""
        self._after = time.monotonic() + seconds

    def take_new(self, routing: Routing, *, closing: bool) -> bool:
        """Route what waits, and take over the deliveries that begin at once; return whether any were made."""
        free = 0 if closing else self._underway.free
        routed = routing(self._take_on, free) if free > 0 else routing(None, None)
        self._admit(routed.claimed, self._live)
        if len(routed.claimed) < routed.made:
            self._after, self.dry = 0.0, False
        elif routed.made:
            self.wait(LOOK_AGAIN)
        return routed.made > 0

    def refill(self, *, idle: bool) -> None:
        """Claim when it is worth it: with many places free, or with empty hands and not knowing that all is done."""
        worth = not self._underway.startable and self._underway.free >= CLAIM_AT
        if (idle and not self.dry) or (not idle and worth and time.monotonic() >= self._after):
            self.dry = self._claim() and idle

    def _take_on(self, made: Sequence[Delivery]) -> Sequence[Delivery]:
        """Return the deliveries that this drain can begin at once, as far as it has places for them."""
        self._live = self._following.latest
        free = self._underway.free
        places: dict[str, int] = {}
        taken: list[Delivery] = []
        for one in made:
            if one.target not in places:
                places[one.target] = self._places(one.target)
            if _at_once(one) and places[one.target] > 0 and len(taken) < free:
                places[one.target] -= 1
                taken.append(one)
        return taken

    def _places(self, name: str) -> int:
        """Return how many new deliveries to a target may begin: none, where a claim has more to look at."""
        target = self._live.targets.get(name)
        if target is None or target.folds or target.options.rate is not None or not self._breakers.closed(name):
            return 0
        options = target.options
        in_turn = options.order == "subject" or "concurrency" in options.model_fields_set
        return 0 if in_turn else self._underway.room(target)

    def _claim(self) -> bool:
        """Claim what fits and start it; return whether that was all that is due for targets with a place free."""
        live = self._following.current()
        try:
            lanes = [lane for lane in map(self._lane, live.targets.values()) if lane is not None]
            # The window may be full before the last lane had its turn: the next claim begins where this one ended.
            turn = self._turn % max(1, len(lanes))
            claimed = self._deliveries.claim(lanes[turn:] + lanes[:turn], self._underway.free, datetime.now(UTC))
        except StoreUnavailable as error:
            _log.warning("deliveries.unclaimable", error=error.message)
            self.wait(DATABASE_AWAY)
            return True
        of = Counter(one.target for one in claimed)
        self._turn = turn + len(of)
        more = len(claimed) >= CLAIM_FULL or any(of[lane.target] == lane.quota for lane in lanes)
        if more:
            # There is more than this drain takes at once: whoever is free may help.
            self._nudge.deliver()
        else:
            self.wait(LOOK_AGAIN)
        self._admit(claimed, live)
        # Behind the first of a subject, or of a bounded target, others may be due once it is done.
        return not more and not any(of[lane.target] and (lane.ordered or lane.most is not None) for lane in lanes)

    def _lane(self, target: LiveTarget) -> Lane | None:
        """Return how much to claim for a target; of one whose circuit is open, a probe when it is time."""
        name = target.options.name
        lane = self._underway.lane(target)
        if lane is None or self._breakers.closed(name):
            return lane
        probing = (
            self._breakers.may_probe(name)
            and self._deliveries.due([name], datetime.now(UTC))
            and self._breakers.probe(name)
        )
        return replace(lane, quota=1) if probing else None

    def _admit(self, claimed: Sequence[Claimed], live: Live) -> None:
        for one in claimed:
            target = live.targets[one.target]
            if target.options.rate is None:
                self._underway.queue(one, target)
            else:
                (wait,) = self._pacer.reserve(target.target.pace, target.options.rate, 1)
                self._underway.hold(one, target, wait)


def _at_once(one: Delivery) -> bool:
    """Say whether a new delivery waits for nothing: no quiet hours, no window, no other that tells the same."""
    return one.state is State.PENDING and one.digest is one.dedupe is None and one.next_attempt_at <= one.created_at
