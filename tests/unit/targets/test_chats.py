"""Every chat: hostile and huge values stay harmless, and every message stays within what the service takes."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from relay.domain.card import Card, Row, Tone
from relay.domain.event import Event
from relay.domain.route import Route
from relay.domain.target import Message, Target
from relay.pipeline.rendering import compile_route, compose
from relay.plugins import discover
from tests.support.chats import CHATS, Chat

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
FAMILY = "👩‍👩‍👧‍👦"

HOSTILE = (
    "<users/all> <!here> <@U123> <!channel> @everyone @channel @here @all :@all -@ana",
    "<https://evil.example|Sign in> [Sign in](https://evil.example) ![x](https://evil.example/x.png)",
    "[x]: https://evil.example\n\n[x]\n\n<https://evil.example>",
    "<b>x</b><a href='https://evil.example'>y</a><at>z</at> <t:1> <#1> <:x:1>",
    "&lt;users/all&gt; &amp; &#60;b&#62;",
    "*bold* **bold** _it_ __it__ ~gone~ ~~gone~~ ||spoiler|| `code` ```block``` ~town-square",
    "# one\n> two\n- three\n+ four\n1. five\n2) six\n-# seven\n---\n===\n>>> eight",
    "a | b\n--|--\n1 | 2",
    "\\*x\\* \\",
    "\u202egnp.exe \u2066x\u2069 \u200f",
    "\x00\x01\x1b[31m\x7f\x9b",
    FAMILY * 40,
    "é" * 30 + "e" + "\u0301" * 500,
    "\ud800\udfff",
    '"\\\n\r\n\t' * 50,
    "x" * 5_000,
    "😀" * 5_000,
    "&<>" * 5_000,
    "*_`[" * 5_000,
    " \u00a0\u3000",
    "",
)
# By number: hypothesis would write them all out in its warnings.
hostile = st.sampled_from(range(len(HOSTILE))).map(lambda number: HOSTILE[number])
texts = hostile | st.text() | st.lists(hostile, max_size=6).map("".join)
values = texts | st.none() | st.integers() | st.booleans() | st.lists(texts, max_size=3)
rows = st.dictionaries(texts, values, max_size=12)

each_chat = pytest.mark.parametrize("chat", CHATS.values(), ids=lambda chat: chat.kind)
slowly = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60)


def target(chat: Chat, **options: Any) -> Target:
    """A target of this kind."""
    kind = discover().targets[chat.kind]
    return kind(kind.Options.model_validate({"name": "room", "kind": chat.kind, **chat.options, **options}))


def event(data: Any, **fields: Any) -> Event:
    """An event with this data."""
    known: dict[str, Any] = {"id": "e1", "source": "shop", "type": "orders.updated", "subject": "orders/42"}
    return Event(occurred_at=AT, received_at=AT, body=json.dumps(data).encode(), **known | fields)


def sent(chat: Chat, given_event: Event, **words: Any) -> tuple[Any, list[str]]:
    """The message that the service gets, and its texts, checked."""
    body = target(chat).render(Message("e1_room", given_event, AT, **words)).prepare().body
    assert isinstance(body, bytes)
    return json.loads(body), chat.seen(body)


def assert_plain(seen: list[str]) -> None:
    """Fail where a text hides something or turns it around."""
    assert not [text for text in seen if {*"\0\x1b\u202e\u2066\u200f"} & {*text}]


@each_chat
@slowly
@given(before=st.none() | rows, after=st.none() | rows, actor=values, name=texts)
def test_hostile_rows_stay_harmless(chat: Chat, before: Any, after: Any, actor: Any, name: str) -> None:
    """Whatever stands in a row, its names included, the message is one the service takes, and shows plain words."""
    changed = list({*(before or ()), *(after or ())})
    data = {"before": before, "after": after, "changed": changed, "meta": {"actor": actor}}
    assert_plain(sent(chat, event(data, type=name or "x", subject=name, source=name), notice=name)[1])


@each_chat
@slowly
@given(title=texts, words=texts, label=texts, value=texts, tone=st.sampled_from(Tone))
def test_hostile_news_stays_harmless(chat: Chat, title: str, words: str, label: str, value: str, tone: Tone) -> None:
    """So it is with what a provider made a card of, in every tone."""
    told = Card(title, words, words, (Row(label, value, title),), tone, "https://ci.example.com/(1)_a?b=c&d", words)
    assert_plain(sent(chat, event({}), told=told, link="https://relay.example.com/e1", thread=words)[1])


@each_chat
@slowly
@given(data=rows | values)
def test_hostile_values_in_a_template_stay_harmless(chat: Chat, data: Any) -> None:
    """A template's own markup stays, and no value adds to it."""
    route = compile_route(Route(name="r", to=("room",), text=chat.head + "is {{ data.value }}."))
    given_event = event({"value": data})
    message = compose(route, given_event, target(chat), "e1_room", AT)
    body, seen = sent(chat, given_event, text=message.text)
    text = chat.text(body)
    assert text.startswith(chat.head.strip())
    chat.inert(text.removeprefix(chat.head))
    assert_plain(seen)


