"""Whichever way the workers run, they list their tasks and deliver."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.processes import Child, eventually
from tests.support.relay import ROOT, RunningRelay
from tests.support.sink import Sink

TASKS = {"relay.collect", "relay.fan_out", "relay.deliver", "relay.sweep"}
CONFIGURATION = """
[[sources]]
name = "anybody"
verify = "none"

[[targets]]
name = "hook"
kind = "http"
url = "{url}"

[[routes]]
name = "all"
to = ["hook"]
"""
WORDS = {
    "threads": ("relay", "worker", "--pool=threads", "--workers=2"),
    "solo": ("relay", "worker", "--pool=solo", "--workers=1"),
    "celery": ("celery", "-A", "celery_app", "worker", "--pool=prefork", "--concurrency=1", "--loglevel=INFO"),
}


@pytest.fixture(scope="module")
def relay(
    tmp_path_factory: pytest.TempPathFactory, sink_process: Sink, request: pytest.FixtureRequest
) -> Iterator[RunningRelay]:
    """A relay without workers."""
    valkey = request.getfixturevalue("valkey").start()
    valkey.flush()
    directory = tmp_path_factory.mktemp("pools")
    # Another relay may be running on database 0, and would take what is meant for this one.
    relay = RunningRelay(directory, broker=valkey.url.removesuffix("/0") + "/1")
    (directory / "relay.toml").write_text(CONFIGURATION.format(url=sink_process.start().url("/hook")))
    relay.cli("migrate").succeeds()
    try:
        relay.start_beat()
        relay.start_web()
        yield relay
    finally:
        relay.close()


@pytest.mark.parametrize("kind", WORDS)
def test_every_pool_delivers(relay: RunningRelay, sink: Sink, kind: str, tmp_path: Path) -> None:
    """Threads, one process alone, and Celery's own command deliver what waits, and end when they are told to."""
    event_id = relay.post("anybody", b"{}").json()["id"]
    command = [sys.executable, "-m", *WORDS[kind]]
    with Child(command, tmp_path / "worker.log", env=relay.env, cwd=ROOT) as worker:
        relay.settled(event_id, "hook")
        relay.settled(relay.post("anybody", b"{}").json()["id"], "hook")
        assert worker.stop() == 0, worker.text
        assert "Traceback" not in worker.text
    if kind == "celery":
        assert set(re.findall(r"^  \. (\S+)$", worker.text, re.MULTILINE)) >= TASKS
    assert [one.headers["webhook-id"] for one in sink.requests()].count(f"{event_id}_hook") == 1


def test_the_application_knows_its_tasks(relay: RunningRelay) -> None:
    """`celery_app` has the tasks by their names, and a schedule that names one of them."""
    told = "from celery_app import app; print(*sorted(app.tasks), app.conf.beat_schedule['sweep']['task'])"
    done = subprocess.run(
        [sys.executable, "-c", told], cwd=ROOT, env=relay.env, capture_output=True, text=True, timeout=60
    )
    *tasks, swept = done.stdout.split()
    assert set(tasks) >= TASKS
    assert swept == "relay.sweep"


def test_up_leaves_nothing_behind(tmp_path: Path, sink: Sink) -> None:
    """What `relay up` started ends with it, told or killed; the next start adopts the data and delivers the rest."""
    relay = RunningRelay(tmp_path)
    (tmp_path / "relay.toml").write_text(CONFIGURATION.format(url=sink.url("/hook")))
    try:
        told = relay.start_up().text
        assert f"Configuration: {tmp_path / 'relay.toml'}\n" in told
        assert f"curl {relay.base}/in/anybody " in told, "a source that this configuration has"
        first = relay.post("anybody", b"{}").json()["id"]
        relay.settled(first, "hook")
        below = _below(relay)
        assert {"web", "worker", "beat"} <= {word for words in below.values() for word in words}
        relay.children["up"].send(9)
        relay.children["up"].process.wait(10)
        eventually(lambda: not _alive(below), 30, what="the end of all children")
        relay.start_up()
        relay.settled(relay.post("anybody", b"{}").json()["id"], "hook")
        assert relay.get("/events")["items"][-1]["id"] == first
        below = _below(relay)
        relay.stop("up")
        assert not _alive(below)
    finally:
        relay.close()
    data = tmp_path / "data"
    assert data.stat().st_mode & 0o777 == 0o700
    assert [path for path in data.rglob("*") if path.stat().st_mode & 0o077] == []


def _below(relay: RunningRelay) -> dict[int, list[str]]:
    return {child.pid: child.cmdline() for child in psutil.Process(relay.children["up"].pid).children(recursive=True)}


def _alive(processes: dict[int, list[str]]) -> list[int]:
    return [pid for pid, words in processes.items() if psutil.pid_exists(pid) and _words(pid) == words]


def _words(pid: int) -> list[str]:
    try:
        return psutil.Process(pid).cmdline()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return []
