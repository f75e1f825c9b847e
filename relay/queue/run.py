"""Running a Celery worker or beat in this process."""

import logging
import warnings

from celery import Celery
from celery.exceptions import SecurityWarning

# Nothing of what these do is needed: the database knows who holds what, and nudges may be lost.
_LEAN = ("--without-gossip", "--without-mingle", "--without-heartbeat")


def run_worker(app: Celery, concurrency: int, pool: str) -> None:
    """Work until told to stop."""
    # It warns root of messages that could run code: here they are JSON, and carry nothing.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    app.worker_main(
        ["--quiet", "worker", f"--concurrency={concurrency}", f"--pool={pool}", "--loglevel=WARNING", *_LEAN]
    )


def run_beat(app: Celery) -> None:
    """Beat until told to stop."""
    # A broker that is away is one line a second, not a page.
    logging.getLogger("celery.beat").addFilter(_without_traceback)
    app.Beat(quiet=True, loglevel="WARNING").run()


def _without_traceback(record: logging.LogRecord) -> bool:
    record.exc_info = None
    return True
