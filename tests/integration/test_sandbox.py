"""The sandbox over HTTP: it refuses what Google Chat refuses, in the same words."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
import requests

from relay.web.sandbox import Sandbox, app
from tests.browser.samples import CREATED, GITHUB, WIDGETS
from tests.browser.support import serving

QUERY = {"key": "demo", "token": "demo"}
JSON = {"content-type": "application/json; charset=UTF-8"}


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    """A served sandbox whose clock moves a minute at each message, so that the quota is never short."""
    clock = count(step=60.0)
    with serving(app(Sandbox(clock=lambda: next(clock)))) as url:
        yield f"{url}/sandbox"


def post(base: str, message: Any = None, /, space: str = "demo", **given: Any) -> requests.Response:
    """Post to a space; `query`, `body` and `headers` replace what is right."""
    url = f"{base}/v1/spaces/{space}/messages"
    body = {"data": given["body"]} if "body" in given else {"json": message}
    return requests.post(url, params=given.get("query", QUERY), headers=given.get("headers", JSON), timeout=10, **body)


def refusal(response: requests.Response) -> tuple[int, str, str]:
    """Return code, status and message of a refusal; the code is the response's own."""
    error = response.json()["error"]
    assert error["code"] == response.status_code
    assert response.headers["content-type"] == "application/json; charset=UTF-8"
    return error["code"], error["status"], error["message"]


@pytest.mark.parametrize("message", [{"text": "hello"}, CREATED, GITHUB, WIDGETS])
def test_takes_what_chat_takes(base: str, message: Any) -> None:
    """Text and cards of every kind are taken, and come back as a message resource."""
    response = post(base, message)
    assert response.status_code == 200
    assert response.json()["name"].startswith("spaces/demo/messages/")
    assert response.json().get("cardsV2") == message.get("cardsV2")


@pytest.mark.parametrize(
    ("given", "code", "status"),
    [
        ({"query": {"token": "a"}}, 403, "PERMISSION_DENIED"),
        ({"query": {"key": "a"}}, 401, "UNAUTHENTICATED"),
        ({"query": QUERY | {"messageReplyOption": "ALWAYS"}}, 400, "INVALID_ARGUMENT"),
        ({"query": QUERY | {"colour": "red"}}, 400, "INVALID_ARGUMENT"),
        ({"space": "a b"}, 400, "INVALID_ARGUMENT"),
        ({"headers": {"content-type": "text/plain"}}, 400, "INVALID_ARGUMENT"),
        ({"headers": {"content-type": "application/json; charset=latin-1"}}, 400, "INVALID_ARGUMENT"),
        ({"body": b"{"}, 400, "INVALID_ARGUMENT"),
        ({"body": b"\xff"}, 400, "INVALID_ARGUMENT"),
        ({"body": b"[" * 20_000}, 400, "INVALID_ARGUMENT"),
        ({"body": b'{"text": NaN}'}, 400, "INVALID_ARGUMENT"),
        ({"body": b'["text"]'}, 400, "INVALID_ARGUMENT"),
        ({"body": rb'{"\ud800": 1}'}, 400, "INVALID_ARGUMENT"),
        ({"body": b'{"text": "%s"}' % (b"a" * 2_000_000)}, 400, "INVALID_ARGUMENT"),
    ],
)
def test_bad_requests(base: str, given: Any, code: int, status: str) -> None:
    """What is wrong with a request before its message matters has Google's status."""
    assert refusal(post(base, {"text": "a"}, **given))[:2] == (code, status)


def cards(*widgets: Any, **card: Any) -> Any:
    """Return a message with one card of one section."""
    return {"cardsV2": [{"card": {"sections": [{"widgets": list(widgets)}]} | card}]}


TEXT = {"textParagraph": {"text": "a"}}


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({}, "Message cannot be empty"),
        ({"text": ""}, "Message cannot be empty"),
        ({"text": "a" * 4_097}, "4097 characters"),
        ({"text": "a", "thread": {"threadKey": "k" * 4_001}}, "Invalid thread key"),
        ({"text": "a", "cardsV2": [{}]}, "needs a header or a section"),
        (cards(), "needs at least one widget"),
        (cards({}), "exactly one kind of data"),
        (cards(TEXT | {"divider": {}}), "exactly one kind of data"),
        (cards(TEXT, header={"subtitle": "a"}), "a header needs a title"),
        (cards({"columns": {"columnItems": [{}]}}), "a column needs at least one widget"),
        ({"cardsV2": cards(TEXT)["cardsV2"] * 2}, "needs a `card_id` of its own"),
        (cards({"textParagraph": {"txt": "a"}}), 'Unknown name "txt" at \'message.cards_v2[0].card.sections[0].'),
    ],
)
def test_bad_messages(base: str, message: Any, words: str) -> None:
    """A message that breaks a limit, or has a field that Chat does not know, is 400 and says which."""
    code, status, said = refusal(post(base, message))
    assert (code, status) == (400, "INVALID_ARGUMENT")
    assert words in said


