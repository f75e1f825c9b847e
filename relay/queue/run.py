"""Running a Celery worker or beat in this process."""

from celery import Celery

# Nothing of what these do is needed: the database knows who holds what, and nudges may be lost.
_LEAN = ("--without-gossip", "--without-mingle", "--without-heartbeat")


def run_worker(app: Celery, concurrency: int, pool: str) -> None:
    """Work until told to stop."""
    app.worker_main(
        ["--quiet", "worker", f"--concurrency={concurrency}", f"--pool={pool}", "--loglevel=WARNING", *_LEAN]
    )


def run_beat(app: Celery) -> None:
    """Beat until told to stop."""
    app.Beat(quiet=True, loglevel="WARNING").run()
