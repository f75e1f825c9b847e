"""A real RabbitMQ as Debian packages it, where it is installed: on loopback alone, in a directory of its own."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
from kombu import Connection
from kombu.exceptions import OperationalError

from tests.support.processes import HOST, Child, Server, accepts, free_port

# Not the wrapper in /usr/sbin: that one serves the machine's own RabbitMQ.
SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
START_SECONDS = 60


class RabbitMQ(Server):
    """A RabbitMQ server on a free loopback port, with an epmd of its own; port and queues outlive `kill`."""

    def __init__(self) -> None:
        self.port = free_port()
        self._epmd_port = free_port()
        self.directory = Path(tempfile.mkdtemp(prefix="rabbitmq-"))
        self._epmd: Child | None = None

    @staticmethod
    def missing() -> str | None:
        """Return what is not installed here, or `None`."""
        return None if SERVER.exists() and shutil.which("epmd") else "RabbitMQ is not installed (rabbitmq-server)"

    @property
    def url(self) -> str:
        """The broker's URL."""
        return f"amqp://guest:guest@{HOST}:{self.port}//"

    def start(self) -> Self:
        """Start the server if it does not run; return when it takes connections."""
        if self._epmd is None:
            name_server = [shutil.which("epmd") or "epmd", "-port", str(self._epmd_port), "-address", HOST]
            self._epmd = Child(name_server, self.directory / "epmd.log").until(lambda: accepts(self._epmd_port))
        if self._child is None or not self._child.running:
            self._child = Child([str(SERVER)], self.directory / "log", env=self._environment(), cwd=self.directory)
            self._child.until(self._answers, START_SECONDS)
        return self

    def remembers(self, queue: str) -> bool:
        """Say whether a quorum queue outlives a kill already.

        3.10 writes the list of its quorum queues to disk half a second to a second after one was added. Killed before
        that, the node knows the queue when it starts again, but not where its log is, and never makes it a leader.
        """
        lists = (self.directory / "data").glob("*/quorum/*/names.dets")
        return any(f"%2F_{queue}".encode() in path.read_bytes() for path in lists)

    def stop(self) -> None:
        """Stop the server and its epmd, and delete its data."""
        self.kill()
        if self._epmd is not None:
            self._epmd.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _answers(self) -> bool:
        try:
            with Connection(self.url, connect_timeout=2) as connection:
                connection.ensure_connection(max_retries=1, interval_start=0.1)
                return True
        except (OperationalError, OSError):
            return False

    def _environment(self) -> dict[str, str]:
        settings = self.directory / "rabbitmq.conf"
        lines = (f"listeners.tcp.1 = {HOST}:{self.port}", "log.file = false", "log.console = true")
        settings.write_text("\n".join((*lines, "log.console.level = warning", "")))
        (self.directory / "plugins").write_text("[].\n")
        return {
            "HOME": str(self.directory),
            # The server takes the place of its start script: one process to signal.
            "RUNNING_UNDER_SYSTEMD": "true",
            "RABBITMQ_NODENAME": f"relay-{self.port}@localhost",
            "RABBITMQ_CONFIG_FILE": str(settings),
            "RABBITMQ_CONF_ENV_FILE": str(self.directory / "none"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.directory / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.directory / "data"),
            "RABBITMQ_LOG_BASE": str(self.directory / "logs"),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false +S 1:1 +sbwt none"
            ),
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": HOST,
        }


@pytest.fixture(scope="module")
def rabbitmq() -> Iterator[RabbitMQ]:
    """A RabbitMQ server; without one installed the test is skipped, but for CI, which must have it."""
    if missing := RabbitMQ.missing():
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    server = RabbitMQ()
    try:
        yield server.start()
    finally:
        server.stop()
