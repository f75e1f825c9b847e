"""A real MariaDB as Debian packages it, where it is installed: on loopback alone, in a directory of its own."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Self
from uuid import uuid4

import pymysql
import pytest

from tests.support.processes import HOST, Child, Server, free_port

SERVER = Path("/usr/sbin/mariadbd")
INSTALLER = Path("/usr/bin/mariadb-install-db")
SETTINGS = {
    "bind-address": HOST,
    "character-set-server": "utf8mb4",
    # Its own death is what tests bring about, not the machine's.
    "innodb-flush-log-at-trx-commit": "2",
    "innodb-flush-method": "nosync",
    "innodb-file-per-table": "0",
    "innodb-buffer-pool-size": "64M",
    "innodb-log-file-size": "64M",
    "max-connections": "100",
    "skip-name-resolve": "1",
}


class MariaDB(Server):
    """A MariaDB server on a free loopback port; its port and data outlive `kill` and `start`."""

    def __init__(self) -> None:
        self.account = _account()
        self.port = free_port()
        self.directory = Path(tempfile.mkdtemp(prefix="mariadb-"))
        if self.account is not None:
            os.chown(self.directory, *self.account)
        self._data = self.directory / "data"

    @staticmethod
    def missing() -> str | None:
        """Return what is not installed here, or `None`."""
        return None if SERVER.exists() and INSTALLER.exists() else "MariaDB is not installed (mariadb-server)"

    def url(self, database: str = "mysql") -> str:
        """Return the URL of a database of this server, for SQLAlchemy."""
        return f"mysql+pymysql://root@{HOST}:{self.port}/{database}"

    def start(self) -> Self:
        """Start the server, recovering from a crash where there was one; return when it answers queries."""
        if self._child is not None and self._child.running:
            return self
        if not self._data.exists():
            self._initialise()
        own = {"datadir": self._data, "port": self.port, "socket": self.directory / "s", "pid-file": "pid"}
        options = [f"--{name}={value}" for name, value in (SETTINGS | own).items()]
        self._child = Child(
            # Not what the machine's own server reads.
            [str(SERVER), "--no-defaults", *options],
            self.directory / "log",
            cwd=self.directory,
            account=self.account,
        ).until(self._answers)
        return self

    def stop(self) -> None:
        """Stop the server and delete its data."""
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def create_database(self) -> str:
        """Create an empty database and return its URL."""
        name = f"t{uuid4().hex}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Drop the database of this URL."""
        self.execute(f"DROP DATABASE IF EXISTS {url.rpartition('/')[2]}")

    def execute(self, *statements: str, database: str = "mysql") -> None:
        """Execute statements as another program would."""
        with pymysql.connect(host=HOST, port=self.port, user="root", database=database, autocommit=True) as connection:
            for statement in statements:
                connection.cursor().execute(statement)

    def _answers(self) -> bool:
        try:
            self.execute("SELECT 1")
        except pymysql.OperationalError:
            return False
        return True

    def _initialise(self) -> None:
        options = ("--no-defaults", f"--datadir={self._data}", "--auth-root-authentication-method=normal")
        user, group = self.account or (None, None)
        subprocess.run(
            [str(INSTALLER), *options, "--skip-test-db"],
            user=user,
            group=group,
            extra_groups=None if self.account is None else [],
            cwd=self.directory,
            check=True,
            capture_output=True,
            timeout=120,
        )


def _account() -> tuple[int, int] | None:
    """Return the user and group to run as: MariaDB refuses root, so `nobody` there."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDB]:
    """A MariaDB server for the whole run; without one installed the test is skipped, but for CI, which must have it."""
    if missing := MariaDB.missing():
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    server = MariaDB()
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def mariadb_database(mariadb: MariaDB) -> Iterator[str]:
    """The URL of an empty database of this test's own."""
    url = mariadb.start().create_database()
    yield url
    mariadb.drop_database(url)
