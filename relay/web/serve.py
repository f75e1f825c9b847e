"""Serving the web application with uvicorn."""

import gc
import sys

import uvicorn
from starlette.applications import Starlette

from relay.web.protocol import BoundedProtocol

SHUTDOWN_SECONDS = 30

YOUNG_AT_MOST = 10_000
"""Objects that may be made before the collector looks at them; a request under way holds some sixty."""


def serve(app: Starlette, host: str, port: int) -> None:
    """Serve until told to stop; requests that were read are answered first."""
    # What is there by now stays: a collector that walks it again and again holds up every sender for as long.
    gc.collect()
    gc.freeze()
    # Nor is it called for what the requests under way hold: they let go of it by themselves.
    gc.set_threshold(YOUNG_AT_MOST)
    # A thread, SQLite's or the one that announces, asks for the interpreter a few times a turn: five milliseconds each
    # were most of a wait.
    sys.setswitchinterval(0.001)
    uvicorn.run(
        app,
        host=host,
        port=port,
        loop="uvloop",
        http=BoundedProtocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        backlog=2048,
    )
