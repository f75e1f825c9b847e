"""The sandbox page in a real browser: messages as Chat shows them, and never as code."""

import os
import re
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, Page, expect, sync_playwright

from relay.web.sandbox import Sandbox, app
from relay.web.sandbox.limits import admit
from relay.web.sandbox.space import FALLBACK
from tests.browser.samples import ALERT, CREATED, GITHUB, ORDER, PACKED, PAID, SHIPPED, WIDGETS
from tests.browser.support import chromium, serving

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; where there is none these tests are skipped, but not where CI promises one."""
    path = chromium()
    if path is None:
        reason = "Chromium is not installed: apt-get install chromium"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def sandbox() -> Sandbox:
    """A sandbox whose quota is never short."""
    clock = count(step=60.0)
    return Sandbox(hint="curl http://relay.example/in/demo", clock=lambda: next(clock))


@pytest.fixture
def base(sandbox: Sandbox) -> Iterator[str]:
    """The sandbox, served."""
    with serving(app(sandbox)) as url:
        yield f"{url}/sandbox"


@pytest.fixture
def page(browser: Browser, base: str) -> Iterator[Page]:
    """The page of the demo space; at the end nothing went wrong in it and nothing left it."""
    context = browser.new_context()
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{base}/demo")
    yield page
    context.close()
    assert said == []
    assert [url for url in asked if not url.startswith(base)] == []


def put(sandbox: Sandbox, *messages: Any, space: str = "demo") -> None:
    """Let messages arrive."""
    for message in messages:
        sandbox.post(space, admit(message, space), webhook="demo", option=FALLBACK, request_id=None)


def test_empty_space_says_what_to_do(page: Page, sandbox: Sandbox) -> None:
    """Without messages the page shows the command that sends one; it goes when one arrives."""
    expect(page.get_by_role("heading", name="It is quiet in here")).to_be_visible()
    expect(page.get_by_text("curl http://relay.example/in/demo").locator("visible=true")).to_be_visible()
    put(sandbox, {"text": "hello"})
    expect(page.get_by_text("hello", exact=True).first).to_be_visible()
    expect(page.get_by_role("heading", name="It is quiet in here")).to_be_hidden()


def test_messages_over_http_appear(page: Page, base: str) -> None:
    """What a webhook posts is on the page soon after, without a reload, and is announced."""
    url = f"{base}/v1/spaces/demo/messages?key=demo&token=demo"
    assert requests.post(url, json={"text": "over the wire"}, timeout=10).status_code == 200
    expect(page.locator(".message .text")).to_have_text("over the wire")
    requests.post(url, json=CREATED, timeout=10)
    expect(page.locator("#announcer")).to_contain_text("Order created")
    card = page.get_by_role("region", name="Order created")
    expect(card).to_contain_text("Ana Martins")
    expect(card.get_by_role("link", name="Open the event")).to_have_attribute("rel", "noopener noreferrer")


def test_replies_are_grouped(page: Page, sandbox: Sandbox) -> None:
    """Messages of one thread key stand together under the first, the latest shown, the earlier a click away."""
    put(sandbox, CREATED, {"text": "between"}, PAID, PACKED, SHIPPED)
    thread = page.get_by_role("article", name=f"Thread {ORDER}")
    expect(thread.get_by_text("3 replies")).to_be_visible()
    expect(thread.locator(".message")).to_have_count(4)
    expect(thread).not_to_contain_text("between")
    expect(thread.get_by_text("is paid")).to_be_hidden()
    thread.get_by_role("button", name="Show 1 earlier").click()
    expect(thread.get_by_text("is paid")).to_be_visible()
    expect(page.locator(".thread").last).to_contain_text(ORDER)


def test_chat_markup(page: Page, sandbox: Sandbox) -> None:
    """Chat's own markup is shown as Chat shows it; what only looks like markup stays text."""
    put(sandbox, PAID, ALERT, {"text": "2*3*4 snake_case_name `*raw*` *bold _both_*"})
    texts = page.locator(".message .text")
    expect(texts.nth(0).locator("strong")).to_have_text(["1042", "€ 86.40"])
    expect(texts.nth(0).get_by_role("link", name="see it")).to_have_attribute("href", "https://relay.example/")
    expect(texts.nth(1).locator(".mention")).to_have_text("@all")
    expect(texts.nth(1).locator("s")).to_have_text("12")
    expect(texts.nth(1).locator("pre")).to_contain_text("lisbon")
    expect(texts.nth(2)).to_have_text("2*3*4 snake_case_name *raw* bold both")
    expect(texts.nth(2).locator("em")).to_have_text("both")


def test_cards(page: Page, sandbox: Sandbox) -> None:
    """Every widget is shown; sections unfold; pictures from elsewhere are named and not loaded."""
    put(sandbox, GITHUB, WIDGETS)
    github = page.get_by_role("region", name="Pull request opened")
    expect(github.get_by_text("0007_expand_season")).to_be_hidden()
    github.get_by_role("button", name="Show more").click()
    expect(github.get_by_text("0007_expand_season")).to_be_visible()
    every = page.get_by_role("region", name="Every widget")
    expect(every.get_by_role("img", name="Orders a day")).to_contain_text("pictures.example")
    expect(every.get_by_role("listitem")).to_have_text(["Kit3", "Papers120"])
    expect(every.get_by_role("button", name="Wait")).to_be_disabled()
    expect(every.get_by_text("red")).to_have_css("color", "rgb(217, 48, 37)")
    expect(page.locator("main img:visible")).to_have_count(0)


