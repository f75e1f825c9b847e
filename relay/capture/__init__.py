"""Committed changes of SQLAlchemy models become events: rows of an outbox, written in the same transaction.

capture.watch(Order)
capture.install(SessionLocal, source="shop")
"""

from relay.capture.context import annotate
from relay.capture.errors import CaptureError, CaptureWarning
from relay.capture.outbox import outbox
from relay.capture.watching import install, watch

__all__ = ["CaptureError", "CaptureWarning", "annotate", "install", "outbox", "watch"]
