"""The email target: which options it refuses, and that nothing in an event can write a header."""

from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from relay.domain.card import Card, Row
from relay.domain.event import Event, encode
from relay.domain.target import Message
from relay.secrets import REVEAL
from relay.targets.email import MESSAGE_BYTES, TARGET
from relay.targets.email.options import EmailOptions

AT = datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC)
KNOWN = {
    "name": "mail",
    "kind": "email",
    "host": "mail.example.com",
    "from": "relay@example.com",
    "to": "ana@example.com",
}
HEADERS = {
    *("From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "Auto-Submitted"),
    *("MIME-Version", "Content-Type"),
}


def mail(of: Event | None = None, *, options: dict[str, Any] | None = None, **fields: Any) -> EmailMessage:
    """The mail that a target with these options makes of the event, as a program reads it."""
    event = of or Event("e1", "shop", "orders.updated", AT, AT, encode({"n": 1}))
    target = TARGET(EmailOptions.model_validate(KNOWN | (options or {})))
    request = target.render(Message(**{"id": "e1_mail", "event": event, "sent_at": AT} | fields))
    assert isinstance(request.data, bytes)
    assert len(request.data) <= MESSAGE_BYTES
    assert max(map(len, request.data.split(b"\r\n"))) <= 998
    read = message_from_bytes(request.data, policy=policy.default)
    assert isinstance(read, EmailMessage)
    return read


def part(read: EmailMessage, kind: str) -> str:
    """A part of the mail, decoded."""
    found = read.get_body((kind,))
    assert found is not None
    content = found.get_content()
    assert isinstance(content, str)
    return content


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"host": "smtp://mail"}, "without scheme and port"),
        ({"host": "mail:25"}, "without scheme and port"),
        ({"port": 0}, "greater than or equal to 1"),
        ({"security": "ssl"}, "'starttls'"),
        ({"from": "relay"}, "an address in ASCII"),
        ({"from": "relay@example.com\r\nBcc: x@example.com"}, "an address in ASCII"),
        ({"from": "Ana\n <ana@example.com>"}, "an address in ASCII"),
        ({"to": []}, "at least 1 item"),
        ({"to": ["ana@example.com", "ana@@example.com"]}, "an address in ASCII"),
        ({"to": "ana@exämple.com"}, "an address in ASCII"),
        ({"to": ".ana@example.com"}, "a dot"),
        ({"to": [f"a{number}@example.com" for number in range(101)]}, "at most 100 items"),
        ({"user": "relay"}, "belong together"),
        ({"password": "x-secret"}, "belong together"),
        ({"security": "none", "user": "relay", "password": "x-secret"}, "a password needs"),
        ({"security": "none", "ca": "x-secret"}, "in PEM"),
        ({"subject": "{{ nothing }}"}, "unknown name nothing"),
        ({"sender": "relay@example.com"}, "Extra inputs"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], words: str) -> None:
    """The error says what is wrong and holds no secret."""
    with pytest.raises(ValidationError) as refused:
        EmailOptions.model_validate(KNOWN | options)
    assert words in str(refused.value)
    assert "x-secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("host", "secured"),
    [
        ("127.0.0.1", "none"),
        ("::1", "none"),
        ("localhost", "none"),
        ("mail.example.com", "starttls"),
        ("10.0.0.1", "starttls"),
    ],
)
def test_only_this_machine_is_spoken_to_in_clear_by_default(host: str, secured: str) -> None:
    """Anything else is encrypted unless somebody says otherwise, and then no password is sent."""
    assert EmailOptions.model_validate(KNOWN | {"host": host}).secured == secured


def test_options_are_stored_as_they_are_written() -> None:
    """What is stored can be read again, `from` included."""
    options = EmailOptions.model_validate(KNOWN | {"user": "relay", "password": "x-secret"})
    stored = options.model_dump_json(context=REVEAL, exclude_defaults=True)
    assert EmailOptions.model_validate_json(stored) == options
    assert "x-secret" not in options.model_dump_json()


@given(text=st.text(max_size=60), words=st.none() | st.text(max_size=60), thread=st.none() | st.text(max_size=20))
def test_no_event_writes_a_header(text: str, words: str | None, thread: str | None) -> None:
    """Whatever stands in an event, a mail has the headers that it has, and says what it says in both parts."""
    event = Event("e1", text or "s", text or "t", AT, AT, encode({text: text}), subject=text)
    options = {"subject": "{{ event.subject }}\u2028{{ data }}"}
    for chosen in ({}, options):
        read = mail(event, options=chosen, text=words, thread=thread, notice=words)
        assert set(read.keys()) <= HEADERS
        assert "\n" not in str(read["Subject"])
        assert part(read, "plain")
        assert part(read, "html").startswith("<!doctype html>")


def test_values_are_no_markup() -> None:
    """A value with markup in it is shown, not obeyed."""
    card = Card("<b>t</b>", rows=(Row("<i>", "<script>", "</td>"),), text="<p>", link="https://x.example/?a=1&b=2")
    html = part(mail(told=card, notice="<u>"), "html")
    assert "&lt;script&gt;" in html
    assert not [tag for tag in ("<b>t", "<i><", "<script>", "<p>&lt;/", "<u>") if tag in html]
    assert 'href="https://x.example/?a=1&amp;b=2"' in html


def test_a_huge_row_is_cut_visibly() -> None:
    """Five hundred columns of a megabyte each are a mail that every server takes, and say what is missing."""
    rows = tuple(Row(f"c{number}", "x" * 1_000_000) for number in range(600))
    read = mail(told=Card("t", rows=rows))
    assert "more characters" in part(read, "plain")
    assert "more fields" in part(read, "plain")
    assert "more characters" in part(mail(text="y" * 1_000_000), "html")


def test_a_subject_that_fails_costs_itself() -> None:
    """The mail goes out under the news' title and says what failed; of a fold, the title is the subject anyway."""
    read = mail(options={"subject": "{{ 1 / 0 }}"}, text="Hello")
    assert read["Subject"] == "orders.updated"
    assert "The subject failed: division by zero" in part(read, "plain")
    assert "The subject failed: division by zero" in part(read, "html")
    folded = mail(options={"subject": "Order {{ data.n }}"}, told=Card("7 changes"), folded=6)
    assert folded["Subject"] == "7 changes"


def test_a_replay_is_another_mail() -> None:
    """Retries share a Message-ID; what is sent again on purpose has its own, or mail programs would hide it."""
    assert mail()["Message-ID"] == mail()["Message-ID"] == "<e1_mail@example.com>"
    assert mail(earlier=2)["Message-ID"] == "<e1_mail.2-0@example.com>"
    assert mail(folded=7)["Message-ID"] == "<e1_mail.0-7@example.com>"
    odd = str(mail(id="e 1\r\n<x>_mail")["Message-ID"])
    assert odd.count("@") == 1
    assert " " not in odd
