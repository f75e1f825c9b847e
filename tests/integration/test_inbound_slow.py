"""Senders that take their time: told so, and not waited for."""

import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from relay.web import body, problems, protocol
from relay.web.body import read_body
from relay.web.protocol import BoundedProtocol
from tests.support.processes import HOST, eventually, free_port

HEAD = b"POST / HTTP/1.1\r\nhost: relay\r\ncontent-length: 9\r\n"


async def echo(request: Request) -> Response:
    """Return the body."""
    return PlainTextResponse(await read_body(request, 100))


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of a server that waits for a tenth of a second."""
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.1)
    monkeypatch.setattr(body, "READ_SECONDS", 0.1)
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


@pytest.mark.parametrize("sent", [b"", b"POST / HTTP/1.1\r\nhost: re", HEAD])
def test_a_head_that_does_not_end(port: int, sent: bytes) -> None:
    """Who opens a connection and never comes to the point is told 408, and the connection is closed."""
    assert say(port, sent).startswith(b"HTTP/1.1 408 ")


def test_a_second_head_that_does_not_end(port: int) -> None:
    """A connection that was of use once is given no more time for its next request."""
    got = say(port, HEAD + b"\r\n123456789", b"POST / HTTP/1.1\r\n")
    assert b"123456789" in got
    assert b"HTTP/1.1 408 " in got


def test_a_body_that_does_not_end(port: int) -> None:
    """Who announces a body and does not send it is told 408."""
    got = say(port, HEAD + b"connection: close\r\n\r\n1234")
    assert got.startswith(b"HTTP/1.1 408 ")
    assert b"application/problem+json" in got
