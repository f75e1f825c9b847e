"""The page that shows a space, the JSON it polls, and its static files."""

from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from relay.web.sandbox.space import Entry, Sandbox
from relay.web.sandbox.status import answer

FIRST_LOAD = 200
"""Messages that a page is given when it opens; it holds as many."""

DEFAULT_SPACE = "demo"

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
"""Nothing from elsewhere, nothing inline, and no string ever becomes markup."""

HEADERS = {
    "content-security-policy": POLICY,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-cache",
}


class Assets(StaticFiles):
    """The static files, which a browser asks for anew at each release."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """Return the file, to be checked against its ETag before it is used again."""
        response = super().file_response(*args, **kwargs)
        response.headers["cache-control"] = "no-cache"
        response.headers["x-content-type-options"] = "nosniff"
        return response


class Pages:
    """The page of each space of a sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        environment = Environment(loader=PackageLoader(__package__), autoescape=True)
        self._template = environment.get_template("sandbox.html")
        self.static = Assets(packages=[(__package__, "static")])

    async def page(self, request: Request) -> Response:
        """Return the page of the space in the path, or of the first one."""
        path = request.url.path.rstrip("/")
        space = request.path_params.get("space")
        base = path if space is None else path.rpartition("/")[0]
        names = [each.name for each in self._sandbox.spaces]
        space = space or (DEFAULT_SPACE if DEFAULT_SPACE in names or not names else names[0])
        shown = sorted({*names, space})
        hint = self._sandbox.hint or _direct(request, base, space)
        return HTMLResponse(self._template.render(base=base, space=space, spaces=shown, hint=hint), headers=HEADERS)

    async def messages(self, request: Request) -> Response:
        """Return what arrived in `space` after the message numbered `after`, with the spaces there are.

        `epoch` changes when the sandbox begins anew: what a page has seen is then gone.
        """
        after = request.query_params.get("after", "")
        entries = self._sandbox.entries(request.query_params.get("space", ""), int(after) if _is_count(after) else 0)
        return answer(
            {
                "epoch": self._sandbox.epoch,
                "last": self._sandbox.last,
                "spaces": [{"name": each.name, "last": each.entries[-1].seq} for each in self._sandbox.spaces],
                "messages": [_shown(entry) for entry in entries[-FIRST_LOAD:]],
            }
        )


def _shown(entry: Entry) -> dict[str, Any]:
    return {"seq": entry.seq, **entry.message}


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 16


def _direct(request: Request, base: str, space: str) -> str:
    """Return a command that posts to the space itself."""
    url = f"{request.url.scheme}://{request.url.netloc}{base}/v1/spaces/{quote(space)}/messages?key=demo&token=demo"
    return "\n".join(
        (f"curl '{url}' \\", "  -H 'Content-Type: application/json' \\", """  -d '{"text": "Hello from *curl*"}'""")
    )
