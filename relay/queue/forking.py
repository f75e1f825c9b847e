"""What a worker's processes share: what is there before they are forked stays as it is."""

import gc
from typing import Any


def keep_shared() -> None:
    """Let the collector of no process walk over what all of them share: to touch it is to copy it, page by page."""
    from celery import signals

    signals.worker_before_create_process.connect(_freeze, weak=False)


def _freeze(**_: Any) -> None:
    gc.freeze()
