"""The apprise target: what it refuses, and that every message fits its service."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from relay.domain.card import Card, Row, Tone
from relay.domain.errand import Notice
from relay.domain.event import Event
from relay.domain.target import Message
from relay.targets.apprise import TARGET, AppriseOptions

AT = datetime(2026, 3, 1, tzinfo=UTC)


def notice(url: str, **fields: Any) -> Notice:
    """The notification made for a service."""
    target = TARGET(AppriseOptions.model_validate({"name": "else", "kind": "apprise", "url": url}))
    event = Event("e1", "shop", "orders.updated", AT, AT)
    made = target.render(Message("e1_else", event, AT, **fields))
    assert isinstance(made, Notice)
    return made


@pytest.mark.parametrize("url", ["nonsense", "nosuch://x-secret", "https://"])
def test_unknown_addresses_are_refused(url: str) -> None:
    """An address that apprise does not know is refused, and not shown."""
    with pytest.raises(ValidationError, match="apprise does not know") as refused:
        AppriseOptions.model_validate({"name": "else", "kind": "apprise", "url": url})
    assert "x-secret" not in str(refused.value)


def test_a_missing_extra_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra the error says what to install."""
    monkeypatch.setattr("relay.targets.apprise.find_spec", lambda _: None)
    with pytest.raises(ValidationError, match=r"pip install 'relay\[apprise\]'"):
        AppriseOptions.model_validate({"name": "else", "kind": "apprise", "url": "json://x.example"})


@pytest.mark.parametrize("url", ["json://x.example", "tgram://123456789:abcdefg_hijklmnop/12315544/"])
def test_every_message_fits(url: str) -> None:
    """A megabyte of text, or five hundred columns of it, is cut to what the service takes, and says so."""
    limit = 4096 if url.startswith("tgram") else 32_768
    rows = tuple(Row(f"c{number}", "x" * 1_000_000) for number in range(500))
    for fields in ({"text": "y" * 1_000_000}, {"told": Card("t", rows=rows)}):
        made = notice(url, **fields)
        assert len(made.text) <= limit
        assert "more" in made.text


def test_the_tone_is_told() -> None:
    """Bad news is a failure, good news a success, and any other is information."""
    moods = {tone: notice("json://x.example", told=Card("t", tone=tone)).mood for tone in Tone}
    assert moods == {Tone.NEUTRAL: "info", Tone.GOOD: "success", Tone.WARNING: "warning", Tone.BAD: "failure"}


def test_the_address_is_not_shown() -> None:
    """A request that is looked at shows the service's name alone."""
    made = notice("json://ana:x-secret@x.example/hook")
    assert "x-secret" not in f"{made!r} {made.url} {made.prepare().url}"
