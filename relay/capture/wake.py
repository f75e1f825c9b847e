"""Waking the relay after a commit: a background thread, one token, at most one message.

The message is what Celery puts on a Redis list for a task without arguments (protocol 2, JSON). Redis is spoken to in
its own few words, so that applications need no client for it.
"""

import json
import os
import threading
import time
from base64 import b64encode
from contextlib import closing
from functools import cache
from uuid import uuid4

from relay.capture.resp import Address, Connection

QUEUE = "relay"
TASK = "relay.collect"
TOKEN = "relay:wake:collect"  # noqa: S105  a key's name, no password
TOKEN_SECONDS = 3
"""A token outlives a lost message by no more than this."""
PAUSE = 1.0
"""Seconds without an attempt after the broker failed."""
IDLE = 1.0
"""Seconds without a commit after which the connection is closed."""

_BODY = b64encode(b'[[], {}, {"callbacks": null, "errbacks": null, "chain": null, "chord": null}]').decode()


class Waker:
    """Tells the relay that an outbox has rows. `nudge` never waits and never raises: the relay looks by itself too."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._lock = threading.Lock()
        self._due = threading.Event()
        self._started = False
        # A thread does not follow its process through a fork, and a lock may be held by one that is left behind.
        os.register_at_fork(after_in_child=self._begin_anew)

    def nudge(self) -> None:
        """Wake the relay soon; nudges that come close together are one."""
        self._due.set()
        if not self._started:
            self._start()

    def _start(self) -> None:
        with self._lock:
            if self._started:
                return
            self._started = True
            try:
                threading.Thread(target=self._run, args=(self._due,), name="relay-wake", daemon=True).start()
            except RuntimeError:
                # The interpreter is shutting down, or has no threads left.
                self._started = False

    def _begin_anew(self) -> None:
        self._lock = threading.Lock()
        self._due = threading.Event()
        self._started = False

    def _run(self, due: threading.Event) -> None:
        while due.wait():
            try:
                with closing(Connection(self._address)) as connection:
                    _serve(connection, due)
            except OSError:
                due.clear()
                time.sleep(PAUSE)


def _serve(connection: Connection, due: threading.Event) -> None:
    """Wake the relay as often as asked to, until nobody asks for a while."""
    while due.wait(IDLE):
        due.clear()
        if connection.ask("SET", TOKEN, "1", "NX", "EX", str(TOKEN_SECONDS)) == "OK":
            connection.ask("LPUSH", QUEUE, message())


@cache
def waker(url: str) -> Waker | None:
    """Return what wakes the relay through the broker at `url`, one for each process; `None` where it wakes by itself.

    Raises `CaptureError` for a URL that is no broker's.
    """
    address = Address.parse(url)
    return None if address is None else Waker(address)


def message() -> str:
    """Return a message that makes a Celery worker run the task which collects outboxes."""
    task = str(uuid4())
    headers = {
        "lang": "py",
        "task": TASK,
        "id": task,
        "root_id": task,
        "parent_id": None,
        "group": None,
        "retries": 0,
        "eta": None,
        "expires": None,
        "timelimit": [None, None],
        "argsrepr": "()",
        "kwargsrepr": "{}",
        "origin": "relay.capture",
        "ignore_result": True,
    }
    properties = {
        "correlation_id": task,
        "delivery_mode": 2,
        "delivery_info": {"exchange": "", "routing_key": QUEUE},
        "priority": 0,
        "body_encoding": "base64",
        "delivery_tag": str(uuid4()),
    }
    return json.dumps(
        {
            "body": _BODY,
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": headers,
            "properties": properties,
        }
    )
