"""A delivery is one event on its way to one target; an attempt is one request made for it."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from relay.domain.event import Event
from relay.domain.person import is_person


class State(StrEnum):
    """Where a delivery stands. `PENDING` and `SENDING` are open, the others final until replayed.

    What is `FOLDED` shares the fate of the delivery whose message tells it: it is finished when that one is.
    """

    PENDING = "pending"
    SENDING = "sending"
    DELIVERED = "delivered"
    DEAD = "dead"
    FOLDED = "folded"
    CANCELLED = "cancelled"


OPEN = (State.PENDING, State.SENDING)

LEASE = timedelta(seconds=20)
"""How long a claim holds without being renewed: a worker that dies delays its deliveries by no more than this."""


class OutcomeName(StrEnum):
    """What came of an attempt, in one word, as it is stored and shown.

    The first four were answered, `INTERNAL` and `TEMPLATE` never left; of the others no answer came.
    """

    DELIVERED = "delivered"
    REJECTED = "rejected"
    THROTTLED = "throttled"
    FAILED = "failed"
    DNS = "dns"
    REFUSED = "refused"
    RESET = "reset"
    TLS = "tls"
    TIMEOUT = "timeout"
    TOO_LARGE = "too_large"
    BLOCKED = "blocked"
    PROTOCOL = "protocol"
    NETWORK = "network"
    AUTH = "auth"
    UNSENT = "unsent"
    TEMPLATE = "template"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one target. `tries` counts since it was created or last replayed, `attempts` counts all.

    `ordered` says that its target takes the events of a subject in their order. `folded_into` is the delivery whose
    message tells this one; of a `repeat`, the one that told the same before. `digest` names what it gathers with until
    its window ends, `dedupe` what is told but once in a while.
    """

    id: str
    event_id: str
    event_seq: int
    route: str
    target: str
    subject: str | None
    state: State
    attempts: int
    tries: int
    next_attempt_at: datetime
    created_at: datetime
    finished_at: datetime | None = None
    last_status: int | None = None
    last_error: str | None = None
    ordered: bool = False
    folded_into: str | None = None
    repeat: bool = False
    digest: str | None = None
    dedupe: str | None = None


class Claimed(NamedTuple):
    """A delivery this worker holds until its lease ends, with the event it carries.

    `riders` counts the deliveries that its message tells beside its own.
    """

    id: str
    event: Event
    route: str
    target: str
    attempts: int
    tries: int
    lease: str
    riders: int = 0


class Routed(NamedTuple):
    """What became of a batch: how many events it had, how many deliveries they made, and those of them in hand."""

    events: int
    made: int
    claimed: Sequence[Claimed] = ()


TakeOn = Callable[[Sequence[Delivery]], Sequence[Delivery]]
"""Names those of new deliveries that whoever routes would begin at once: they are under its lease from the start."""


@dataclass(frozen=True, slots=True)
class Rider:
    """A delivery as far as a message that tells many of them needs it: the event's number, kind and time."""

    seq: int
    route: str
    source: str
    type: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Gathering:
    """A digest's window: until when, and how many it has gathered. `due` says that the digest is about to leave."""

    until: datetime
    count: int
    due: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """The delivery that tells what `dedupe` names, and when it did: `None` while it waits."""

    dedupe: str
    delivery_id: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Lane:
    """What may be claimed for one target: `quota` deliveries.

    `most` bounds what all workers together have under way. `ordered` holds back whatever an earlier delivery of its
    subject is open for; with `blocking`, or dead.
    """

    target: str
    quota: int
    most: int | None = None
    ordered: bool = False
    blocking: bool = False


class Attempt(NamedTuple):
    """One request and what came of it. `ms` is wall time; `response` is cut at 4 KiB and holds no secret.

    `outcome` is an `OutcomeName`; of one that a later version recorded, it may be a word that this one does not know.
    """

    delivery_id: str
    number: int
    at: datetime
    ms: float
    outcome: str
    status: int | None = None
    error: str | None = None
    response: str | None = None


class Verdict(NamedTuple):
    """What one attempt means for its delivery: the state it takes, and when it is due again if it is pending."""

    claimed: Claimed
    attempt: Attempt
    state: State
    next_attempt_at: datetime


def webhook_id(event_id: str, target: str) -> str:
    """Return what receivers deduplicate by: the same for every retry and replay of this event at this target."""
    if is_person(target):
        # It travels as a header and within addresses: no place for anybody's own.
        target = hashlib.blake2b(target.encode(), digest_size=8).hexdigest()
    return f"{event_id}_{target}"
