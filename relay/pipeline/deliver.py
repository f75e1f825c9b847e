"""Deliver: what is due is claimed, sent, judged and recorded, many at a time, until nothing is due."""

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import requests

from relay import log
from relay.domain.delivery import Attempt, Claimed, Verdict, webhook_id
from relay.domain.target import Refused, TryLater
from relay.domain.templates import TemplateFailed
from relay.errors import StoreUnavailable
from relay.pipeline.breakers import Breakers
from relay.pipeline.claiming import DATABASE_AWAY, Claiming, Routing
from relay.pipeline.folding import Folding
from relay.pipeline.judging import conclude, judge, unmade
from relay.pipeline.live import Following, LiveTarget
from relay.pipeline.ports import DeliveryStore, Nudge, Pacer, Reply, Transport
from relay.pipeline.recording import Recorder
from relay.pipeline.rendering import compose
from relay.pipeline.underway import Started, Underway
from relay.signing import StandardWebhooks

_log = log.get(__name__)

BUDGET = 240.0
"""Seconds a drain may go on before another takes over: less than the broker's visibility timeout."""
GRACE = 30.0
"""Seconds that requests under way are given at shutdown."""
RECORD_AFTER = 0.03
"""Seconds a result waits for others to be recorded with."""
RECORD_AT = 256
PATIENCE = 0.01
"""Seconds a drain waits for a reply before it looks what else there is to do."""
RENEW_EVERY = 5.0
SURE = 15.0
"""Seconds for which a claim is certainly held once it was made or renewed: less than a lease."""
LATE = 0.02
"""Seconds that a paced message may take to be made; after more of them it waits for another slot."""


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

    def drain(self, meanwhile: Routing, begin: Routing | None = None) -> None:
        """Deliver until nothing is due; after `begin`, not at all if it makes no delivery.

        `meanwhile` is called between rounds. Both are told which deliveries the drain takes on, and say what they made.
        """
        # What was due before has nudges of its own: whoever begins with what is new need not look for it.
        drain = _Drain(self, self.transport(), dry=begin is not None)
        if begin is not None and not drain.take_new(begin):
            return
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

    def __init__(self, parts: Deliver, transport: Transport, *, dry: bool) -> None:
        self._parts = parts
        self._transport = transport
        self._underway = Underway()
        self._claiming = Claiming(
            parts.deliveries, parts.breakers, parts.following, parts.pacer, parts.nudge, self._underway, dry=dry
        )
        self._verdicts: list[Verdict] = []
        self._untold: list[Verdict] = []
        now = time.monotonic()
        self._closes = now + BUDGET
        self._gives_up: float | None = None
        self._renewed = self._held = self._record_after = self._unavailable_until = now

    def take_new(self, routing: Routing) -> bool:
        """Route what waits, and take over the deliveries that begin at once; return whether any were made."""
        return self._claiming.take_new(routing, closing=self._closing())

    def run(self, meanwhile: Routing) -> None:
        """Claim, start, finish and record, round after round."""
        while True:
            self._renew()
            if not self._closing():
                self._claiming.refill(idle=self._idle())
            self._start_ready()
            for reply in self._transport.poll(self._patience()):
                self._finish(reply)
            self._tell()
            # With more in hand than can be started at once, whatever comes in waits behind it anyway.
            fresh = not self._underway.startable and self.take_new(meanwhile)
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
        return self._claiming.dry and self._idle()

    def _idle(self) -> bool:
        return not len(self._underway) and not self._verdicts

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
            if not isinstance(request.auth, StandardWebhooks):
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
            self._unavailable_until = now + DATABASE_AWAY
            self._claiming.wait(DATABASE_AWAY)

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
