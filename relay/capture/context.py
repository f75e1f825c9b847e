"""`annotate`: who made a change, and why, on every event of the transaction."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy.orm import Session, scoped_session

from relay.capture.asynchronous import AsyncSession, async_scoped_session
from relay.capture.errors import CaptureError
from relay.capture.installation import ledger_of
from relay.capture.values import plain


@contextmanager
def annotate(session: Any, **facts: Any) -> Iterator[None]:
    """Put `facts` into the `meta` of every event of the transactions that the block takes part in.

    A transaction that is still open when the block ends keeps them. Inner blocks add to outer ones. `session` is a
    Session, an AsyncSession, or a scoped one. Raises `CaptureError` where capture is not installed, and for facts that
    JSON cannot hold.
    """
    inner = _inner(session)
    ledger = ledger_of(inner)
    if ledger is None:
        raise CaptureError("capture is not installed in this session: call capture.install with its factory first")
    told = {name: plain(fact) for name, fact in facts.items()}
    ledger.active.append(told)
    try:
        yield
    finally:
        ledger.active.remove(told)
        if inner.in_transaction():
            ledger.facts |= told


def _inner(session: Any) -> Session:
    match session:
        case Session():
            return session
        case AsyncSession():
            return session.sync_session
        case scoped_session() | async_scoped_session():
            return _inner(session())
        case _:
            raise CaptureError(f"annotate takes a session, not {session!r}")
