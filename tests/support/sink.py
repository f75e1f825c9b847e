"""A loopback HTTP sink as a process of its own, for tests and benchmarks.

From a shell: `python -m tests.support.sink --port 9000`; `GET /__count` says how many requests came in.
"""

import argparse
import http.client
import json
import shutil
import ssl
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import pytest

from tests.support.certificates import write_certificate
from tests.support.processes import HOST, Child, Server, accepts, eventually, free_port
from tests.support.sink_server import EVERYWHERE, Answer, State, serve

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Received:
    """One request as the sink saw it: `at` in seconds since 1970, header names in lower case, the client's `port`.

    `status` is what it was answered; `None` where there was no proper answer, or none yet.
    """

    at: float
    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    port: int
    status: int | None

    @property
    def path(self) -> str:
        """The target without its query."""
        return urlsplit(self.target).path

    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body)


class Sink(Server):
    """An HTTP sink on a free loopback port; `tls` gives it a certificate that nobody trusts."""

    def __init__(self, *, record: bool = True, tls: bool = False, port: int | None = None) -> None:
        self.port = port or free_port()
        self.directory = Path(tempfile.mkdtemp(prefix="sink-"))
        self._tls = tls
        self._options = ["--port", str(self.port), *(["--record"] if record else [])]
        if tls:
            self._options += ["--certificate", str(write_certificate(self.directory))]

    def url(self, path: str = "/") -> str:
        """Return the URL of a path of the sink."""
        return f"{'https' if self._tls else 'http'}://{HOST}:{self.port}{path}"

    def start(self) -> Self:
        """Start the sink if it is not running; return when it accepts connections. It remembers nothing from before."""
        if self.pid is None:
            command = [sys.executable, "-m", "tests.support.sink", *self._options]
            self._child = Child(command, self.directory / "log", cwd=ROOT).until(lambda: accepts(self.port))
        return self

    def stop(self) -> None:
        """Stop the sink for good."""
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def on(self, path: str, *answers: Answer) -> str:
        """Answer requests for `path` (`*`: for all others) with these in turn, the last for ever; return its URL."""
        told = {"path": path, "answers": [answer.to_json() for answer in answers or (Answer(),)]}
        self._control("rules", told)
        return self.url("/" if path == EVERYWHERE else path)

    def refuse(self, seconds: float) -> None:
        """Break every connection and refuse new ones for so long; return when it is over. It forgets nothing."""
        self._control("shut", seconds)
        eventually(lambda: not accepts(self.port), what="a sink that refuses")
        eventually(lambda: accepts(self.port), seconds + 20, what="a sink that listens")

    def reset(self) -> None:
        """Forget what was told and received."""
        self._control("reset")

    def requests(self, path: str | None = None) -> list[Received]:
        """Return the recorded requests, oldest first; those for `path` alone where one is named."""
        lines = self._control("requests").splitlines()
        received = [_received(json.loads(line)) for line in lines]
        return received if path is None else [request for request in received if request.path == path]

    def count(self) -> int:
        """Return how many requests came in, recorded or not."""
        return int(self._control("count"))

    def _control(self, command: str, content: Any = None) -> bytes:
        client = http.client.HTTPConnection(HOST, self.port, timeout=20)
        if self._tls:
            trusting = ssl.create_default_context(cafile=str(self.directory / "certificate.pem"))
            client = http.client.HTTPSConnection(HOST, self.port, timeout=20, context=trusting)
        try:
            client.request("POST", f"/__{command}", json.dumps(content))
            return client.getresponse().read()
        finally:
            client.close()


def _received(fields: dict[str, Any]) -> Received:
    headers: dict[str, str] = {}
    for name, value in fields["headers"]:
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return Received(**{**fields, "headers": headers, "body": fields["body"].encode("latin-1")})


@pytest.fixture(scope="session")
def sink_process() -> Iterator[Sink]:
    """A sink for the whole run."""
    sink = Sink()
    try:
        yield sink.start()
    finally:
        sink.stop()


@pytest.fixture
def sink(sink_process: Sink) -> Sink:
    """A running sink that was told nothing and received nothing."""
    sink_process.start().reset()
    return sink_process


def main() -> None:
    """Run the sink in the foreground."""
    parser = argparse.ArgumentParser(description="An HTTP sink that counts, records and answers as told.")
    parser.add_argument("--host", default=HOST)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--record", action="store_true", help="keep every request for GET /__requests")
    parser.add_argument("--answer", default="{}", help='how every request is answered, as JSON: {"delay": 0.1}')
    parser.add_argument("--certificate", type=Path, help="serve TLS with this PEM file of key and certificate")
    options = parser.parse_args()
    tls = None
    if options.certificate:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(options.certificate)
    state = State(record=options.record, default=Answer.from_json(json.loads(options.answer)))
    serve(options.host, options.port, state, tls, lambda: print(f"listening on port {options.port}", flush=True))


if __name__ == "__main__":
    main()
