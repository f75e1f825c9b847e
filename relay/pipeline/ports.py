"""What the steps need from the rooms beneath and above them, named for the need.

Whatever keeps something in a database raises `StoreUnavailable` when that does not answer.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import requests

from relay.domain.configuration import Configuration
from relay.domain.delivery import Claimed, Delivery, Lane, OutcomeName, Routed, TakeOn, Verdict
from relay.domain.event import Event
from relay.domain.replay import Replay, Started
from relay.domain.target import Former, TargetOptions


class EventStore(Protocol):
    """Where events are kept."""

    def add(self, batch: Sequence[Event], *, hurried: bool = False) -> list[str]:
        """Store events and return the id each is known by, in their order; `hurried`, it can be done again."""

    def route(
        self,
        limit: int,
        decide: Callable[[Sequence[Event]], Iterable[Delivery]],
        take_on: TakeOn | None = None,
    ) -> Routed:
        """Route waiting events; return what became of them. What `take_on` names is claimed at once."""

    def waiting(self) -> bool:
        """Say whether any event is not routed yet."""


class DeliveryStore(Protocol):
    """Where deliveries are kept."""

    def claim(self, lanes: Sequence[Lane], limit: int, now: datetime) -> list[Claimed]:
        """Take what is due under a lease, at most `limit`, and of each lane at most its quota."""

    def record(self, verdicts: Sequence[Verdict]) -> int:
        """Store what attempts came to; return how many deliveries took it, as others lost their lease."""

    def renew(self, claimed: Sequence[Claimed], now: datetime) -> None:
        """Hold claims for longer."""

    def release(self, claimed: Sequence[Claimed]) -> None:
        """Give back claims of which nothing was sent."""

    def take_back(self, now: datetime) -> int:
        """Make claims whose lease has ended due again; return how many."""

    def cancel_orphans(self, now: datetime) -> int:
        """Cancel what waits for a target that there is no more."""

    def due(self, names: Iterable[str], now: datetime) -> bool:
        """Say whether anything waits for one of these targets."""


class ReplayStore(Protocol):
    """Where replays are kept."""

    def start(self, filters: Mapping[str, Any], rate: float | None, now: datetime) -> Started:
        """Make all that fits due again, at `rate` deliveries a second. Raises `NotFound` when ids name nothing."""

    def find(self, before: str | None, limit: int) -> list[Replay]:
        """Return replays, newest first, from `before` (an id) backwards."""

    def get(self, replay_id: str) -> Replay | None:
        """Return one replay, or `None`."""

    def cancel(self, replay_id: str, now: datetime) -> bool:
        """Cancel what still waits of a replay; return whether there is such a replay."""


class OutboxReader(Protocol):
    """One database's outbox."""

    name: str

    def read(self, limit: int) -> tuple[list[int], list[Event]]:
        """Return the oldest rows' numbers and the events they are."""

    def forget(self, seqs: Sequence[int]) -> None:
        """Delete rows whose events are stored."""

    def waiting(self) -> bool:
        """Say whether any row waits; an outbox that cannot be read has none."""

    def close(self) -> None:
        """Close the connections."""


class Stored(Protocol):
    """A configuration as stored."""

    @property
    def version(self) -> int:
        """The number of the change that made it."""

    @property
    def configuration(self) -> Configuration:
        """What it says."""

    @property
    def paused(self) -> Mapping[str, str]:
        """Why some targets are paused, by name."""

    @property
    def former(self) -> Mapping[str, tuple[Former, ...]]:
        """The signing secrets that were replaced lately, by target."""

    @property
    def muted(self) -> Mapping[str, datetime]:
        """Until when some routes are muted, by name; some of it may be over."""

    @property
    def people(self) -> Sequence[TargetOptions]:
        """The places of people, under the names of their targets."""

    @property
    def aging(self) -> bool:
        """Whether some of it is sealed with a key that is not the newest."""


class ConfigurationReader(Protocol):
    """Where the configuration is kept."""

    def version(self) -> int:
        """Return the number of the latest change."""

    def load(self) -> Stored:
        """Return what is stored."""

    def mute(self, route: str, until: datetime | None, now: datetime) -> bool:
        """Mute a route until then, or with `None` no longer; return whether there is such a route."""

    def pause(self, target: str, reason: str | None, now: datetime) -> bool:
        """Pause a target for a reason, or with `None` resume it; return whether that changed anything."""


class Nudge(Protocol):
    """Tells workers that a step has work. Losing or repeating a nudge costs nothing; none ever raises."""

    def collect(self) -> None:
        """An outbox has rows."""

    def fan_out(self) -> None:
        """Events wait to be routed."""

    def deliver(self) -> None:
        """Deliveries are due."""

    def begin_sweep(self) -> bool:
        """Say whether to sweep now: one process in a second is enough. Note it, for whoever asks who is alive."""

    def answer(self, step: str) -> bool:
        """Answer a message for a step; say whether there is anything to do: not, where somebody else just did it."""

    def take(self, *steps: str) -> frozenset[str]:
        """Return which of these steps somebody was nudged for, and answer for it from here on."""


class Reply(Protocol):
    """What came of a request: a response, or a failure."""

    @property
    def key(self) -> Any:
        """What `send` was given."""

    @property
    def ms(self) -> float:
        """How many milliseconds it took."""

    @property
    def response(self) -> requests.Response | None:
        """The response, if there was one."""

    @property
    def failure(self) -> "Failure | None":
        """Why there was none."""


class Failure(Protocol):
    """Why a request has no response."""

    @property
    def kind(self) -> OutcomeName:
        """What kept the response away, in a word."""

    @property
    def reason(self) -> str:
        """One line that holds no secret."""


class Transport(Protocol):
    """Moves requests, many at a time."""

    def send(self, key: Any, request: requests.Request, timeout: float) -> None:
        """Start a request that may take so many seconds; its reply comes out of `poll`, whatever happens."""

    def poll(self, wait: float) -> Sequence[Reply]:
        """Return what has finished; wait at most so many seconds for the first."""


class Pacer(Protocol):
    """Hands out the slots of quotas that all workers share."""

    def reserve(self, key: str, rate: float, count: int) -> list[float]:
        """Return in how many seconds each of the next `count` requests may leave, at `rate` a second under this key."""
