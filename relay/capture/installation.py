"""What `install` was told, and the ledger of each session that it concerns."""

from dataclasses import dataclass
from weakref import WeakKeyDictionary

from sqlalchemy.orm import Session

from relay.capture.ledger import Ledger
from relay.capture.wake import Waker

_KEY = "relay.capture"


@dataclass(frozen=True, slots=True)
class Installation:
    """The source of a class of sessions' events, what to wake after a commit, and whether unseen writes are errors."""

    source: str
    waker: Waker | None
    strict: bool = False


installed: WeakKeyDictionary[type[Session], Installation] = WeakKeyDictionary()
"""Classes of sessions that are captured, and with them those that inherit from them."""


def installation_of(session: Session) -> Installation | None:
    """Return what was installed on the session's class; `None` when nothing was."""
    return next((installed[base] for base in type(session).__mro__ if base in installed), None)


def open_ledger(session: Session) -> Ledger | None:
    """Return the session's ledger if it has one already."""
    ledger = session.info.get(_KEY)
    return ledger if isinstance(ledger, Ledger) else None


def ledger_of(session: Session) -> Ledger | None:
    """Return the session's ledger, a new one if need be; `None` when capture is not installed on its class."""
    ledger = session.info.get(_KEY)
    if ledger is None:
        installation = installation_of(session)
        if installation is None:
            return None
        ledger = session.info[_KEY] = Ledger(installation.source)
    return ledger if isinstance(ledger, Ledger) else None
