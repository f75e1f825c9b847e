"""Start, watch and stop child processes, and wait for what they do: with a deadline, never for a fixed time."""

import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

T = TypeVar("T")

HOST = "127.0.0.1"
# Part of Debian's util-linux. Not a `preexec_fn`: that would run Python between fork and exec, beside other threads.
_SETPRIV = shutil.which("setpriv")
# Not the module's: Hypothesis seeds that one, and every test would ask for the same ports.
_chance = random.SystemRandom()


def free_port() -> int:
    """Return a TCP port of the loopback interface on which nothing listens now.

    None of those that the system gives to clients: whoever connects next might be given it before its server starts.
    """
    while True:
        port = _chance.randrange(10_000, 32_000)
        with socket.socket() as listener, suppress(OSError):
            listener.bind((HOST, port))
            return port


def accepts(port: int) -> bool:
    """Say whether something accepts connections on this loopback port."""
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex((HOST, port)) == 0


def eventually(check: Callable[[], T], timeout: float = 20, *, every: float = 0.02, what: str = "") -> T:
    """Call `check` until it returns something true, and return that.

    An `AssertionError` of `check` counts as not yet. Raises `AssertionError` after `timeout` seconds, with the last
    one as its cause.
    """
    deadline = time.monotonic() + timeout
    while True:
        last: AssertionError | None = None
        try:
            if found := check():
                return found
        except AssertionError as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"{what or 'what was awaited'} did not happen within {timeout:g} s") from last
        time.sleep(every)


class Child:
    """A child process in a process group of its own, its output in a file. A context manager that stops it.

    It is asked to end when the thread that started it ends, though that be by SIGKILL: the kernel sees to it.
    """

    def __init__(
        self,
        command: Sequence[str],
        output: Path,
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        account: tuple[int, int] | None = None,
        ends_by: signal.Signals = signal.SIGTERM,
    ) -> None:
        """Start `command`; `env` is added to this process's own. `account` is a user and group id to run as.

        `ends_by` is the signal that asks it to end.
        """
        self.command = command
        self.output = output
        self._ends_by = ends_by
        user, group = account or (None, None)
        tie = [_SETPRIV, "--pdeathsig", ends_by.name.removeprefix("SIG")] if _SETPRIV else []
        with output.open("ab") as sink:
            self.process = subprocess.Popen(
                [*tie, *command],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                cwd=cwd,
                user=user,
                group=group,
                extra_groups=None if account is None else [],
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process id, which is the process group's too."""
        return self.process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.process.poll() is None

    @property
    def text(self) -> str:
        """What it wrote to standard output and standard error so far."""
        return self.output.read_text(errors="replace")

    def until(self, ready: Callable[[], bool], timeout: float = 20) -> Self:
        """Wait until `ready`; raise `AssertionError` with the output if it ends or takes too long."""

        def check() -> bool:
            return not self.running or ready()

        try:
            eventually(check, timeout)
            assert self.running, f"it ended with status {self.process.returncode}"
        except AssertionError as error:
            self.kill()
            raise AssertionError(f"{self.command[0]} did not start: {error}\n{self.text[-4000:]}") from None
        return self

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process, not to its group."""
        if self.running:
            self.process.send_signal(number)

    def stop(self, timeout: float = 20) -> int:
        """Ask it to end and return its status; after `timeout` seconds kill it and its group."""
        self.send(self._ends_by)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        """Kill it and its whole group at once, as a power cut would, and return its status."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        return self.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class Server:
    """What every server of the tests shares: its process can be killed, and made to hang and go on."""

    _child: Child | None = None

    @property
    def pid(self) -> int | None:
        """The process id of the running server."""
        return self._child.pid if self._child is not None and self._child.running else None

    def kill(self) -> None:
        """Kill the server at once, as a power cut would."""
        if self._child is not None:
            self._child.kill()

    def freeze(self) -> None:
        """Let the server hang: connections stay open, nothing is answered."""
        if self._child is not None:
            self._child.send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen server go on where it was."""
        if self._child is not None:
            self._child.send(signal.SIGCONT)
