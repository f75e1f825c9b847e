"""`spaces.messages.create` for incoming webhooks: reads the request, in the order in which Google refuses."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from relay.web.sandbox.limits import MAX_BYTES, admit
from relay.web.sandbox.schema import Reader
from relay.web.sandbox.space import REPLY_OPTIONS, Sandbox
from relay.web.sandbox.status import Refusal, answer, invalid, violated

READ_LIMIT = 8 << 20
"""Bytes of a body that are read, so that its sender hears the answer; past it the connection is closed."""

QUERY = frozenset({"key", "token", "threadKey", "messageReplyOption", "requestId", "alt", "fields", "prettyPrint"})


def endpoint(sandbox: Sandbox) -> Callable[[Request], Awaitable[Response]]:
    """Return the handler of `POST /v1/spaces/{space}/messages`."""

    async def create(request: Request) -> Response:
        body = await _body(request)
        try:
            return answer(_create(sandbox, request, body))
        except Refusal as refusal:
            return refusal.response()

    return create


def _create(sandbox: Sandbox, request: Request, body: bytes) -> dict[str, Any]:
    space = request.path_params["space"]
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", space):
        raise invalid("Invalid space resource name in request.")
    webhook = _authenticate(request.query_params)
    option = _options(request.query_params)
    message = _read(request.headers.get("content-type", ""), body)
    if key := request.query_params.get("threadKey"):
        message["thread"] = message.get("thread", {}) | {"threadKey": key}
    message = admit(message, space)
    return sandbox.post(
        space, message, webhook=webhook, option=option, request_id=request.query_params.get("requestId")
    )


def _authenticate(query: Mapping[str, str]) -> str:
    """Return who sends. The sandbox takes any key and token, but asks for both as Google does."""
    if not query.get("key"):
        raise Refusal(
            403,
            "PERMISSION_DENIED",
            "Method doesn't allow unregistered callers (callers without established identity). "
            "Please use API Key or other form of API consumer identity to call this API.",
        )
    if not query.get("token"):
        raise Refusal(401, "UNAUTHENTICATED", "Request is missing required authentication credential.")
    return f"{query['key']}&{query['token']}"


def _options(query: Mapping[str, str]) -> str:
    for name in query:
        if name not in QUERY:
            raise invalid(
                f'Invalid JSON payload received. Unknown name "{name}": Cannot bind query parameter. '
                f"Field '{name}' could not be found in request message."
            )
    option = query.get("messageReplyOption", REPLY_OPTIONS[0])
    if option not in REPLY_OPTIONS:
        kind = "type.googleapis.com/google.chat.v1.CreateMessageRequest.MessageReplyOption"
        raise invalid(f"Invalid value at 'message_reply_option' ({kind}), {json.dumps(option)}")
    return option


def _read(content_type: str, body: bytes) -> dict[str, Any]:
    """Return the message that a body holds, its fields all known and of their types."""
    if not re.fullmatch(r"application/json(; *charset=\"?utf-8\"?)?", content_type.strip().lower()):
        raise invalid(f"Unsupported content type {content_type!r}: a message is application/json; charset=UTF-8.")
    if len(body) > MAX_BYTES:
        raise invalid(f"Message is too large: the maximum message size is {MAX_BYTES} bytes.")
    value = _json(body)
    if not isinstance(value, dict):
        raise invalid("Invalid JSON payload received. Root element must be a message.")
    reader = Reader()
    message: dict[str, Any] = reader.read(value, "Message", "message")
    if reader.violations:
        raise violated(reader.violations)
    return message


def _json(body: bytes) -> Any:
    try:
        return json.loads(body.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise invalid(f"Invalid JSON payload received. {error}") from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"Unexpected token: {name}")


async def _body(request: Request) -> bytes:
    """Return the body as far as it matters: one byte over the limit is enough to know."""
    kept = bytearray()
    seen = 0
    async for chunk in request.stream():
        seen += len(chunk)
        kept += chunk[: MAX_BYTES + 1 - len(kept)]
        if seen > READ_LIMIT:
            break
    return bytes(kept)
