"""What of a target's options may be seen in no log, error or stored response."""

import pytest
from pydantic import SecretStr

from relay.pipeline.judging import show
from relay.pipeline.live import secrets_in


@pytest.mark.parametrize(
    ("secret", "echoed"),
    [
        ("https://example.com/hook?token=ab%2Bcd%2FSECRET%3D", "no such token ab+cd/SECRET="),
        ("https://example.com/hook?token=a-long-token", "a-long-token"),
        ("https://hooks.example.com/services/T000/B000/PATHSECRET12345", "no service PATHSECRET12345"),
        ("tgram://123:BOTSECRET@x/1", "no bot BOTSECRET"),
        ("slack://TOKENSECRET/B/C", "no token TOKENSECRET"),
        ("json://ana:PASS%20SECRET@host/x", "bad password PASS SECRET"),
        ("Bearer tok-HDR-SECRET", "invalid token tok-HDR-SECRET"),
        ("sid=COOKIESECRET", "sid COOKIESECRET"),
        ("whsec_c2VjcmV0LXNlY3JldA==", "your secret is c2VjcmV0LXNlY3JldA=="),
    ],
)
def test_an_echoed_secret_is_taken_out(secret: str, echoed: str) -> None:
    """Whole or in the part that matters, as it was sent or decoded: a receiver's echo gives nothing away."""
    shown = show(echoed, list(secrets_in({"field": SecretStr(secret)})))
    assert "SECRET" not in shown
    assert "a-long-token" not in shown
    assert "c2VjcmV0" not in shown
    assert "[secret]" in shown


def test_common_words_of_a_url_stay_readable() -> None:
    """A path's plain words are no secrets: an error that names them can still be read."""
    url = SecretStr("https://chat.googleapis.com/v1/spaces/AAAA/messages?key=the-key&token=the-token")
    assert show("spaces/AAAA/messages was not found", list(secrets_in([url]))) == "spaces/AAAA/messages was not found"
