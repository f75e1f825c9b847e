"""Children of `relay up`: started, started again when they die, and none left behind."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from relay import log

_log = log.get(__name__)

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None

LOOK_EVERY = 0.2
PATIENCE_MOST = 10.0
STEADY_SECONDS = 30.0
"""A child that ran this long is started again at once when it dies."""


@dataclass
class Child:
    """A process to keep running. `grace` is how many seconds it may take to stop."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    grace: float = 10.0
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    patience: float = 0.5

    def start(self) -> None:
        """Start the process; it dies with this one, however this one ends (on Linux, the kernel sees to it)."""
        parent = os.getpid()
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            self.command,
            env={**os.environ, **self.env},
            stdin=subprocess.DEVNULL,
            # Ctrl-C at the terminal is for the supervisor alone: it stops the children in their order.
            start_new_session=True,
            preexec_fn=lambda: _die_with(parent),  # noqa: PLW1509  no thread runs yet when children are started
        )

    def alive(self) -> bool:
        """Say whether the process runs."""
        return self.process is not None and self.process.poll() is None

    def stop(self) -> None:
        """Ask the process to stop, wait for its grace, then end it and all it started."""
        if self.process is None:
            return
        if self.alive():
            self.process.terminate()
            try:
                self.process.wait(self.grace)
            except subprocess.TimeoutExpired:
                _log.warning("child.killed", name=self.name)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Supervisor:
    """Runs children until told to stop, and starts those again that die."""

    def __init__(self) -> None:
        self._children: list[Child] = []
        self._due: dict[str, float] = {}
        self._stopping = False

    def follow_signals(self) -> None:
        """Stop at SIGINT, SIGTERM and SIGHUP; the same again is not waited for."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: self._ask_to_stop())

    def start(self, child: Child) -> None:
        """Start a child and keep it running; children are stopped in the reverse order."""
        child.start()
        self._children.append(child)

    def wait_for(self, ready: Callable[[], bool], seconds: float) -> bool:
        """Look after the children until something is ready; return whether it was in time."""
        until = time.monotonic() + seconds
        while not self._stopping and time.monotonic() < until:
            if ready():
                return True
            self._look()
            time.sleep(LOOK_EVERY / 4)
        return False

    def run(self) -> None:
        """Look after the children until told to stop."""
        while not self._stopping:
            self._look()
            time.sleep(LOOK_EVERY)

    def stop(self) -> None:
        """Stop every child, the last started first."""
        for child in reversed(self._children):
            child.stop()

    def _ask_to_stop(self) -> None:
        if self._stopping:
            for child in self._children:
                child.grace = 0.1
        self._stopping = True

    def _look(self) -> None:
        now = time.monotonic()
        for child in self._children:
            if child.alive():
                continue
            if child.name not in self._due:
                steady = now - child.started > STEADY_SECONDS
                child.patience = 0.5 if steady else min(child.patience * 2, PATIENCE_MOST)
                self._due[child.name] = now + (0.0 if steady else child.patience)
                status = child.process.returncode if child.process else None
                _log.warning("child.died", name=child.name, status=status)
            if now >= self._due[child.name]:
                del self._due[child.name]
                child.start()


def _die_with(parent: int) -> None:
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)
