"""Makes the picture of the sandbox page for the README: `python -m tests.browser.picture docs/sandbox.png`."""

import json
import sys
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from playwright.sync_api import sync_playwright

from relay.domain.event import JSON, Event, encode
from relay.domain.target import Message
from relay.targets.google_chat import GoogleChatOptions, GoogleChatTarget
from relay.web.sandbox import Sandbox, app
from relay.web.sandbox.limits import admit
from relay.web.sandbox.space import FALLBACK
from tests.browser.support import chromium, serving

NINE = datetime.now(UTC).replace(hour=9, minute=4, second=0)

ORDER = {"id": 1042, "customer": "Ana Martins", "product": "Cold brew kit", "quantity": 2, "total": 76}

PULL_REQUEST = (
    "*Pull request* <https://github.com/acme/storefront/pull/318|#318 Ship cold brew in the colder season> "
    "opened by _mira_\n`+128 −41` in 3 commits, waiting for a review"
)
LOW = "*Stock is low*: Cold brew kit has ~5~ *3* left"


def rendered(event_type: str, data: Any, source: str, subject: str | None = None, text: str | None = None) -> Any:
    """Return the body that the relay sends to Google Chat for an event."""
    url = "https://chat.googleapis.com/v1/spaces/demo/messages?key=demo&token=demo"
    target = GoogleChatTarget(GoogleChatOptions.model_validate({"name": "demo", "kind": "google_chat", "url": url}))
    event = Event("1", source, event_type, NINE, NINE, body=encode(data), content_type=JSON, subject=subject)
    request = target.render(Message("1", event, NINE, text=text, thread=subject))
    return json.loads(request.data)


def order(actor: str, **changed: tuple[Any, Any]) -> Any:
    """Return the message of a changed order: each column with its value before and after."""
    before = ORDER | {name: values[0] for name, values in changed.items()}
    after = ORDER | {name: values[1] for name, values in changed.items()}
    data = {"before": before, "after": after, "changed": list(changed), "meta": {"actor": actor}}
    return rendered("orders.updated", data, "shop", "orders/1042")


def filled() -> Sandbox:
    """Return a sandbox in which a morning's messages arrived."""
    clock, times = count(step=60.0), count()
    sandbox = Sandbox(clock=lambda: next(clock), now=lambda: NINE + timedelta(minutes=3 * next(times)))
    data = {"before": None, "after": ORDER | {"status": "placed"}, "changed": [], "meta": {"actor": "Ana Martins"}}
    paid = "Order *1042* is paid: *€ 76* by Ana Martins"
    for space, message in [
        ("finance", {"text": paid}),
        ("demo", rendered("orders.created", data, "shop", "orders/1042")),
        ("demo", order("payments", status=("placed", "paid"))),
        ("demo", order("Jonas", status=("paid", "packed"))),
        ("demo", rendered("products.updated", {}, "shop", text=LOW)),
        ("demo", rendered("pull_request.opened", {}, "github", text=PULL_REQUEST)),
    ]:
        sandbox.post(space, admit(message, space), webhook="demo", option=FALLBACK, request_id=None)
    return sandbox


def main(path: str, scheme: str = "light", width: int = 1080, height: int = 1124) -> None:
    """Write the picture to `path`."""
    with serving(app(filled())) as base, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"])
        size = {"width": width, "height": height}
        page = browser.new_page(viewport=size, color_scheme=scheme, device_scale_factor=1.5)
        page.goto(f"{base}/sandbox/demo")
        page.get_by_text("Ship cold brew").wait_for()
        page.screenshot(path=path)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1], *sys.argv[2:3], *map(int, sys.argv[3:]))
