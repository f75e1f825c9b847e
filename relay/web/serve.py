"""Serving the web application with uvicorn."""

import gc
import sys

import uvicorn
from starlette.applications import Starlette

from relay.web.protocol import BoundedProtocol

SHUTDOWN_SECONDS = 30


def serve(app: Starlette, host: str, port: int) -> None:
    """Serve until told to stop; requests that were read are answered first."""
    # What is there by now stays: a collector that walks it again and again holds up every sender for as long.
    gc.collect()
    gc.freeze()
    # The thread that stores asks for the interpreter a few times a group: five milliseconds each were most of a wait.
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
