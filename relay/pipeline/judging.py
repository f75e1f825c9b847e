"""From what came back to what it means: pure, so that every case has a test."""

from collections.abc import Iterable
from datetime import datetime
from http import HTTPStatus
from typing import assert_never

from relay.domain.delivery import Attempt, Claimed, OutcomeName, State, Verdict
from relay.domain.retry import next_attempt
from relay.domain.target import Delivered, Outcome, Refused, TryLater
from relay.domain.templates import TemplateFailed
from relay.pipeline.live import LiveTarget
from relay.pipeline.ports import Reply

RESPONSE_KEPT = 4096
"""Bytes of a response that are stored."""

FINAL_FAILURES = frozenset({OutcomeName.BLOCKED})
"""Failures that no repetition cures."""

_HIDDEN = "[secret]"


def judge(
    reply: Reply, claimed: Claimed, live: LiveTarget, started: datetime, now: datetime, jitter: float
) -> tuple[Verdict, Outcome]:
    """Return what a reply means for its delivery, and the outcome it was judged to be."""
    outcome, name = _outcome(reply, live, now)
    response = reply.response
    attempt = Attempt(
        delivery_id=claimed.id,
        number=claimed.attempts + 1,
        at=started,
        ms=round(reply.ms, 3),
        outcome=name,
        status=response.status_code if response is not None else None,
        error=_kept(getattr(outcome, "reason", None), live.secrets),
        response=_kept(response.content.decode(errors="replace"), live.secrets) if response is not None else None,
    )
    return conclude(claimed, live, attempt, outcome, now, jitter), outcome


def conclude(
    claimed: Claimed, live: LiveTarget, attempt: Attempt, outcome: Outcome, now: datetime, jitter: float
) -> Verdict:
    """Return the state a delivery takes after this attempt, and when it is due again if it is."""
    match outcome:
        case Delivered():
            return Verdict(claimed, attempt, State.DELIVERED, now)
        case TryLater(_, not_before):
            due = next_attempt(claimed.tries + 1, live.options.retry, now, jitter, not_before)
            return Verdict(claimed, attempt, State.DEAD if due is None else State.PENDING, due or now)
        case Refused(_, gone):
            # A target that is gone keeps its deliveries: they wait for it to be resumed.
            return Verdict(claimed, attempt, State.PENDING if gone else State.DEAD, now)
        case never:
            assert_never(never)


def unmade(error: Exception, live: LiveTarget) -> tuple[OutcomeName, str]:
    """Return the outcome, in a word and in words, of a request that could not be made."""
    if isinstance(error, TemplateFailed):
        return OutcomeName.TEMPLATE, show(f"the target's template failed: {error}", live.secrets)
    return OutcomeName.INTERNAL, f"the relay could not make the request: {type(error).__name__}"


def _outcome(reply: Reply, live: LiveTarget, now: datetime) -> tuple[Outcome, OutcomeName]:
    if reply.response is not None:
        outcome = live.target.judge(reply.response, now)
        return outcome, _name(outcome, reply.response.status_code)
    if reply.failure is None:
        return TryLater("no reply"), OutcomeName.NETWORK
    if reply.failure.kind in FINAL_FAILURES:
        return Refused(reply.failure.reason), reply.failure.kind
    return TryLater(reply.failure.reason), reply.failure.kind


def _name(outcome: Outcome, status: int) -> OutcomeName:
    match outcome:
        case Delivered():
            return OutcomeName.DELIVERED
        case Refused():
            return OutcomeName.REJECTED
        case _:
            return OutcomeName.THROTTLED if status == HTTPStatus.TOO_MANY_REQUESTS else OutcomeName.FAILED


def show(text: str, secrets: Iterable[str]) -> str:
    """Return text with every secret taken out."""
    for secret in secrets:
        text = text.replace(secret, _HIDDEN)
    return text


def _kept(text: str | None, secrets: Iterable[str]) -> str | None:
    """Return text fit to be stored: without secrets, without the NUL that PostgreSQL refuses, and cut."""
    if not text:
        return text
    return show(text, secrets).replace("\0", "\ufffd").encode(errors="replace")[:RESPONSE_KEPT].decode(errors="ignore")
