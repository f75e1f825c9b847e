"""Google Chat: hostile and huge values stay harmless, and every message stays within Chat's limits."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from relay.domain.event import Event
from relay.domain.markup import ANGLES
from relay.domain.retry import next_attempt
from relay.domain.route import Route
from relay.domain.target import Message
from relay.domain.text import clean, units
from relay.pipeline.rendering import compile_route, compose
from relay.targets.google_chat import MESSAGE_BYTES, TARGET, TEXT_UNITS, GoogleChatOptions
from relay.targets.google_chat.text import escape
from tests.support import chat_schema

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
URL = "https://chat.googleapis.com/v1/spaces/AAQA/messages?key=hidden-key&token=hidden-token"
FAMILY = "👩‍👩‍👧‍👦"

hostile = st.sampled_from(
    [
        "<users/all>",
        "<users/123>",
        "<https://evil.example|Sign in>",
        "<b>x</b><a href='https://evil.example'>y</a>",
        "&lt;users/all&gt; &amp;",
        "*bold* _it_ ~gone~ `code` ```block```",
        "\u202egnp.exe \u2066x\u2069 \u200f",
        "\x00\x01\x1b[31m\x7f\x9b",
        FAMILY * 40,
        "é" * 30 + "e" + "\u0301" * 500,
        "\ud800\udfff",
        '"\\\n\r\n\t' * 50,
        "x" * 5_000,
        "😀" * 5_000,
        "&<>" * 5_000,
    ]
)
texts = hostile | st.text() | st.lists(hostile, max_size=6).map("".join)
values = texts | st.none() | st.integers() | st.booleans() | st.lists(texts, max_size=3)
rows = st.dictionaries(texts, values, max_size=12)


def target(url: str = URL, **options: Any) -> TARGET:
    """A space under these options."""
    return TARGET(GoogleChatOptions.model_validate({"name": "room", "kind": "google_chat", "url": url} | options))


def event(data: Any, **fields: Any) -> Event:
    """An event with this data."""
    known: dict[str, Any] = {"id": "e1", "source": "shop", "type": "orders.updated", "subject": "orders/42"}
    return Event(occurred_at=AT, received_at=AT, body=json.dumps(data).encode(), **known | fields)


def said(given_event: Event, **words: Any) -> dict[str, Any]:
    """The message that Chat gets, checked against its schema and limits."""
    request = target().render(Message("e1_room", given_event, AT, **words)).prepare()
    assert isinstance(request.body, bytes)
    return chat_schema.check(request.body)


def told(data: Any, template: str) -> str:
    """The text that Chat gets of a route's template."""
    route = compile_route(Route(name="r", to=("room",), text=template))
    message = compose(route, event(data), target(), "e1_room", AT)
    return str(said(event(data), text=message.text)["text"])


def assert_harmless(message: dict[str, Any]) -> None:
    """Fail where a value could mention, link, hide or turn text around."""
    for text in chat_schema.strings(message):
        assert "<users" not in text
        assert not [sign for sign in "\0\x1b\u202e\u2066\u200f" if sign in text]
    for text in (message.get("text", ""), message.get("fallbackText", "")):
        assert "<" not in text
        assert ">" not in text


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(before=st.none() | rows, after=st.none() | rows, actor=values, name=texts)
def test_hostile_rows_stay_harmless(before: Any, after: Any, actor: Any, name: str) -> None:
    """Whatever stands in a row, its names included, the card is valid, within the limits, and harmless."""
    changed = list({*(before or ()), *(after or ())})
    data = {"before": before, "after": after, "changed": changed, "meta": {"actor": actor}}
    assert_harmless(said(event(data, type=name or "x", subject=name, source=name), notice=name))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=rows | values)
def test_hostile_values_in_a_template_stay_harmless(data: Any) -> None:
    """A template's own markup stays, and no value adds to it."""
    text = told({"value": data}, "*Order* <https://shop.example.com|open> {{ data.value }}")
    head = "*Order* <https://shop.example.com|open>"
    assert text.startswith(head)
    assert not [sign for sign in "<>*~`" if sign in text.removeprefix(head)]
    assert "\0" not in text


