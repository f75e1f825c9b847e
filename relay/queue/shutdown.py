"""How the children of a worker hear that it shuts down: Celery tells its main process alone."""

import mmap
from typing import Any


class Stopping:
    """A flag that a worker's main process raises and its forked children see: one shared byte."""

    def __init__(self) -> None:
        self._byte = mmap.mmap(-1, 1)

    def __call__(self) -> bool:
        """Say whether the worker is shutting down."""
        return self._byte[0] != 0

    def follow(self) -> None:
        """Rise when this process' worker begins to shut down; lie down when it starts."""
        from celery import signals

        signals.worker_init.connect(self._lower, weak=False)
        signals.worker_shutting_down.connect(self._raise, weak=False)

    def _raise(self, **_: Any) -> None:
        self._byte[0] = 1

    def _lower(self, **_: Any) -> None:
        self._byte[0] = 0
