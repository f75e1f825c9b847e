"""The relay as its operators run it: real processes on a database and a broker, and the ways to talk to them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import psutil
import requests
from sqlalchemy import create_engine, text
from sqlalchemy.engine import Engine
from sqlalchemy.pool import NullPool

from relay.secrets import Sealer
from tests.support import commands
from tests.support.processes import HOST, Child, eventually, free_port

ROOT = Path(__file__).parents[2]
TOKEN = "relay_token-of-the-tests"
READY_SECONDS = 40


class RunningRelay:
    """One relay: its data directory, its environment, its processes, each of which can be killed and started again.

    Without `database` and `broker` it is what `relay up` makes of an empty directory.
    """

    def __init__(self, directory: Path, *, database: str | None = None, broker: str | None = None) -> None:
        self.directory = directory
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.base = f"http://{HOST}:{self.port}"
        self.database = database or f"sqlite:///{directory / 'data' / 'relay.sqlite3'}"
        self.children: dict[str, Child] = {}
        self.env: dict[str, str] = {
            "RELAY_DATA_DIR": str(directory / "data"),
            "RELAY_API_TOKEN": TOKEN,
            "RELAY_SECRET_KEYS": Sealer.new_key(),
            "RELAY_EGRESS_ALLOW": "127.0.0.0/8",
            "RELAY_LOG": "json",
            "PYTHONPATH": str(ROOT),
            # Empty counts as unset: nothing of the caller's own environment may be picked up.
            "RELAY_CONFIG": "",
            "RELAY_DATABASE_URL": database or "",
            "RELAY_BROKER_URL": broker or "",
        }
        self.http = requests.Session()
        self.http.headers["authorization"] = f"Bearer {TOKEN}"

    # Processes

    def cli(self, *words: str, given: str | None = None, env: Mapping[str, str] | None = None) -> "Done":
        """Run a command of the relay to its end."""
        told = {**os.environ, **self.env, **(env or {})}
        return Done(words, *commands.run(words, env=told, cwd=self.directory, given=given, timeout=60))

    def anew(self, *words: str, env: Mapping[str, str] | None = None) -> "Done":
        """Do what `cli` does in a Python of its own: for what is decided as that starts, and slower by that start."""
        command = [sys.executable, "-m", "relay", *words]
        told = {**os.environ, **self.env, **(env or {})}
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=False, cwd=self.directory, env=told
        )
        return Done(words, done.returncode, done.stdout, done.stderr)

    def start(self, name: str, *words: str) -> Child:
        """Start a command of the relay that stays; `name` is what it is killed by, and called in `children`."""
        command = [sys.executable, "-m", "relay", *words]
        child = Child(command, self.directory / f"{name}.log", env=self.env, cwd=self.directory)
        self.children[name] = child
        return child

    def start_worker(self, name: str = "worker", *, pool: str = "prefork", workers: int = 2) -> Child:
        """Start a worker of this pool."""
        return self.start(name, "worker", f"--pool={pool}", f"--workers={workers}")

    def start_beat(self) -> Child:
        """Start beat."""
        return self.start("beat", "beat")

    def start_web(self) -> Child:
        """Start the web process; return when it can take work."""
        return self.start("web", "web", f"--port={self.port}").until(self.ready, READY_SECONDS)

    def start_up(self, *words: str) -> Child:
        """Run `relay up`; return when it can take work."""
        child = self.start("up", "up", f"--port={self.port}", "--workers=2", *words)
        return child.until(lambda: self.ready() and "Relay is up" in child.text, READY_SECONDS)

    def start_all(self, *, pool: str = "prefork", workers: int = 2) -> Self:
        """Migrate, and start every role."""
        self.cli("migrate").succeeds()
        self.start_worker(pool=pool, workers=workers)
        self.start_beat()
        self.start_web()
        return self

    def kill(self, *names: str) -> None:
        """Kill these processes, and whatever they started, at once; all of them where none is named."""
        for name in names or tuple(self.children):
            child = self.children.pop(name)
            below = psutil.Process(child.pid).children(recursive=True) if child.running else []
            child.kill()
            for process in below:
                if process.is_running():
                    process.send_signal(signal.SIGKILL)
            psutil.wait_procs(below, timeout=10)

    def freeze(self, *names: str) -> None:
        """Let these processes, and whatever they started, stand still: nobody else can tell."""
        for process in self._processes(names):
            process.suspend()

    def thaw(self, *names: str) -> None:
        """Let frozen processes go on where they were."""
        for process in self._processes(names):
            process.resume()

    def _processes(self, names: Iterable[str]) -> list[psutil.Process]:
        first = [psutil.Process(self.children[name].pid) for name in names]
        return [process for one in first for process in (one, *one.children(recursive=True))]

    def stop(self, *names: str) -> None:
        """Ask these processes to end, and wait for it; all of them where none is named."""
        for name in names or tuple(self.children):
            self.children.pop(name).stop(timeout=60)

    def close(self) -> None:
        """End everything that is still there."""
        for name in tuple(self.children):
            self.children[name].stop(timeout=10)
            self.kill(name)
        self.http.close()

    def ready(self) -> bool:
        """Say whether it can take work."""
        try:
            return self.http.get(f"{self.base}/readyz", timeout=5).status_code == 200
        except requests.ConnectionError:
            return False

    # What is said to it

    def apply(self, configuration: str, *words: str) -> "Done":
        """Write relay.toml and apply it."""
        (self.directory / "relay.toml").write_text(configuration)
        return self.cli("apply", *words)

    def json(self, *words: str) -> Any:
        """Return the one JSON document that a command prints."""
        return self.cli(*words, "--json").succeeds().json()

    def post(self, source: str, body: bytes | str = b"{}", headers: Mapping[str, str] | None = None) -> Any:
        """Send a webhook to a source."""
        return self.http.post(
            f"{self.base}/in/{source}",
            data=body,
            headers={"content-type": "application/json", **(headers or {})},
            timeout=20,
        )

    def get(self, path: str, **query: Any) -> Any:
        """Return a document of the API."""
        answer = self.http.get(f"{self.base}/api/v1{path}", params=query, timeout=20)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def every(self, path: str, **query: Any) -> Iterator[Any]:
        """Walk all pages of a listing."""
        cursor: str | None = ""
        while cursor is not None:
            page = self.get(path, **query, **({"cursor": cursor} if cursor else {}))
            yield from page["items"]
            cursor = page["next_cursor"]

    def deliveries(self, event_id: str) -> dict[str, Any]:
        """Return an event's deliveries by the name of their target."""
        return {one["target"]: one for one in self.get(f"/events/{event_id}")["deliveries"]}

    def settled(self, event_id: str, target: str, state: str = "delivered", timeout: float = 20) -> Any:
        """Wait until an event's delivery to a target is in a state, and return it."""

        def there() -> Any:
            found = self.deliveries(event_id).get(target)
            assert found is not None, "it is not routed"
            assert found["state"] == state, found
            return found

        return eventually(there, timeout, what=f"{target} {state}")

    def rows(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        """Run a statement in the relay's own database, beside the relay."""
        engine = self.engine()
        try:
            with engine.begin() as connection:
                result = connection.execute(text(statement), values)
                return [tuple(row) for row in result] if result.returns_rows else []
        finally:
            engine.dispose()

    def engine(self) -> Engine:
        """Return an engine of the relay's own database, as an application would make it."""
        waiting = {"timeout": 30} if self.database.startswith("sqlite") else {}
        return create_engine(self.database, poolclass=NullPool, connect_args=waiting)


class Done:
    """A command that has ended."""

    def __init__(self, words: tuple[str, ...], status: int, out: str, err: str) -> None:
        self.words = words
        self.status = status
        self.out = out
        self.err = err

    def __repr__(self) -> str:
        return f"relay {' '.join(self.words)}: status {self.status}\n{self.out}\n{self.err}"

    def succeeds(self) -> Self:
        """Return itself, having seen that the command was done."""
        assert self.status == 0, self
        return self

    def fails(self, status: int = 1) -> str:
        """Return the one line that tells why the command was not done."""
        assert self.status == status, self
        lines = self.err.strip().splitlines()
        assert len(lines) == 1, self
        return lines[0]

    def json(self) -> Any:
        """Return standard output as the one JSON document that it is."""
        return json.loads(self.out)
