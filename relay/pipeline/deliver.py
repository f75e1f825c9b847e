"""Deliver: what is due is claimed, sent, judged and recorded, many at a time, until nothing is due."""

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import requests

from relay import log
from relay.domain.delivery import Attempt, Claimed, Lane, Verdict, webhook_id
from relay.domain.target import Refused, TryLater
from relay.domain.templates import TemplateFailed
from relay.errors import StoreUnavailable
from relay.pipeline.breakers import Breakers
from relay.pipeline.folding import Folding
from relay.pipeline.judging import conclude, judge, unmade
from relay.pipeline.live import Following, Live, LiveTarget
from relay.pipeline.ports import DeliveryStore, Nudge, Pacer, Reply, Transport
from relay.pipeline.recording import Recorder
from relay.pipeline.rendering import compose
from relay.pipeline.underway import HAND, Started, Underway

_log = log.get(__name__)

BUDGET = 240.0
"""Seconds a drain may go on before another takes over: less than the broker's visibility timeout."""
GRACE = 30.0
"""Seconds that requests under way are given at shutdown."""
RECORD_AFTER = 0.03
"""Seconds a result waits for others to be recorded with."""
RECORD_AT = 256
CLAIM_AT = HAND // 4
CLAIM_FULL = HAND // 16
LOOK_AGAIN = 0.05
"""Seconds until a claim that found little is repeated while requests are under way."""
PATIENCE = 0.01
"""Seconds a drain waits for a reply before it looks what else there is to do."""
RENEW_EVERY = 5.0
SURE = 15.0
"""Seconds for which a claim is certainly held once it was made or renewed: less than a lease."""
LATE = 0.02
"""Seconds that a paced message may take to be made; after more of them it waits for another slot."""
DATABASE_AWAY = 1.0
"""Seconds until a database that did not answer is asked again."""


class Deliver:
    """Opens drains: one for each Celery task that was nudged to deliver."""

    def __init__(
        self,
        deliveries: DeliveryStore,
        recorder: Recorder,
        breakers: Breakers,
        folding: Folding,
        following: Following,
        transport: Callable[[], Transport],
        pacer: Pacer,
        nudge: Nudge,
        stopping: Callable[[], bool],
    ) -> None:
        self.deliveries = deliveries
        self.recorder = recorder
        self.breakers = breakers
        self.folding = folding
        self.following = following
        self.transport = transport
        self.pacer = pacer
        self.nudge = nudge
        self.stopping = stopping

    def drain(self, meanwhile: Callable[[], bool]) -> None:
        """Deliver until nothing is due. `meanwhile` is called between rounds; it says whether it made deliveries."""
        drain = _Drain(self, self.transport())
        drain.run(meanwhile)
        if drain.handed_on:
            self.nudge.deliver()

    def due(self, now: datetime) -> bool:
        """Say whether anything is due for a target that is neither paused nor left alone by its circuit breaker."""
        targets = self.following.current().targets
        open_to = [
            name
            for name, target in targets.items()
            if target.paused is None and (self.breakers.closed(name) or self.breakers.may_probe(name))
        ]
        return self.deliveries.due(open_to, now)


