"""Makes the picture of the sandbox page for the README: `python -m tests.browser.picture docs/sandbox.png`."""

import sys
from datetime import UTC, datetime, timedelta
from itertools import count

from playwright.sync_api import sync_playwright

from relay.web.sandbox import Sandbox, app
from relay.web.sandbox.limits import admit
from relay.web.sandbox.space import FALLBACK
from tests.browser.samples import ALERT, CREATED, GITHUB, PACKED, PAID, SHIPPED
from tests.browser.support import chromium, serving


def filled() -> Sandbox:
    """Return a sandbox in which a morning's messages arrived."""
    clock = count(step=60.0)
    times = count()
    start = datetime.now(UTC).replace(hour=9, minute=2)
    sandbox = Sandbox(clock=lambda: next(clock), now=lambda: start + timedelta(minutes=3 * next(times)))
    for space, message in [
        ("alerts", ALERT), ("finance", PAID), ("demo", ALERT), ("demo", GITHUB),
        ("demo", CREATED), ("demo", PAID), ("demo", PACKED), ("demo", SHIPPED),
    ]:  # fmt: skip
        sandbox.post(space, admit(message, space), webhook="demo", option=FALLBACK, request_id=None)
    return sandbox


def main(path: str, scheme: str = "light", width: int = 1180, height: int = 860) -> None:
    """Write the picture to `path`."""
    with serving(app(filled())) as base, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(
            viewport={"width": width, "height": height}, color_scheme=scheme, device_scale_factor=1.5
        )
        page.goto(f"{base}/sandbox/demo")
        page.get_by_text("shipped").wait_for()
        page.screenshot(path=path)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1], *sys.argv[2:3], *map(int, sys.argv[3:]))