@pytest.mark.parametrize("filler", ["x", "&", '"', "\n", "é", "漢", "😀", FAMILY, "<", "\ud83d"])
@pytest.mark.parametrize("columns", [1, 500, 20_000])
def test_huge_rows_are_cut_and_say_so(columns: int, filler: str) -> None:
    """A megabyte in one column or spread over many fits, and the card says how much is missing."""
    value = filler * (1_000_000 // columns // len(filler.encode(errors="replace")))
    row = {f"column_{number}": value for number in range(columns)}
    message = said(event({"before": None, "after": row, "changed": list(row)}))
    words = " ".join(chat_schema.strings(message))
    assert "more characters)" in words or columns > 1
    assert columns == 1 or "more fields" in words


def test_a_cut_card_counts_what_is_missing() -> None:
    """The counts of a cut card add up: fields shown and missing, characters shown and missing."""
    row = {f"c{number}": "x" * 700 for number in range(500)}
    message = said(event({"before": None, "after": row, "changed": []}))
    widgets = message["cardsV2"][0]["card"]["sections"][0]["widgets"]
    shown = [widget for widget in widgets if "decoratedText" in widget]
    assert widgets[-1]["textParagraph"]["text"] == f"<i>… {500 - len(shown)} more fields</i>"
    text = shown[0]["decoratedText"]["text"]
    kept = len(text.partition("…")[0])
    assert text == "x" * kept + f"… ({700 - kept} more characters)"


@pytest.mark.parametrize(
    "filler", ["word ", "😀", FAMILY, "*bold* ", "<https://x.example/|link> ", "`c` ", "e\u0301", "_"]
)
def test_a_long_text_is_cut_outside_markup_and_characters(filler: str) -> None:
    """A text over the limit keeps its beginning whole and says how many characters are missing."""
    text = filler * 9_000
    short = ANGLES.cut(text, TEXT_UNITS)
    head, _, note = short.rpartition("\n… ")
    assert units(short) <= TEXT_UNITS
    assert note.endswith(" more characters")
    kept = len(text) - int(note.split()[0].replace(",", ""))
    assert kept > TEXT_UNITS // 3
    assert text[:kept] == head[:kept]
    assert head.count("<") == head.count(">")
    assert not head.endswith("\u200d")
    assert not text[kept:].startswith(("\u0301", "\u200d"))


def test_open_markup_is_closed_at_the_cut() -> None:
    """Bold, code and blocks that are open where the text ends are closed, so that the note is none of them."""
    assert ANGLES.cut("*" + "a" * 9_000, 200).split("\n")[0].endswith("a*")
    assert ANGLES.cut("`" + "a" * 9_000, 200).split("\n")[0].endswith("a`")
    assert "a\n```\n… " in ANGLES.cut("```\n" + "a" * 9_000, 200)
    assert ("snake_case " * 900).startswith(ANGLES.cut("snake_case " * 900, 200).split("\n")[0])
    assert ANGLES.cut("a" * 180 + "<https://x.example/" + "b" * 900, 200).startswith("a" * 100)


@given(texts, st.integers(100, 5_000))
def test_a_cut_keeps_to_its_limit(text: str, limit: int) -> None:
    """Whatever the text, the result is no longer than the limit."""
    assert units(ANGLES.cut(clean(text * 20), limit)) <= limit


def test_words_stay_readable() -> None:
    """Escaping leaves names, sums and addresses as they are."""
    plain = "order_id 42 https://shop.example.com/a_b?c=d_e&f -1.50 € 50% #1 @ana (x) 漢字 👍🏽"
    assert escape(plain) == plain
    assert escape("a < b > c") == "a ‹ b › c"


@given(texts)
def test_escaping_twice_changes_nothing(text: str) -> None:
    """A value that is escaped already stays as it is."""
    assert escape(escape(text)) == escape(text)


def test_a_text_without_words_falls_back_to_the_card() -> None:
    """A template that renders nothing is no empty message, which Chat would refuse."""
    assert "cardsV2" in said(event({"a": 1}), text=" \n\0 ")


def test_a_long_thread_key_keeps_messages_together() -> None:
    """A key over Chat's limit becomes a digest: the same for the same thread, another for another."""
    keys = [said(event({}), thread=thread)["thread"]["threadKey"] for thread in ("k" * 5_000, "k" * 5_000, "k" * 5_001)]
    assert keys[0] == keys[1] != keys[2]


def test_a_space_is_paced_whichever_webhook_is_used() -> None:
    """Webhooks of one space share a key, other spaces and other addresses have their own."""
    other_key = URL.replace("hidden", "other")
    elsewhere = "https://chat.internal.example/hook/hidden-key"
    paces = [target(url).pace for url in (URL, other_key, URL.replace("AAQA", "BBBB"), elsewhere)]
    assert paces[0] == paces[1] == "google_chat:spaces/AAQA"
    assert len(set(paces)) == 3
    assert "hidden" not in " ".join(paces)


def test_defaults_keep_to_the_quota_and_outlast_an_outage() -> None:
    """One request a second, one at a time; a message is tried for more than four hours, at most every 64 s."""
    options = GoogleChatOptions.model_validate({"name": "room", "kind": "google_chat", "url": URL})
    assert (options.rate, options.concurrency) == (1.0, 1)
    delays = []
    while (due := next_attempt(len(delays) + 1, options.retry, AT, 0.0)) is not None:
        delays.append((due - AT).total_seconds())
    assert delays[:8] == [1, 2, 4, 8, 16, 32, 64, 64]
    assert 4 * 3600 < sum(delays) < 6 * 3600


def test_options_are_checked() -> None:
    """A field that the kind lacks is refused, and the error does not show the address."""
    with pytest.raises(ValidationError) as refused:
        target(secret="whsec_x")
    with pytest.raises(ValidationError) as wrong:
        target(url="chat.googleapis.com/hidden-key")
    assert "hidden-key" not in str(refused.value) + str(wrong.value)


def test_the_limit_is_chats() -> None:
    """The budget that messages are cut to is the one the check enforces."""
    assert (MESSAGE_BYTES, TEXT_UNITS <= chat_schema.TEXT_UNITS) == (chat_schema.MESSAGE_BYTES, True)


def test_a_retry_is_told_from_a_replay() -> None:
    """A retry asks for the same message again, under the same request id; a replay asks for a new one."""
    ids = [
        target().render(Message("e1_room", event({}), AT, earlier=earlier)).params["requestId"] for earlier in (0, 0, 3)
    ]
    assert ids[0] == ids[1] != ids[2]