@each_chat
@slowly
@given(words=texts)
def test_any_words_make_a_message(chat: Chat, words: str) -> None:
    """Whatever a template prints, broken markup of its own too, the service takes it."""
    sent(chat, event({"a": 1}), text=words)


@each_chat
@pytest.mark.parametrize("filler", ["x", "&", '"', "\n", "é", "漢", "😀", FAMILY, "<", "*", "\ud83d"])
@pytest.mark.parametrize("columns", [1, 500, 20_000])
def test_huge_rows_are_cut_and_say_so(chat: Chat, columns: int, filler: str) -> None:
    """A megabyte in one column or spread over many fits, and the message says how much is missing."""
    value = filler * (1_000_000 // columns // len(filler.encode(errors="replace")))
    row = {f"column_{number}": f"a{value}z" for number in range(columns)}
    words = " ".join(sent(chat, event({"before": None, "after": row, "changed": list(row)}))[1])
    assert "more characters)" in words if columns == 1 else "more fields" in words


@each_chat
@pytest.mark.parametrize(
    "filler", ["word ", "😀", FAMILY, "e\u0301", "\\\\", "*b* ", "`c` ", "**b** ", "&amp;", "漢\n"]
)
def test_a_long_text_is_cut_and_says_so(chat: Chat, filler: str) -> None:
    """A text over the limit keeps its beginning and says how many characters are missing."""
    body, _ = sent(chat, event({}), text=filler * 20_000)
    text = chat.text(body)
    assert text.rstrip(")").endswith(" more characters")
    assert text.startswith(filler.strip()[:1])


@each_chat
def test_a_text_without_words_falls_back_to_the_card(chat: Chat) -> None:
    """A template that renders nothing is no empty message, which the service would refuse."""
    assert sent(chat, event({"a": 1}), text=" \n\0 ") == sent(chat, event({"a": 1}))


@each_chat
def test_options_are_checked(chat: Chat) -> None:
    """A field that the kind lacks is refused, a wrong address too, and the error does not show what is secret."""
    with pytest.raises(ValidationError) as refused:
        target(chat, colour="hidden-key")
    with pytest.raises(ValidationError) as wrong:
        target(chat, url="hooks.example.com/hidden-key")
    assert "hidden-key" not in str(refused.value) + str(wrong.value)


@each_chat
def test_defaults_keep_order_and_quota(chat: Chat) -> None:
    """Every chat is paced, takes one message at a time, and is tried for hours."""
    options = discover().targets[chat.kind].Options.model_validate({"name": "r", "kind": chat.kind, **chat.options})
    assert options.rate is not None
    assert options.concurrency == 1
    assert options.retry.delay(200) is not None
