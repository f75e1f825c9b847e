"""Notifications that the library apprise sends, each in a thread with a deadline, as well guarded as can be.

An audit hook of the interpreter sees the very address that such a thread is about to connect to, redirects and odd
spellings included. It does not see threads that a service starts, nor C libraries.
"""

import logging
import socket
import sys
import threading
import time
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from queue import Empty, SimpleQueue
from typing import Any

import requests

from relay.domain.errand import Notice
from relay.domain.replies import keys_in, safe_words
from relay.outbound import failures
from relay.outbound.failures import Failure
from relay.outbound.guard import Guard
from relay.outbound.response import CurlResponse
from relay.outbound.transport import Reply

MOST = 64
"""Threads of a process, those that hang among them."""

_CONNECTS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_PROGRAMS = frozenset({"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "syslog.syslog"})

_threads = threading.BoundedSemaphore(MOST)


@dataclass(slots=True)
class _Run:
    """One notification on its way: who wants it, until when, what the guard refused, and what apprise had to say."""

    key: Any
    notice: Notice
    began: float
    timeout: float
    guard: Guard
    refused: str = ""
    said: list[str] = field(default_factory=list)

    @property
    def ms(self) -> float:
        """Milliseconds since it began."""
        return (time.monotonic() - self.began) * 1000


# Of a context, not of a thread: apprise takes it along where it uses threads.
_current: ContextVar[_Run | None] = ContextVar("run", default=None)


class Notices:
    """Sends notifications and collects what came of them. One per thread that uses it."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._runs: dict[int, _Run] = {}
        self._finished: SimpleQueue[tuple[int, Reply]] = SimpleQueue()
        self._number = 0

    @property
    def in_flight(self) -> int:
        """How many have no reply yet."""
        return len(self._runs)

    def send(self, key: Any, notice: Notice, timeout: float) -> None:
        """Start a notification; its reply comes out of `collect`, whatever is wrong with it."""
        _prepare()
        self._number += 1
        run = self._runs[self._number] = _Run(key, notice, time.monotonic(), timeout, self._guard)
        if not _threads.acquire(blocking=False):
            self._finished.put((self._number, _failed(run, failures.unsent("too many that hang are under way"))))
            return
        threading.Thread(target=self._carry, args=(self._number, run), daemon=True, name="notice").start()

    def collect(self) -> list[Reply]:
        """Return what has finished or run out of time; never waits."""
        replies = []
        while True:
            try:
                number, reply = self._finished.get_nowait()
            except Empty:
                break
            # One that was given up is of no interest any more.
            if self._runs.pop(number, None) is not None:
                replies.append(reply)
        late = [number for number, run in self._runs.items() if run.ms > run.timeout * 1000]
        for number in late:
            run = self._runs.pop(number)
            replies.append(_failed(run, failures.timed_out(run.timeout, connected=True)))
        return replies

    def close(self) -> None:
        """Forget what is on its way."""
        self._runs.clear()

    def _carry(self, number: int, run: _Run) -> None:
        try:
            self._finished.put((number, _carried(run)))
        finally:
            _threads.release()


def _carried(run: _Run) -> Reply:
    _current.set(run)
    try:
        taken = _notify(run.notice, run.timeout)
    except Exception as error:  # noqa: BLE001  the services are other people's code, and more than a hundred
        run.said.append(type(error).__name__)
        taken = False
    if taken:
        seconds = run.ms / 1000
        return Reply(run.key, run.ms, CurlResponse(requests.PreparedRequest(), 200, (), b"", seconds), None)
    if run.refused:
        return _failed(run, failures.blocked(run.refused))
    words = safe_words("; ".join(run.said), [run.notice.address, *keys_in(run.notice.address)])
    return _failed(run, failures.unsent(f"the service did not take it: {words or 'apprise says no more'}"))


def _notify(notice: Notice, timeout: float) -> bool:
    import apprise

    asset = apprise.AppriseAsset(
        async_mode=False,
        http_redirects=False,
        secure_logging=True,
        # The deadline is kept here.
        service_timeout=0,
        storage_mode=apprise.PersistentStoreMode.MEMORY,
    )
    service = apprise.Apprise.instantiate(notice.address, asset=asset)
    if service is None:
        return False
    service.socket_connect_timeout = service.socket_read_timeout = timeout
    sender = apprise.Apprise(asset=asset)
    sender.add(service)
    kind = apprise.NotifyType(notice.mood)
    return bool(sender.notify(notice.text, notice.title, kind, body_format=apprise.NotifyFormat.TEXT))


def _failed(run: _Run, failure: Failure) -> Reply:
    return Reply(run.key, run.ms, None, failure)


@cache
def _prepare() -> None:
    """Watch what the threads of notifications do and say, from the first one on. A hook of this kind never goes."""
    sys.addaudithook(_watch)
    logger = logging.getLogger("apprise")
    logger.addHandler(_Listener(logging.WARNING))
    logger.propagate = False


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse what a notification's thread must not do: this is called for all threads and must be quick."""
    run = _current.get()
    if run is None:
        return
    if event in _CONNECTS:
        _check(run, arguments[0], arguments[1])
    elif event in _PROGRAMS:
        raise PermissionError("a notification starts no program")


def _check(run: _Run, connecting: socket.socket, address: Any) -> None:
    if address is None:
        # Sent where it is connected to, which was checked then.
        return
    place = address[:2] if isinstance(address, tuple) and len(address) > 1 else (str(address), 0)
    inner = connecting.family in (socket.AF_INET, socket.AF_INET6)
    if not inner or not run.guard.permits(str(place[0]), int(place[1]), ""):
        run.refused = run.refused or str(place[0])
        raise PermissionError("the egress guard refuses this address")


class _Listener(logging.Handler):
    """Keeps what apprise says in the thread of a notification."""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        run = _current.get()
        if run is not None:
            run.said.append(record.getMessage())
