"""The page of an event: who may see it, what it shows, and that nothing in an event can make it do anything."""

import re
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from relay import wiring
from relay.config import Settings
from relay.secrets import Sealer
from relay.store import migrate
from tests.support.valkey import Valkey

CONFIGURATION = """
[[sources]]
name = "anybody"
verify = "none"

[[targets]]
name = "room"
kind = "google_chat"
url = "https://chat.googleapis.com/v1/spaces/AAQA/messages?key=KEY1234&token=TOKEN1234"

[[routes]]
name = "all"
to = ["room"]
"""
TOKEN = "a token of the API"


@pytest.fixture
def client(tmp_path: Path, valkey: Valkey) -> Iterator[TestClient]:
    """A browser before the relay."""
    settings = Settings(
        data_dir=tmp_path, broker_url=valkey.start().url, secret_keys=(Sealer.new_key(),), api_token=TOKEN
    )
    relay = wiring.Relay(settings)
    migrate.migrate(relay.database)
    relay.configurator.apply_text(CONFIGURATION, "relay.toml")
    with TestClient(relay.web(), base_url="https://relay.example") as client:
        client.app.state.relay = relay  # type: ignore[attr-defined]
        yield client


def an_event(client: TestClient, body: str = '{"order": 7}') -> str:
    """Send an event, have it routed, and return its page's address."""
    answer = client.post("/in/anybody", content=body, headers={"content-type": "application/json"})
    client.app.state.relay.fan_out.run()  # type: ignore[attr-defined]
    return f"/events/{answer.json()['id']}"


def test_the_token_opens_the_page(client: TestClient) -> None:
    """Whoever types the token sees the event and its deliveries, and stays signed in."""
    address = an_event(client)
    shut = client.get(address)
    assert (shut.status_code, "#34;order" in shut.text) == (401, False)
    opened = client.post(address, data={"token": f" {TOKEN} "})
    assert (opened.status_code, opened.url.path) == (200, address)
    assert "&#34;order&#34;: 7" in opened.text
    assert "room" in opened.text
    assert "pending" in opened.text
    assert "KEY1234" not in opened.text
    assert client.get(address).status_code == 200


def test_the_cookie_is_for_this_page_alone(client: TestClient) -> None:
    """No script reads the cookie, no other site sends it, and no wrong token gets one."""
    address = an_event(client)
    wrong = client.post(address, data={"token": "a guess"})
    assert (wrong.status_code, "set-cookie" in wrong.headers) == (401, False)
    right = client.post(address, data={"token": TOKEN}, follow_redirects=False)
    said = right.headers["set-cookie"].lower()
    assert (right.status_code, "httponly" in said, "samesite=strict" in said) == (303, True, True)


@pytest.mark.parametrize("body", [b"token=%ff", b"", b"token=" + b"a" * 5000, b"\xff"])
def test_odd_forms_open_nothing(client: TestClient, body: bytes) -> None:
    """Whatever is sent in place of the token, the door stays shut."""
    address = an_event(client)
    answer = client.post(address, content=body, headers={"content-type": "application/x-www-form-urlencoded"})
    assert answer.status_code in (401, 413)


def test_a_browser_from_elsewhere_asks_once_more(client: TestClient) -> None:
    """A link in a chat opens without signing in again: the browser keeps the cookie back until the page itself asks."""
    address = an_event(client)
    from_chat = client.get(address, headers={"sec-fetch-site": "cross-site"})
    assert 'content="0; url=?again"' in from_chat.text
    again = client.get(f"{address}?again", headers={"sec-fetch-site": "cross-site"})
    assert "http-equiv" not in again.text


def test_nothing_in_an_event_becomes_markup(client: TestClient) -> None:
    """What an event holds is text on the page, which runs no script and loads nothing."""
    address = an_event(client, '{"name": "<script>alert(1)</script>", "\\ud800": "</pre>"}')
    page = client.post(address, data={"token": TOKEN})
    assert "<script" not in page.text
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    (style,) = re.findall(r"<style>(.*?)</style>", page.text, re.DOTALL)
    assert f"'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'" in policy


@pytest.mark.parametrize("name", ["00000000-0000-7000-8000-000000000000", "nothing", "%00"])
def test_no_such_event(client: TestClient, name: str) -> None:
    """An event that is not there, or no more, is said to be so."""
    address = an_event(client)
    client.post(address, data={"token": TOKEN})
    assert client.get(f"/events/{name}").status_code == 404
