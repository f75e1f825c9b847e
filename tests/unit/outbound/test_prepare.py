"""Prepared requests are those of requests itself, only sooner."""

from typing import Any

import pytest
import requests
from requests.auth import AuthBase

from relay.outbound.prepare import CACHED, Preparer

URL = "https://example.com/hooks?key=a%20b&token=t"


class Signature(AuthBase):
    """Signs the URL and body, as targets do."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign a request."""
        request.headers["X-Signature"] = f"{request.url} {request.body!r}"
        return request


class Growth(AuthBase):
    """Changes the body, as some authentication does."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Change a request."""
        request.body = b"longer than before"
        return request


def same_bytes(arguments: dict[str, Any]) -> None:
    """Hold one request against requests' own, prepared twice so that the cache is met too."""
    preparer = Preparer()
    for _ in range(2):
        ours = preparer.prepare(requests.Request(**arguments))
        theirs = requests.Request(**arguments).prepare()
        assert (ours.method, ours.url) == (theirs.method, theirs.url)
        body = theirs.body.encode() if isinstance(theirs.body, str) else theirs.body
        assert ours.body == body
        assert sorted(ours.headers.items()) == sorted(theirs.headers.items())


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"data": b"{}"},
        {"data": b""},
        {"data": "grüße"},
        {"data": {"a": "b"}},
        {"json": {"a": 1}},
        {"data": b"{}", "headers": {"Content-Type": "application/json", "X-Empty": ""}},
        {"data": b"{}", "headers": {"content-length": "2", "Authorization": "Bearer x"}},
        {"params": {"messageReplyOption": "REPLY", "requestId": "ü&=+ /~", "none": None}},
        {"params": {"none": None}},
        {"params": {"several": ["1", "2"]}},
        {"params": "already=written"},
        {"data": b"{}", "auth": Signature()},
        {"data": b"{}", "auth": Growth()},
        {"data": b"{}", "auth": ("user", "password")},
        {"cookies": {"a": "b"}},
        {"files": {"file": b"content"}},
    ],
    ids=str,
)
@pytest.mark.parametrize("method", ["POST", "put", "GET", "DELETE"])
def test_same_as_requests(method: str, more: dict[str, Any]) -> None:
    """Method, URL, headers and body are those of requests' own preparation."""
    if "files" in more:
        # The boundary is drawn by lot.
        ours = Preparer().prepare(requests.Request(method, URL, **more))
        assert ours.body is not None
        return
    same_bytes({"method": method, "url": URL, **more})


@pytest.mark.parametrize(
    "url",
    [
        "https://user:pass@example.com/",
        "https://user:pass@example.com/?a=b#fragment",
        "HTTP://EXAMPLE.com",
        "https://grüße.example/päth?ä=ö",
        "https://example.com:8443/a/../b?x",
        "http://[::1]:80/",
    ],
)
def test_same_urls_as_requests(url: str) -> None:
    """URLs, with user and password or without, become those of requests' own preparation."""
    same_bytes({"method": "POST", "url": url, "data": b"{}"})
    same_bytes({"method": "POST", "url": url, "params": {"a": "1"}})
    same_bytes({"method": "POST", "url": url, "auth": Signature()})


@pytest.mark.parametrize("url", ["", "nonsense", "http://", "http://*/", "http://[::1"])
def test_urls_that_are_none(url: str) -> None:
    """A URL that cannot be one is refused as requests refuses it, each time."""
    preparer = Preparer()
    for _ in range(2):
        with pytest.raises((requests.RequestException, ValueError)):
            preparer.prepare(requests.Request("POST", url))


def test_one_request_leaves_nothing_in_the_next() -> None:
    """Headers and bodies of one request never show up in another to the same URL."""
    preparer = Preparer()
    preparer.prepare(requests.Request("POST", URL, data=b"secret", headers={"X-Secret": "s"}, auth=Signature()))
    following = preparer.prepare(requests.Request("POST", URL))
    assert dict(following.headers) == {"Content-Length": "0"}
    assert following.body is None


def test_memory_is_bounded() -> None:
    """However many URLs there are, only so many are remembered."""
    preparer = Preparer()
    for number in range(CACHED + 10):
        preparer.prepare(requests.Request("POST", f"https://example.com/{number}"))
    assert len(preparer._templates) == CACHED
