"""Committed changes of SQLAlchemy models become events: rows of an outbox, written in the same transaction."""

from relay.capture.outbox import outbox

__all__ = ["outbox"]
