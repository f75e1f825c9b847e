"""The servers that tests stand on keep their own promises."""

import subprocess
import sys
from pathlib import Path

import psutil
import psycopg
import redis

from tests.support.postgres import Postgres
from tests.support.processes import eventually
from tests.support.relay import ROOT
from tests.support.valkey import Valkey

KILLED = """
import os, pathlib, signal, sys
from tests.support.processes import Child
child = Child(["sh", "-c", "echo up; exec sleep 60"], pathlib.Path(sys.argv[1]))
print(child.until(lambda: "up" in child.text).pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_postgres_recovers_from_kill(postgres: Postgres, pg_database: str) -> None:
    """What was committed before a kill is there after the next start, at the same URL."""
    with psycopg.connect(pg_database, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS id")
    postgres.kill()
    postgres.start()
    with psycopg.connect(pg_database) as connection:
        assert connection.execute("SELECT id FROM kept").fetchall() == [(1,)]


def test_persistent_valkey_recovers_from_kill() -> None:
    """A persistent server keeps its keys over a kill; one without persistence does not."""
    for persistent, kept in ((True, b"1"), (False, None)):
        server = Valkey(persistent=persistent).start()
        try:
            with redis.Redis.from_url(server.url) as client:
                client.set("key", "1")
                client.waitaof(1 if persistent else 0, 0, 5000)
            server.kill()
            with redis.Redis.from_url(server.start().url) as client:
                assert client.get("key") == kept
        finally:
            server.stop()


def test_frozen_valkey_hangs_and_goes_on(valkey: Valkey, redis_url: str) -> None:
    """A frozen server answers nothing, and everything once it is thawed."""
    with redis.Redis.from_url(redis_url, socket_timeout=0.2, retry=None) as client:
        valkey.freeze()
        try:
            client.ping()
        except redis.TimeoutError:
            answered = False
        else:
            answered = True
        finally:
            valkey.thaw()
        assert not answered
    with redis.Redis.from_url(redis_url) as client:
        assert client.ping()


def test_a_killed_run_leaves_nothing_behind(tmp_path: Path) -> None:
    """Whatever tests start ends with them, though they are killed."""
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "log")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    left = int(killed.stdout)
    zombie = psutil.STATUS_ZOMBIE
    eventually(lambda: left not in [one.pid for one in psutil.process_iter(["status"]) if one.info["status"] != zombie])
