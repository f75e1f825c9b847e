"""HTTP at its edges: senders that take their time, that ask for another protocol, that send what is no request."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from relay.web import problems, protocol
from relay.web.body import read_body
from relay.web.protocol import BoundedProtocol
from tests.support.processes import HOST, eventually, free_port

HEAD = b"POST / HTTP/1.1\r\nhost: relay\r\ncontent-length: 9\r\n"
WHOLE = HEAD + b"\r\n123456789"
UPGRADE = b"connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQ\r\n"


async def echo(request: Request) -> Response:
    """Return the body."""
    return PlainTextResponse(await read_body(request, 100))


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of a server that waits for a tenth of a second."""
    monkeypatch.setattr(protocol, "SECONDS", 0.1)
    app = Starlette(routes=[Route("/", echo, methods=["POST"])], exception_handlers=problems.HANDLERS)
    number = free_port()
    server = uvicorn.Server(
        uvicorn.Config(app, HOST, number, http=BoundedProtocol, log_config=None, lifespan="off", timeout_keep_alive=60)
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        eventually(lambda: server.started)
        yield number
    finally:
        server.should_exit = True
        thread.join()


def say(port: int, *sent: bytes) -> bytes:
    """Send bytes, one after another once something came back for those before; return all that came back."""
    with socket.create_connection((HOST, port), timeout=20) as client:
        got = b""
        for number, block in enumerate(sent):
            client.sendall(block)
            if number + 1 < len(sent):
                got += client.recv(65536)
        while block := client.recv(65536):
            got += block
        return got


@pytest.mark.parametrize(
    "sent", [b"", b"POST / HTTP/1.1\r\nhost: re", HEAD, HEAD + b"\r\n1234", HEAD + b"connection: close\r\n\r\n1234"]
)
def test_a_request_that_does_not_end(port: int, sent: bytes) -> None:
    """Who opens a connection and never comes to the point is told 408 as a problem, and the connection is closed."""
    got = say(port, sent)
    assert got.startswith(b"HTTP/1.1 408 ")
    assert b"application/problem+json" in got
    assert got.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("begun", [b"POST / HTTP/1.1\r\n", HEAD, HEAD + b"\r\n1234"])
def test_a_second_request_that_does_not_end(port: int, begun: bytes) -> None:
    """A connection that was of use is given no more time for its next request, in one breath with it or later."""
    for sent in ((WHOLE, begun), (WHOLE + begun,)):
        got = say(port, *sent)
        assert got.startswith(b"HTTP/1.1 200 ")
        assert b"123456789" in got
        assert b"HTTP/1.1 408 " in got


def test_a_body_that_was_refused_is_not_waited_for(port: int) -> None:
    """Who is told that its body is too large, and goes on for ever, hears nothing more and is cut off."""
    got = say(port, b"POST / HTTP/1.1\r\nhost: relay\r\ncontent-length: 900\r\n\r\n1234")
    assert got.startswith(b"HTTP/1.1 413 ")
    assert got.count(b"HTTP/1.1 ") == 1


def test_trailers_are_no_headers(port: int) -> None:
    """What a sender adds after a chunked body is dropped, and the next request on the connection is read as usual."""
    chunked = b"POST / HTTP/1.1\r\nhost: relay\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nx: y\r\n\r\n"
    got = say(port, chunked, HEAD + b"connection: close\r\n\r\n123456789")
    assert got.count(b"HTTP/1.1 200 ") == 2


@pytest.mark.parametrize("wish", [UPGRADE, UPGRADE.replace(b"h2c", b"websocket")])
def test_a_wish_for_another_protocol_is_not_heard(port: int, wish: bytes) -> None:
    """A POST that offers to go on in HTTP/2 is read with its whole body, however it is cut, and the next one is too."""
    request = HEAD + wish + b"\r\n123456789"
    last = HEAD + b"connection: close\r\n\r\n987654321"
    for sent in ((request, last), (request + last,), (request + request + last,)):
        got = say(port, *sent)
        assert got.count(b"HTTP/1.1 200 ") == sum(one.count(b"POST") for one in sent)
        assert got.index(b"123456789") < got.index(b"987654321")
    for cut in (len(HEAD + wish) - 3, len(HEAD + wish) + 1, len(request) - 5):
        with socket.create_connection((HOST, port), timeout=20) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.sendall(request[:cut])
            time.sleep(0.02)
            client.sendall(request[cut:])
            assert b"123456789" in client.recv(65536)
    assert say(port, b"CONNECT relay:1 HTTP/1.1\r\nhost: relay\r\n\r\n").startswith(b"HTTP/1.1 405 ")


def test_what_comes_before_nonsense_is_answered(port: int) -> None:
    """A request that was read is answered, though what follows it in the same breath is none."""
    got = say(port, WHOLE + b"\0\0 nonsense\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 200 ")
    assert b"123456789" in got
    assert got.count(b"HTTP/1.1 ") == 1
    assert say(port, b"\0\0 nonsense\r\n\r\n").startswith(b"HTTP/1.1 400 ")