@pytest.mark.parametrize("place", ["text", "paragraph", "labels", "header", "thread", "space", "link"])
def test_hostile_content_stays_text(page: Page, sandbox: Sandbox, base: str, place: str) -> None:
    """Content that would be code is shown as written, wherever it stands: no element, no request, no script."""
    widget: Any = {"textParagraph": {"text": HOSTILE}}
    message: Any = {"text": "there is a card"}
    match place:
        case "text":
            message = {"text": HOSTILE}
        case "labels":
            widget = {"decoratedText": {"topLabel": HOSTILE, "text": HOSTILE, "bottomLabel": HOSTILE}}
        case "thread":
            message = {"text": HOSTILE, "thread": {"threadKey": HOSTILE}}
        case "link":
            address = "javascript:document.title='owned'"
            button = {"text": HOSTILE, "onClick": {"openLink": {"url": address}}}
            words = f"{HOSTILE}<a href=\"{address}\">here</a><a href='jav&#x61;script:0'>there</a>"
            widget = {"decoratedText": {"text": words, "button": button}}
    if place in {"paragraph", "labels", "header", "link"}:
        title = HOSTILE if place == "header" else "Card"
        sections = [{"header": HOSTILE, "widgets": [widget]}]
        message = {"cardsV2": [{"cardId": HOSTILE, "card": {"header": {"title": title}, "sections": sections}}]}
    if place == "space":
        page.goto(f"{base}/{requests.utils.quote(HOSTILE.replace('/', ''), safe='')}")
        expect(page.locator("h1")).to_contain_text("onerror")
    else:
        put(sandbox, message, message)
        expect(page.locator(".message").first).to_contain_text("onerror")
    assert page.title() != "owned"
    assert page.locator("main script, main img[src=x], main a[href^='javascript']").count() == 0


def test_spaces_are_listed(page: Page, sandbox: Sandbox) -> None:
    """A space that gets its first message joins the list, marked as unread, and leads to its page."""
    put(sandbox, {"text": "for finance"}, space="finance")
    entry = page.get_by_role("navigation").get_by_role("link", name="finance")
    expect(entry).to_contain_text("new")
    entry.click()
    expect(page.locator(".message .text")).to_have_text("for finance")
    expect(page.get_by_role("heading", level=1)).to_have_text("finance")
    expect(page.get_by_role("navigation").get_by_role("link", name="finance")).to_have_attribute("aria-current", "page")


def test_keyboard(page: Page, sandbox: Sandbox) -> None:
    """Everything is reached with the keyboard, and what has the focus is seen to have it."""
    put(sandbox, GITHUB)
    expect(page.locator(".message")).to_have_count(1)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to messages")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Review")).to_be_focused()
    assert "solid" in page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Show less")).to_have_attribute("aria-expanded", "true")
    summary = page.locator("#how summary")
    summary.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Run this in a terminal, and watch it arrive:")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_text("Run this in a terminal, and watch it arrive:")).to_be_hidden()
    expect(summary).to_be_focused()


def test_focus_survives_news(page: Page, sandbox: Sandbox) -> None:
    """A message that arrives does not take the focus away, even where it moves its thread."""
    keyed = GITHUB | {"thread": {"threadKey": "pull/318"}}
    put(sandbox, keyed, {"text": "after"})
    link = page.get_by_role("link", name="Review")
    link.focus()
    put(sandbox, {"text": "a reply", "thread": {"threadKey": "pull/318"}})
    expect(page.locator(".thread").last).to_contain_text("a reply")
    expect(link).to_be_focused()


def test_latest_stays_in_sight(page: Page, sandbox: Sandbox) -> None:
    """The page follows what arrives, unless its reader scrolled up: then a button leads to the news."""
    put(sandbox, *({"text": f"message {number}"} for number in range(40)))
    expect(page.get_by_text("message 39", exact=True)).to_be_in_viewport()
    page.locator("#stream").evaluate("element => element.scrollTo(0, 0)")
    expect(page.get_by_text("message 0", exact=True)).to_be_in_viewport()
    put(sandbox, {"text": "the news"})
    page.get_by_role("button", name="New messages").click()
    expect(page.locator(".text").get_by_text("the news")).to_be_in_viewport()
    expect(page.get_by_role("button", name="New messages")).to_be_hidden()


@pytest.mark.parametrize("width", [320, 390, 760, 1280])
def test_fits(page: Page, sandbox: Sandbox, width: int) -> None:
    """Nothing is wider than the window, from a small phone on."""
    page.set_viewport_size({"width": width, "height": 700})
    put(sandbox, CREATED, PACKED, GITHUB, WIDGETS, ALERT, {"text": "long" * 200})
    expect(page.locator(".message")).to_have_count(6)
    wide = page.evaluate(
        "[document.documentElement, document.querySelector('#stream')].map(e => e.scrollWidth - e.clientWidth)"
    )
    assert wide == [0, 0]


def test_restart(browser: Browser) -> None:
    """When the sandbox begins anew, the page forgets what is gone and shows what is there."""
    page = browser.new_page()
    first, second = Sandbox(), Sandbox()
    put(first, {"text": "before"})
    put(second, {"text": "afterwards"})
    with serving(app(first)) as url, serving(app(second)) as other:
        page.goto(f"{url}/sandbox/demo")
        expect(page.locator(".message .text")).to_have_text("before")
        answer = requests.get(f"{other}/sandbox/api/messages?space=demo", timeout=10).text
        page.route(
            re.compile("/api/messages"), lambda route: route.fulfill(body=answer, content_type="application/json")
        )
        expect(page.locator(".message .text")).to_have_text("afterwards")
        page.unroute_all()
        page.route(re.compile("/api/messages"), lambda route: route.abort())
        expect(page.get_by_role("status")).to_have_text("Reconnecting")
    page.close()
