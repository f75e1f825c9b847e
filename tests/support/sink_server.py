"""The sink's own process: a fast HTTP/1.1 server that answers as told and misbehaves on purpose."""

import asyncio
import json
import random
import socket
import ssl
import struct
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, Self, cast
from urllib.parse import unquote

import httptools
import uvloop

CHUNK = 16_384
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
EVERYWHERE = "*"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the sink does with one request. `delay` is in seconds, before anything is sent.

    `size` makes a body of that many bytes. `shares` answers with other statuses or in another manner at random:
    `{500: 0.1, "reset": 0.2}` is one in ten and two in ten.
    `manner`: `answer` properly; `hang` for ever; `close` without a byte; `truncate` and `reset` end mid-body with FIN
    and RST; `stream` a body without end, `drip` one byte by byte; `headers` without end; `garbage` that is no HTTP.
    """

    status: int = 200
    body: str = "ok"
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0
    size: int = 0
    shares: dict[int | str, float] = field(default_factory=dict)
    manner: Literal["answer", "hang", "close", "truncate", "reset", "stream", "drip", "headers", "garbage"] = "answer"

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        """Read what `to_json` wrote, where the keys of `shares` became text."""
        told = fields.get("shares", {}).items()
        shares = {int(name) if str(name).isdecimal() else name: share for name, share in told}
        return cls(**{**fields, "shares": shares})

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON can hold them."""
        return asdict(self)

    def head(self, framing: str) -> bytes:
        """Return the status line and headers; `framing` is the header that says how the body ends."""
        lines = [
            f"HTTP/1.1 {self.status} Status",
            framing,
            *(f"{name}: {value}" for name, value in self.headers.items()),
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def whole(self) -> bytes:
        """Return a complete, well-formed response."""
        content = b"x" * self.size or self.body.encode()
        return self.head(f"Content-Length: {len(content)}") + content


class State:
    """What the sink was told and what it received."""

    def __init__(self, *, record: bool, default: Answer) -> None:
        self.record = record
        self.default = [default]
        self.rules: dict[str, list[Answer]] = {}
        self.received: list[dict[str, Any]] = []
        self.count = 0
        self.random = random.Random(0)
        self.connections: set[Connection] = set()
        self.shut: Callable[[float], None] = _cannot
        self._plain = default.whole() if default == Answer() else None

    def quick(self) -> bytes | None:
        """Return the response that needs no thought, when nobody told the sink anything."""
        return None if self.rules else self._plain

    def answer(self, path: str) -> Answer:
        """Return how the next request for `path` is answered; the last of several answers stays."""
        answers = self.rules.get(path) or self.rules.get(EVERYWHERE) or self.default
        return self._draw(answers.pop(0) if len(answers) > 1 else answers[0])

    def _draw(self, answer: Answer) -> Answer:
        point = self.random.random()
        for other, share in answer.shares.items():
            point -= share
            if point < 0:
                return replace(answer, **{"status" if isinstance(other, int) else "manner": other})
        return answer

    def control(self, command: str, body: bytes) -> bytes:
        """Carry out a command of the test's side and return its result."""
        match command:
            case "rules":
                told = json.loads(body)
                self.rules[told["path"]] = [Answer.from_json(answer) for answer in told["answers"]]
            case "shut":
                self.shut(json.loads(body))
            case "reset":
                self.rules.clear()
                self.received.clear()
                self.count = 0
            case "requests":
                return "\n".join(json.dumps(request) for request in self.received).encode()
        return str(self.count).encode()


class Connection(asyncio.Protocol):
    """One client's connection: requests come in one after the other, each is answered before the next is read."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.parser = httptools.HttpRequestParser(self)
        self.target = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.body: list[bytes] = []
        self.writable = asyncio.Event()
        self.tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport of a new connection."""
        # uvloop's transports have the methods, not the base class.
        self.transport = cast("asyncio.Transport", transport)
        self.state.connections.add(self)
        self.writable.set()

    def connection_lost(self, error: Exception | None) -> None:
        """Stop whatever is still being sent."""
        self.state.connections.discard(self)
        for task in self.tasks:
            task.cancel()

    def pause_writing(self) -> None:
        """Let endless bodies wait for the reader."""
        self.writable.clear()

    def resume_writing(self) -> None:
        """Let endless bodies go on."""
        self.writable.set()

    def data_received(self, data: bytes) -> None:
        """Feed the parser; what is no HTTP ends the connection."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserCallbackError:
            raise
        except httptools.HttpParserError:
            self.transport.close()

    def on_message_begin(self) -> None:
        """Forget the last request."""
        self.target, self.headers, self.body = b"", [], []

    def on_url(self, url: bytes) -> None:
        """Gather the request target."""
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Gather a header."""
        self.headers.append((name, value))

    def on_body(self, body: bytes) -> None:
        """Gather a part of the body."""
        self.body.append(body)

    def on_message_complete(self) -> None:
        """Record the request and answer it."""
        target = self.target.decode("latin-1")
        if target.startswith("/__"):
            result = self.state.control(target[3:], b"".join(self.body))
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(result), result))
            return
        self.state.count += 1
        record = self._record(target)
        if (quick := self.state.quick()) is not None:
            record["status"] = 200
            self.transport.write(quick)
            return
        task = asyncio.ensure_future(self._answer(self.state.answer(unquote(target.partition("?")[0])), record))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _record(self, target: str) -> dict[str, Any]:
        if not self.state.record:
            return {}
        record = {
            "at": time.time(),
            "method": self.parser.get_method().decode(),
            "target": target,
            "headers": [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self.headers],
            "body": b"".join(self.body).decode("latin-1"),
            "port": (self.transport.get_extra_info("peername") or (0, 0))[1],
            "status": None,
        }
        self.state.received.append(record)
        return record

    async def _answer(self, answer: Answer, record: dict[str, Any]) -> None:
        if answer.delay:
            await asyncio.sleep(answer.delay)
        match answer.manner:
            case "answer":
                record["status"] = answer.status
                self.transport.write(answer.whole())
            case "close":
                self.transport.close()
            case "truncate" | "reset":
                self.transport.write(answer.head("Content-Length: 1000") + b"x" * 10)
                # The client shall see the first part before the connection breaks.
                await asyncio.sleep(0.05)
                self._break(reset=answer.manner == "reset")
            case "stream":
                await self._for_ever(answer.head("Transfer-Encoding: chunked"), _chunk(CHUNK))
            case "drip":
                await self._for_ever(answer.head("Transfer-Encoding: chunked"), _chunk(1), pause=0.05)
            case "headers":
                await self._for_ever(b"HTTP/1.1 200 OK\r\n", b"X-More: " + b"x" * 1000 + b"\r\n")
            case "garbage":
                self.transport.write(b"\x00\xff\x13\x37 this is no HTTP\r\n\r\n" * 3)
                self.transport.close()
            case "hang":
                pass

    async def _for_ever(self, head: bytes, part: bytes, pause: float = 0) -> None:
        self.transport.write(head)
        while not self.transport.is_closing():
            await self.writable.wait()
            self.transport.write(part)
            await asyncio.sleep(pause)

    def _break(self, *, reset: bool) -> None:
        if reset:
            raw = self.transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            self.transport.abort()
        else:
            self.transport.close()


def _cannot(seconds: float) -> None:
    raise AssertionError("nothing listens yet")


def _chunk(size: int) -> bytes:
    return b"%x\r\n%s\r\n" % (size, b"x" * size)


def serve(host: str, port: int, state: State, tls: ssl.SSLContext | None, ready: Callable[[], None]) -> None:
    """Serve until the process is told to end; call `ready` once connections are accepted."""

    async def listen() -> asyncio.Server:
        loop = asyncio.get_running_loop()
        return await loop.create_server(lambda: Connection(state), host, port, ssl=tls, backlog=2048)

    async def main() -> None:
        seconds: asyncio.Queue[float] = asyncio.Queue()
        state.shut = seconds.put_nowait
        server = await listen()
        ready()
        while True:
            pause = await seconds.get()
            server.close()
            # Whoever asked for it hears that it is done.
            await asyncio.sleep(0.01)
            for connection in tuple(state.connections):
                connection.transport.abort()
            await asyncio.sleep(pause)
            server = await listen()

    uvloop.run(main())
