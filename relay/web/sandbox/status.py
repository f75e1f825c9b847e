"""Refusals as Google writes them: an HTTP status and a `google.rpc.Status` body."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from relay.errors import RelayError

MEDIA_TYPE = "application/json; charset=UTF-8"


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that is wrong with a request: the field's path, such as `message.cards_v2[0]`, and what is wrong."""

    field: str
    description: str


class Refusal(RelayError):
    """The request is refused. `status` is the name of the `google.rpc.Code`, `code` the HTTP status."""

    def __init__(self, code: int, status: str, message: str, violations: Sequence[Violation] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.violations = violations

    def response(self) -> Response:
        """Return the response that says so."""
        error: dict[str, Any] = {"code": self.code, "message": self.message, "status": self.status}
        if self.violations:
            fields = [{"field": each.field, "description": each.description} for each in self.violations]
            error["details"] = [{"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": fields}]
        return answer({"error": error}, self.code)


def invalid(message: str) -> Refusal:
    """Return the refusal of a request that could never succeed."""
    return Refusal(400, "INVALID_ARGUMENT", message)


def violated(violations: Sequence[Violation]) -> Refusal:
    """Return the refusal of a request whose fields are wrong; its message holds every complaint, one a line."""
    message = "\n".join(each.description for each in violations)
    return Refusal(400, "INVALID_ARGUMENT", message, violations)


def answer(body: Any, code: int = 200) -> Response:
    """Return `body` as a JSON response, never cached. It is pure ASCII: even a lone surrogate can be quoted back."""
    content = json.dumps(body, indent=2) + "\n"
    return Response(content, code, {"cache-control": "private", "x-content-type-options": "nosniff"}, MEDIA_TYPE)
