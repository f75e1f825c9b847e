"""Reading a request's body within its limits."""

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.requests import Request
from starlette.types import Receive

from relay.web.problems import Problem


async def read_body(request: Request, limit: int) -> bytes:
    """Return a request's body, as `body_of` does."""
    return await body_of(request.receive, request.headers, limit)


async def body_of(receive: Receive, headers: Mapping[str, str], limit: int) -> bytes:
    """Return the body as it was sent. Raises `Problem`: 413 over `limit` bytes, declared or not; 415; 400 cut short.

    How long it may take is bounded where bytes come in, by `BoundedProtocol`.
    """
    if headers.get("content-type", "").lower().startswith("multipart/"):
        raise Problem(415, "a multipart body is not read here: send JSON, a form or text")
    declared = headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > limit:
        raise Problem(413, f"the body is larger than {limit} bytes")
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Problem(400, "the sender went away")
        part: bytes = message.get("body", b"")
        if len(body) + len(part) > limit:
            raise Problem(413, f"the body is larger than {limit} bytes")
        if not message.get("more_body"):
            return bytes(body + part) if body else part
        body += part


def json_of(body: bytes) -> Any:
    """Return the JSON value that a body holds; text that no database takes is none. Raises `Problem` 400."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Problem(400, f"not JSON: {error}") from None