class _Drain:
    """One drain: a window of deliveries that is refilled while others are under way."""

    def __init__(self, parts: Deliver, transport: Transport) -> None:
        self._parts = parts
        self._transport = transport
        self._underway = Underway()
        self._verdicts: list[Verdict] = []
        self._untold: list[Verdict] = []
        self._turn = 0
        self._dry = False
        now = time.monotonic()
        self._closes = now + BUDGET
        self._gives_up: float | None = None
        self._renewed = self._held = self._claim_after = self._record_after = self._unavailable_until = now

    def run(self, meanwhile: Callable[[], bool]) -> None:
        """Claim, start, finish and record, round after round."""
        while True:
            self._renew()
            self._refill()
            self._start_ready()
            for reply in self._transport.poll(self._patience()):
                self._finish(reply)
            self._tell()
            # With more in hand than can be started at once, whatever comes in waits behind it anyway.
            if fresh := not self._underway.startable and meanwhile():
                self._claim_after, self._dry = 0.0, False
            # What just came in leaves first, and is on its way while results are recorded.
            if not fresh or time.monotonic() >= self._record_after:
                self._record()
            if self._over():
                break
        self._parts.deliveries.release(self._underway.let_go())

    @property
    def handed_on(self) -> bool:
        """Whether this drain ended because its time was up, not because nothing was due."""
        return time.monotonic() > self._closes

    def _closing(self) -> bool:
        """Say whether to begin nothing new: at the end of the budget, and at shutdown, which ends in `GRACE`."""
        now = time.monotonic()
        if self._gives_up is None and self._parts.stopping():
            self._gives_up = now + GRACE
        return self._gives_up is not None or now > self._closes

    def _over(self) -> bool:
        busy = bool(self._underway.on_their_way or self._verdicts)
        if self._closing():
            return not busy or (self._gives_up is not None and time.monotonic() > self._gives_up)
        return self._dry and self._idle()

    def _idle(self) -> bool:
        return not len(self._underway) and not self._verdicts

    def _refill(self) -> None:
        """Claim when it is worth it: with many places free, or with empty hands and not knowing that all is done."""
        now, idle = time.monotonic(), self._idle()
        worth = not self._underway.startable and self._underway.free >= CLAIM_AT
        if not idle and (now < self._claim_after or not worth):
            return
        if not self._closing() and not (idle and self._dry):
            self._dry = self._claim(now) and idle

    def _claim(self, now: float) -> bool:
        """Claim what fits and start it; return whether that was all that is due for targets with a place free."""
        live = self._parts.following.current()
        try:
            lanes = [lane for lane in map(self._lane, live.targets.values()) if lane is not None]
            # The window may be full before the last lane had its turn: the next claim begins where this one ended.
            turn = self._turn % max(1, len(lanes))
            claimed = self._parts.deliveries.claim(lanes[turn:] + lanes[:turn], self._underway.free, datetime.now(UTC))
        except StoreUnavailable as error:
            _log.warning("deliveries.unclaimable", error=error.message)
            self._claim_after = now + DATABASE_AWAY
            return True
        of = Counter(one.target for one in claimed)
        self._turn = turn + len(of)
        more = len(claimed) >= CLAIM_FULL or any(of[lane.target] == lane.quota for lane in lanes)
        if more:
            # There is more than this drain takes at once: whoever is free may help.
            self._parts.nudge.deliver()
        else:
            self._claim_after = now + LOOK_AGAIN
        self._admit(claimed, live)
        # Behind the first of a subject, or of a bounded target, others may be due once it is done.
        return not more and not any(of[lane.target] and (lane.ordered or lane.most is not None) for lane in lanes)

    def _lane(self, target: LiveTarget) -> Lane | None:
        """Return how much to claim for a target; of one whose circuit is open, a probe when it is time."""
        name = target.options.name
        lane = self._underway.lane(target)
        if lane is None or self._parts.breakers.closed(name):
            return lane
        probing = (
            self._parts.breakers.may_probe(name)
            and self._parts.deliveries.due([name], datetime.now(UTC))
            and self._parts.breakers.probe(name)
        )
        return replace(lane, quota=1) if probing else None

    def _admit(self, claimed: Sequence[Claimed], live: Live) -> None:
        for one in claimed:
            target = live.targets[one.target]
            if target.options.rate is None:
                self._underway.queue(one, target)
            else:
                (wait,) = self._parts.pacer.reserve(target.target.pace, target.options.rate, 1)
                self._underway.hold(one, target, wait)

    def _start_ready(self) -> None:
        if not self._closing():
            for claimed, target, request in self._underway.ready():
                if request is None:
                    self._start(claimed, target)
                elif not self._doubtful():
                    self._send(claimed, target, request, datetime.now(UTC))

    def _start(self, claimed: Claimed, live: LiveTarget) -> None:
        if self._doubtful():
            return
        began, at = time.monotonic(), datetime.now(UTC)
        event, latest = claimed.event, self._parts.following.latest
        try:
            identity = webhook_id(event.id, claimed.target)
            route, told = latest.router.named(claimed.route), latest.told(event, live.target)
            earlier, former = claimed.attempts - claimed.tries, live.signing(at)
            message = compose(route, event, live.target, identity, at, earlier, told, former, latest.page(event))
            if live.target.words:
                claimed, riders = self._parts.folding.gather(claimed, live)
                message = self._parts.folding.tell(claimed, riders, message, live) if riders else message
            request = live.target.render(message)
            # Every kind's, so that any receiver can tell a repeat; a kind that signs sets the same ones.
            stamps = {"webhook-id": identity, "webhook-timestamp": str(int(at.timestamp()))}
            request.headers = stamps | dict(request.headers)
        except StoreUnavailable as error:
            # Who rides along cannot be asked: without them it would be another message.
            _log.warning("delivery.waits", delivery=claimed.id, error=error.message)
            self._underway.hold(claimed, live, DATABASE_AWAY)
            return
        except Exception as error:  # noqa: BLE001  one message that cannot be made must not hold up the others
            self._fault(claimed, live, at, error)
            return
        rate = live.options.rate
        if live.target.words and rate is not None and time.monotonic() - began > LATE:
            # Asking who rides along took its slot: leaving now would be too soon before whoever has the next one.
            (wait,) = self._parts.pacer.reserve(live.target.pace, rate, 1)
            self._underway.hold(claimed, live, wait, request)
        else:
            self._send(claimed, live, request, at)

    def _send(self, claimed: Claimed, live: LiveTarget, request: requests.Request, at: datetime) -> None:
        started = Started(claimed, live, at)
        self._underway.start(started)
        self._transport.send(started.key, request, live.options.timeout)

    def _fault(self, claimed: Claimed, live: LiveTarget, at: datetime, error: Exception) -> None:
        """Record the relay's own fault: told apart from the target's, tried again after the same delays."""
        if not isinstance(error, TemplateFailed):
            _log.exception("delivery.fault", delivery=claimed.id, target=claimed.target)
        outcome, reason = unmade(error, live)
        attempt = Attempt(claimed.id, claimed.attempts + 1, at, 0.0, outcome, error=reason)
        self._keep(conclude(claimed, live, attempt, TryLater(reason), datetime.now(UTC), random.uniform(-1, 1)))  # noqa: S311

    def _finish(self, reply: Reply) -> None:
        started = self._underway.finish(reply.key)
        jitter = random.uniform(-1, 1)  # noqa: S311  spreads retries, guards nothing
        verdict, outcome = judge(reply, started.claimed, started.live, started.at, datetime.now(UTC), jitter)
        self._keep(verdict)
        if isinstance(outcome, Refused) and outcome.gone and started.live.paused is None:
            self._parts.recorder.pause(started.claimed.target, f"it answered: {outcome.reason}")

    def _tell(self) -> None:
        """Say of every attempt what came of it."""
        if self._untold:
            log.each(_log, "delivery.attempted", map(_in_words, self._untold))
            self._untold = []

    def _keep(self, verdict: Verdict) -> None:
        if not self._verdicts:
            self._record_after = time.monotonic() + RECORD_AFTER
        self._verdicts.append(verdict)
        self._untold.append(verdict)

    def _record(self) -> None:
        """Record results in groups: when enough are there, when the first has waited, or when none is to come."""
        now = time.monotonic()
        enough = len(self._verdicts) >= RECORD_AT or not self._underway.on_their_way
        if not self._verdicts or now < self._unavailable_until or (not enough and now < self._record_after):
            return
        try:
            self._parts.recorder.record(self._verdicts)
            self._verdicts = []
        except StoreUnavailable as error:
            # What was sent is known here alone: it is kept until the database is back, and nothing new is begun.
            _log.warning("attempts.unrecorded", count=len(self._verdicts), error=error.message)
            self._unavailable_until = self._claim_after = now + DATABASE_AWAY

    def _renew(self) -> None:
        now = time.monotonic()
        if now - self._renewed < RENEW_EVERY:
            return
        self._renewed = now
        if self._doubtful():
            self._underway.let_go()
        held = [*self._underway.claims, *(verdict.claimed for verdict in self._verdicts)]
        try:
            if held:
                self._parts.deliveries.renew(held, datetime.now(UTC))
            self._held = now
        except StoreUnavailable as error:
            _log.warning("leases.not_renewed", count=len(held), error=error.message)

    def _doubtful(self) -> bool:
        """Say whether what is in hand may be another's by now: this process stood still, or could not renew.

        Of that, nothing may be sent any more. What is nobody's, the sweep takes back.
        """
        return time.monotonic() - self._held > SURE

    def _patience(self) -> float:
        """Return how long to wait for replies, in seconds: until the next thing there is to do."""
        now = time.monotonic()
        if not len(self._underway) and not self._verdicts:
            return 0.0
        if self._underway.startable and not self._closing():
            return 0.0
        waits = [PATIENCE]
        if self._verdicts:
            ready = self._record_after if self._underway.on_their_way else now
            waits.append(max(ready, self._unavailable_until) - now)
        if (slot := self._underway.next_slot()) is not None:
            waits.append(slot)
        return max(0.0, min(waits))


def _in_words(verdict: Verdict) -> dict[str, Any]:
    attempt = verdict.attempt
    return {
        "delivery_id": attempt.delivery_id,
        "event_id": verdict.claimed.event.id,
        "target": verdict.claimed.target,
        "outcome": attempt.outcome,
        "status": attempt.status,
        "ms": attempt.ms,
        "state": verdict.state,
    }
