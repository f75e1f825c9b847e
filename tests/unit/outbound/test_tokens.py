"""Access tokens: asked for as RFC 6749 says, kept until shortly before they end, fetched by one at a time."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from relay.domain.grants import ClientCredentials, NoToken, OAuth2, Token
from relay.outbound.tokens import EARLY, FETCH_TIMEOUT, FRESH, Tokens

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def grant(**more: Any) -> ClientCredentials:
    """Client credentials with these fields beside the usual ones."""
    known = {"token_url": "https://id.example.com/token", "client_id": "a b", "client_secret": "p+q"}
    return ClientCredentials(OAuth2.model_validate(known | more))


def answer(status: int, body: bytes) -> requests.Response:
    """What a token endpoint answered."""
    response = requests.Response()
    response.status_code = status
    response._content = body
    return response


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def test_the_client_shows_itself() -> None:
    """In a header, form-encoded first, or in the body; what is not given is not sent."""
    request = grant().request(NOW)
    assert request.headers["authorization"] == "Basic YStiOnAlMkJx"
    assert parse_qs(request.data) == {"grant_type": ["client_credentials"]}
    request = grant(client_auth="body", scope="a b", audience="https://api").request(NOW)
    assert "authorization" not in request.headers
    assert parse_qs(request.data) == {
        "grant_type": ["client_credentials"],
        "client_id": ["a b"],
        "client_secret": ["p+q"],
        "scope": ["a b"],
        "audience": ["https://api"],
    }


def test_equal_grants_share_a_token() -> None:
    """Two targets with the same client have one token; another scope is another token."""
    tokens = Tokens()
    tokens.keep(grant(), Token("t", 300))
    assert tokens.find(grant()) == "t"
    assert tokens.find(grant(scope="other")) is None


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        (b'{"access_token": "t", "expires_in": 60}', 60),
        (b'{"access_token": "t", "expires_in": "60"}', 60),
        (b'{"access_token": "t"}', 300),
        (b'{"access_token": "t", "expires_in": null}', 300),
        (b'{"access_token": "t", "expires_in": 1e99}', 86_400),
        (b'{"access_token": "t", "expires_in": -5}', 0),
    ],
)
def test_tokens_are_read(body: bytes, seconds: float) -> None:
    """A token is good for as long as its issuer says, for five minutes if it does not, for a day at most."""
    assert grant().read(answer(200, body)) == Token("t", seconds)


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, b'{"error": "invalid_client", "error_description": "p+q"}', "401 Unauthorized: invalid_client"),
        (400, b'{"error": "p+q is wrong"}', "400 Bad Request"),
        (302, b'{"access_token": "t"}', "302 Found"),
        (200, b"<html>", "without an access token"),
        (200, b'["access_token"]', "without an access token"),
        (200, b'{"access_token": "t\\r\\nX: 1"}', "without an access token"),
    ],
)
def test_other_answers_hold_none(status: int, body: bytes, words: str) -> None:
    """Anything else is told in words that hold no secret."""
    with pytest.raises(NoToken, match=words) as refused:
        grant().read(answer(status, body))
    assert "p+q" not in str(refused.value)


@given(st.integers(0, 999), st.binary(max_size=60))
def test_no_answer_is_too_strange(status: int, body: bytes) -> None:
    """Any answer is a token or a reason."""
    with pytest.raises(NoToken):
        grant().read(answer(status, body))


def test_a_token_is_not_used_to_its_end() -> None:
    """It is let go shortly before its end."""
    clock = Clock()
    tokens = Tokens(clock)
    tokens.keep(grant(), Token("t", 3600))
    clock.now += 3600 - EARLY - 1
    assert tokens.find(grant()) == "t"
    clock.now += 2
    assert tokens.find(grant()) is None


def test_one_fetches_for_all() -> None:
    """Nobody else begins while one fetches, until it ends, or should have ended long ago."""
    clock = Clock()
    tokens = Tokens(clock)
    assert tokens.begin(grant())
    assert not tokens.begin(grant())
    assert tokens.begin(grant(scope="other"))
    tokens.fail(grant())
    assert tokens.begin(grant())
    clock.now += FETCH_TIMEOUT + 2
    assert tokens.begin(grant())


def test_a_refused_token_is_dropped_once() -> None:
    """A token that is refused goes; one that was fetched just now stays, for another would fare no better."""
    clock = Clock()
    tokens = Tokens(clock)
    tokens.keep(grant(), Token("old", 3600))
    clock.now += FRESH + 1
    assert tokens.drop(grant(), "old")
    assert tokens.find(grant()) is None
    tokens.keep(grant(), Token("new", 3600))
    assert tokens.drop(grant(), "old")
    assert not tokens.drop(grant(), "new")
    assert tokens.find(grant()) == "new"
