"""Reading a request's body within its limits."""

import asyncio
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request

from relay.web.problems import Problem

READ_SECONDS = 30
"""How long a sender may take for its body."""


async def read_body(request: Request, limit: int) -> bytes:
    """Return the body as it was sent. Raises `Problem`: 413 over `limit` bytes, declared or not; 408 when slow; 415."""
    if request.headers.get("content-type", "").lower().startswith("multipart/"):
        raise Problem(415, "a multipart body is not read here: send JSON, a form or text")
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > limit:
        raise Problem(413, f"the body is larger than {limit} bytes")
    try:
        async with asyncio.timeout(READ_SECONDS):
            return await _read(request, limit)
    except TimeoutError:
        raise Problem(408, f"the body did not arrive within {READ_SECONDS} seconds") from None
    except ClientDisconnect:
        raise Problem(400, "the sender went away") from None


def json_of(body: bytes) -> Any:
    """Return the JSON value that a body holds; text that no database takes is none. Raises `Problem` 400."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Problem(400, f"not JSON: {error}") from None


async def _read(request: Request, limit: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise Problem(413, f"the body is larger than {limit} bytes")
    return bytes(body)
