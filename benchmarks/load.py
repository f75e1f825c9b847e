"""A client that costs little beside the server it loads: prepared requests over raw sockets, answers hardly looked at.

Run as `python -m benchmarks.load PORT COUNT RATE SECRET`; prints one JSON document. A rate of 0 is as fast as it goes.
"""

import asyncio
import gc
import json
import sys
import time
from base64 import b64encode
from collections import deque
from dataclasses import asdict, dataclass

import uvloop

from relay.domain.event import encode, new_id
from relay.signing import standard_key, standard_signature
from tests.support.processes import HOST

CONNECTIONS = 64
SIZE = 800
SOURCE = "signed"
TICK = 0.001
STORED = b"HTTP/1.1 202 "
END_OF_HEAD = b"\r\n\r\n"
LENGTH = b"content-length: "

_HEAD = (
    "POST /in/{source} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\nuser-agent: load\r\n"
    "webhook-id: {id}\r\nwebhook-timestamp: {now}\r\nwebhook-signature: {signature}\r\ncontent-length: {length}\r\n\r\n"
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a client saw: answers a second, and the milliseconds that half and all but one in a hundred took at most."""

    rate: float
    median: float
    p99: float


class Load:
    """Requests on their way: as many at once as there are connections, or at an even pace."""

    def __init__(self, requests: list[bytes], rate: float) -> None:
        self._requests = iter(requests)
        self._left = len(requests)
        self._rate = rate
        self._idle: deque[Connection] = deque()
        self._due: deque[float] = deque()
        self.took: list[float] = []
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self, port: int) -> Loaded:
        """Send everything, and return what was seen once everything is answered."""
        loop = asyncio.get_running_loop()
        connections = [
            (await loop.create_connection(lambda: Connection(self), HOST, port))[1] for _ in range(CONNECTIONS)
        ]
        started = time.perf_counter()
        self._idle.extend(connections)
        pacing = asyncio.create_task(self._pace(started)) if self._rate else None
        if pacing is None:
            for _ in connections:
                self._next(started)
        await self.done
        spent = time.perf_counter() - started
        for connection in connections:
            connection.transport.close()
        took = sorted(self.took)
        return Loaded(len(took) / spent, took[len(took) // 2] * 1000, took[len(took) * 99 // 100] * 1000)

    def answered(self, connection: "Connection", seconds: float) -> None:
        """Note an answer, and send what is due."""
        self.took.append(seconds)
        self._left -= 1
        self._idle.append(connection)
        if self._left == 0:
            self.done.set_result(None)
        elif not self._rate:
            self._next(time.perf_counter())
        elif self._due:
            self._next(self._due.popleft())

    def failed(self, why: str) -> None:
        """End with an error."""
        if not self.done.done():
            self.done.set_exception(AssertionError(why))

    def _next(self, due: float) -> None:
        request = next(self._requests, None)
        if request is not None:
            self._idle.popleft().send(request, due)

    async def _pace(self, started: float) -> None:
        """Send at an even pace. What finds no connection idle waits, and its wait counts."""
        sent, total = 0, self._left
        while sent < total:
            await asyncio.sleep(TICK)
            now = time.perf_counter()
            for _ in range(min(total, int((now - started) * self._rate)) - sent):
                sent += 1
                if self._idle:
                    self._next(now)
                else:
                    self._due.append(now)


class Connection(asyncio.Protocol):
    """One connection, with one request on its way at a time."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._due = 0.0
        self._got = b""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Keep what is written to."""
        self.transport = transport

    def send(self, request: bytes, due: float) -> None:
        """Send a request that was due at a moment."""
        self._due = due
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Tell of an answer once it is whole."""
        got = self._got + data if self._got else data
        head = got.find(END_OF_HEAD)
        at = got.find(LENGTH)
        if head < 0 or len(got) < head + 4 + int(got[at + len(LENGTH) : got.index(b"\r", at)]):
            self._got = got
            return
        self._got = b""
        if got.startswith(STORED):
            self._load.answered(self, time.perf_counter() - self._due)
        else:
            self._load.failed(got.decode())

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell of a server that ended the connection."""
        self._load.failed("the connection was closed")


def prepare(count: int, secret: str) -> list[bytes]:
    """Return so many signed requests, each with an id and a body of its own."""
    key, now = standard_key(secret), str(int(time.time()))
    made = []
    for number in range(count):
        body = encode({"type": "orders.updated", "number": number, "data": {"status": "paid", "note": ""}})
        body = body.replace(b'""', b'"' + b"n" * (SIZE - len(body)) + b'"')
        message = new_id()
        signature = standard_signature(key, message, now, body)
        head = _HEAD.format(source=SOURCE, host=HOST, id=message, now=now, signature=signature, length=len(body))
        made.append(head.encode() + body)
    return made


def main(port: str, count: str, rate: str, secret: str) -> None:
    """Send, and print what was seen."""
    requests = prepare(int(count), secret)
    gc.disable()

    async def run() -> Loaded:
        return await Load(requests, float(rate)).run(int(port))

    print(json.dumps(asdict(uvloop.run(run()))))


SECRET = "whsec_" + b64encode(b"a secret of thirty-two bytes....").decode()

if __name__ == "__main__":
    main(*sys.argv[1:])
