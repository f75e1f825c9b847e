"""`python -m relay.demo DATABASE_URL [INTERVAL]`: the demo shop in a process of its own, until SIGTERM or Ctrl-C."""

import argparse
import signal
import threading

from relay.demo.shop import run

INTERVAL = 4.0
"""Seconds between two things the shop does: well below the one message a second that a Chat space takes."""


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < threading.TIMEOUT_MAX:
        raise ValueError
    return seconds


def main() -> None:
    """Run the shop."""
    parser = argparse.ArgumentParser(prog="python -m relay.demo", description="The demo shop: changes rows for ever.")
    parser.add_argument("database_url", help="SQLAlchemy URL of the shop's own database")
    parser.add_argument("interval", nargs="?", type=_seconds, default=INTERVAL, help="seconds between changes")
    arguments = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    run(arguments.database_url, arguments.interval, stop)


if __name__ == "__main__":
    main()