def test_size_is_of_the_whole_message(base: str) -> None:
    """32,000 bytes are taken, one more is not, however they are spread."""
    frame = len(b'{"text":"a","fallbackText":""}')
    for length, code in [(32_000, 200), (32_001, 400), (900_000, 400)]:
        body = b'{"text":"a","fallbackText":"%s"}' % (b"a" * (length - frame))
        assert post(base, body=body).status_code == code


def test_violations_name_fields(base: str) -> None:
    """The details of a refusal name the path of each wrong field."""
    error = post(base, {"text": "a", "cardsV2": [{"x": 1}], "thread": {"threadKey": 3}}).json()["error"]
    fields = [violation["field"] for violation in error["details"][0]["fieldViolations"]]
    assert fields == ["message.cards_v2[0]", "message.thread.thread_key"]


def test_sections_past_100_widgets_vanish(base: str) -> None:
    """A section that passes 100 widgets, and all after it, are silently left out, as in Chat."""
    sections = [{"widgets": [TEXT] * number} for number in (60, 40, 1, 1)]
    card = post(base, {"cardsV2": [{"card": {"sections": sections}}]}).json()["cardsV2"][0]["card"]
    assert [len(section["widgets"]) for section in card["sections"]] == [60, 40]


def test_replies_and_repeats(base: str) -> None:
    """A thread key joins messages with the option alone; a request id makes one message."""
    message = {"text": "a", "thread": {"threadKey": "orders/7"}}
    query = QUERY | {"messageReplyOption": "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"}
    first, reply = (post(base, message, query=query).json() for _ in range(2))
    by_query = post(base, {"text": "a"}, query=query | {"threadKey": "orders/7"}).json()
    stray = post(base, message).json()
    assert first["thread"] == reply["thread"] == by_query["thread"] != stray["thread"]
    once, again = (post(base, message, query=QUERY | {"requestId": "one"}).json() for _ in range(2))
    assert once["name"] == again["name"]


def test_quota() -> None:
    """A space takes one message a second from all its webhooks; what is refused is not shown."""
    with serving(app(Sandbox(clock=lambda: 0.0))) as url:
        base = f"{url}/sandbox"
        assert post(base, {"text": "a"}).status_code == 200
        over = post(base, {"text": "b"}, query={"key": "another", "token": "another"})
        assert refusal(over)[:2] == (429, "RESOURCE_EXHAUSTED")
        assert post(base, {"text": "c"}, space="other").status_code == 200
        news = requests.get(f"{base}/api/messages", params={"space": "demo"}, timeout=10).json()
    assert [message["text"] for message in news["messages"]] == ["a"]
    assert [space["name"] for space in news["spaces"]] == ["demo", "other"]


def test_polling(base: str) -> None:
    """A page gets what came after the last message it saw, and everything when its number means nothing."""
    names = [post(base, {"text": text}, space="polled").json()["name"] for text in "ab"]

    def news(after: str) -> Any:
        return requests.get(f"{base}/api/messages", params={"space": "polled", "after": after}, timeout=10).json()

    everything = news("")
    assert [message["name"] for message in everything["messages"]] == names
    assert [message["name"] for message in news(str(everything["messages"][0]["seq"]))["messages"]] == names[1:]
    assert news(str(everything["last"]))["messages"] == []
    for odd in ("-1", "x", "9" * 5_000):
        assert len(news(odd)["messages"]) == 2
    assert news("")["epoch"] == everything["epoch"]


@pytest.mark.parametrize("path", ["", "/", "/demo"])
def test_page(base: str, path: str) -> None:
    """The page answers without a redirect, under a policy that allows nothing inline and nothing from elsewhere."""
    response = requests.get(f"{base}{path}", timeout=10, allow_redirects=False)
    assert response.status_code == 200
    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    assert "/sandbox/static/main.js" in response.text


def test_hint_is_shown_as_text() -> None:
    """The command that the page shows is the one it was given, escaped."""
    with serving(app(Sandbox(hint="curl -d '<b>&'"))) as url:
        assert "curl -d &#39;&lt;b&gt;&amp;&#39;" in requests.get(f"{url}/sandbox", timeout=10).text
