"""The servers that tests stand on keep their own promises."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from tests.support import commands
from tests.support.postgres import Postgres
from tests.support.processes import accepts, eventually
from tests.support.relay import ROOT, RunningRelay
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


def test_commands_have_what_they_are_given(tmp_path: Path) -> None:
    """A forked command has its own words, environment, folder and input, and leaves those of the tests alone."""
    relay = RunningRelay(tmp_path)
    relay.cli("migrate").succeeds()
    event_id = relay.cli("emit", "told", "--data", "-", given='{"n": "ü"}').succeeds().out.strip()
    assert relay.json("show", event_id)["data"] == {"n": "ü"}
    (tmp_path / "here.toml").write_text("")
    assert relay.cli("check", "here.toml").succeeds().out.startswith("here.toml is valid")
    assert "RELAY_LOG" in relay.cli("check", "here.toml", env={"RELAY_LOG": "loud"}).fails(2)
    assert (os.environ.get("RELAY_LOG"), Path.cwd() == tmp_path) == (None, False)


def test_a_command_that_does_not_end_is_ended(tmp_path: Path) -> None:
    """What stays is no command: it is killed in time, and said so."""
    relay = RunningRelay(tmp_path)
    words = ("web", f"--port={relay.port}")
    with pytest.raises(AssertionError, match="did not end within 3 s"):
        commands.run(words, env={**os.environ, **relay.env}, cwd=tmp_path, given=None, timeout=3)
    eventually(lambda: not accepts(relay.port), what="its end")
