"""Routes compiled: conditions in CEL, templates in Jinja, and the message they make."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.domain.card import Card
from relay.domain.event import Event
from relay.domain.route import Route
from relay.domain.target import Target
from relay.domain.templates import MAX_TEXT, TemplateFailed
from relay.pipeline.rendering import BadExpression, CompiledRoute, compile_route, compose
from relay.plugins import discover

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
PAID = {"before": {"status": "new"}, "after": {"id": 42, "status": "paid"}, "changed": ["status"]}


def route(**fields: Any) -> CompiledRoute:
    """A compiled route with these fields."""
    return compile_route(Route.model_validate({"name": "r", "to": ["room"]} | fields))


def event(data: Any = None, **fields: Any) -> Event:
    """An event with this data."""
    known: dict[str, Any] = {"id": "e1", "source": "shop", "type": "orders.updated", "subject": "orders/42"}
    return Event(occurred_at=AT, received_at=AT, body=json.dumps(data).encode(), **known | fields)


def filled(template: str, data: Any = None) -> str | None:
    """The template's text for this data, its values between brackets."""
    return route(text=template).text(event(data), bracketed)


def bracketed(value: str) -> str:
    """Mark what was escaped."""
    return f"[{value}]"


@pytest.mark.parametrize(
    ("when", "reason"),
    [
        ("data.after.status == 'paid' && data.before.status != 'paid'", None),
        ("event.type == 'orders.updated' && event.subject.startsWith('orders/')", None),
        ("timestamp(event.time) > timestamp('2026-01-01T00:00:00Z')", None),
        ("data.changed.exists(name, name == 'status')", None),
        ("has(data.after.status)", None),
        ("data.after.status == 'sent'", "when: it is false"),
        ("data.nope == 1", 'when: Key not found in map : "nope"'),
        ("1 / (data.after.id - 42) == 1", "when: divide by zero"),
        ("data.after.status", "when: it is neither true nor false, but a string"),
    ],
)
def test_a_condition_says_why_not(when: str, reason: str | None) -> None:
    """A condition matches, or says in one line why it does not; a failing one never raises."""
    assert route(when=when).reason(event(PAID)) == reason


def test_type_and_source_come_first() -> None:
    """A route says which globs an event is none of."""
    compiled = route(types=["users.*", "orders.deleted"], sources=["crm"])
    assert compiled.reason(event()) == "type orders.updated is none of users.*, orders.deleted"
    assert compiled.reason(event(type="users.created")) == "source shop is none of crm"
    assert compiled.reason(event(type="users.created", source="crm")) is None


@pytest.mark.parametrize("number", [2**63, 2**64, -(2**63) - 1, 10**400, -(10**400)])
def test_a_huge_number_does_not_blind_a_condition(number: int) -> None:
    """Numbers beyond 64 bits are compared as floats, also deep inside."""
    data = {"n": number, "list": [{"n": number}], "ok": True}
    assert route(when="data.ok").reason(event(data)) is None
    assert route(when="data.n > 5 || data.n < -5").reason(event(data)) is None
    assert route(when="data.list.all(each, each.n > 5 || each.n < -5)").reason(event(data)) is None


def test_text_that_utf8_cannot_hold_does_not_blind_a_condition() -> None:
    """A lone surrogate in the data is a question mark to conditions."""
    data = {"name": "a\ud800", "\ud800": 1, "ok": True}
    assert route(when="data.ok && data.name == 'a?'").reason(event(data)) is None


@pytest.mark.parametrize("data", [None, 1, "text", [1], {"a": None}])
def test_any_data_has_an_answer(data: Any) -> None:
    """Data that is no object fails a condition on its fields, with a reason."""
    assert route(when="data.after.status == 'paid'").reason(event(data))


def test_a_condition_cannot_run_for_ever() -> None:
    """Loops within loops end at a budget: no match, and a reason."""
    loops = route(when="data.l.all(a, data.l.all(b, data.l.all(c, a + b + c >= 0)))")
    assert loops.reason(event({"l": list(range(300))})) == "when: Iteration budget exceeded"


@pytest.mark.parametrize(
    ("fields", "key", "words"),
    [
        ({"when": "data."}, "when", "line 1, column 6"),
        ({"when": "order == 1"}, "when", "undeclared reference to 'order'"),
        ({"when": "'yes'"}, "when", "true or false, this one is a string"),
        ({"when": "size(data)"}, "when", "true or false, this one is a int"),
        ({"when": "(" * 1000 + "true" + ")" * 1000}, "when", "recursion"),
        ({"text": "{{ data.x"}, "text", "line 1"),
        ({"text": "\n{% if %}"}, "text", "line 2"),
        ({"text": "{{ order.id }}"}, "text", "unknown name order: a template knows `event` and `data`"),
        ({"text": "{{ data.x | shout }}"}, "text", "No filter named 'shout'"),
        ({"text": "{{ data.x | safe }}"}, "text", "No filter named 'safe'"),
        ({"text": "{% include 'secrets' %}"}, "text", "cannot include"),
        ({"text": "{% for a in data %}" * 30 + "{% endfor %}" * 30}, "text", "nested too deeply"),
        ({"text": "{{" + "(" * 5000 + "1" + ")" * 5000 + "}}"}, "text", "nested too deeply"),
        ({"thread": "{{ config }}"}, "thread", "unknown name config"),
    ],
)
def test_a_wrong_expression_is_refused_in_one_line(fields: dict[str, str], key: str, words: str) -> None:
    """Compiling names the key and what is wrong; nothing waits for the first event."""
    with pytest.raises(BadExpression) as refused:
        route(**fields)
    assert refused.value.key == key
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("*{{ data.name }}* <b>", "*[<a>]* <b>"),
        ("{{ 'a & b' }}{{ data.name | upper }}", "[a & b][<A>]"),
        ("{{ data.yes }} {{ data.none }} {{ data.list }}", '[true]  [[1, "x"]]'),
        ("{{ data.nope }}{{ data.nope.deeper.still }}{{ event.subject }}", "[orders/42]"),
        ("{{ data.items }} {{ data.keys | default('-') }}", "[3] [7]"),
        ("{% for one in data.list %}{{ one }};{% endfor %}", "[1];[x];"),
        ("{% macro bold(x) %}*{{ x }}*{% endmacro %}{{ bold(data.name) }}", "*[<a>]*"),
        ("{% set line %}_{{ data.name }}_{% endset %}{{ line }}", "_[<a>]_"),
        ("{{ '%.2f' | format(data.price) }}", "[9.50]"),
        ("{{ data.list | tojson }}", '[[1,"x"]]'),
        ("{% if data.nope %}x{% else %}y{% endif %}", "y"),
        ("{% autoescape false %}{{ data.name }}{% endautoescape %}", "[<a>]"),
        ("{{ ''.__class__ }}", ""),
    ],
)
def test_values_are_escaped_and_markup_is_kept(template: str, text: str) -> None:
    """Whatever a template does, values from data go through the target's escaping once."""
    data = {"name": "<a>", "yes": True, "none": None, "list": [1, "x"], "items": 3, "keys": 7, "price": 9.5}
    assert filled(template, data) == text


@pytest.mark.parametrize(
    "template",
    [
        "{{ data.id / 0 }}",
        "{{ 'x' * 10 ** 9 }}",
        "{{ [0] * 1000000000 }}",
        "{{ 1000000000 * 'x' }}",
        "{{ 10 ** 1000000 }}",
        "{{ '%01000000000d' % 1 }}",
        "{{ '%1000000000d' | format(1) }}",
        "{{ 'x'.ljust(1000000000) }}",
        "{{ '{:1000000000}'.format(1) }}",
        "{% for i in range(1000000000) %}{% endfor %}",
        "{% for i in range(1000) %}{% for j in range(1000) %}{{ data.filler }}{% endfor %}{% endfor %}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ data.update({'a': 1}) }}",
        "{{ data.nope() }}",
        "{{ data.filler.id + 1 }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    ],
)
def test_a_failing_template_is_told_in_one_line(template: str) -> None:
    """Errors, attempts to leave the sandbox and the usual ways to fill the memory fail, and say so."""
    with pytest.raises(TemplateFailed) as failed:
        filled(template, {"id": 1, "filler": "x" * 100})
    assert str(failed.value)
    assert "\n" not in str(failed.value)


def test_a_megabyte_of_data_can_be_told() -> None:
    """The bound on a text is above what an event usually holds: the target cuts, and knows how much there was."""
    text = filled("{{ data }}", "x" * (MAX_TEXT - 2))
    assert text is not None
    assert len(text) == MAX_TEXT


TOLD = [kind for kind in discover().targets.values() if kind.words]


@pytest.mark.parametrize("kind", TOLD, ids=lambda kind: kind.kind)
def test_a_message_falls_back_to_the_card(kind: Any) -> None:
    """A template that fails costs the words: the message goes out without them, with a notice."""
    fixture = min((Path(__file__).parents[2] / "fixtures" / "targets" / kind.kind).glob("*.json"))
    options = json.loads(fixture.read_text(encoding="utf-8"))["options"]
    target = kind(kind.Options.model_validate({"name": "here", "kind": kind.kind, **options}))
    broken = route(text="{{ data.after.id / 0 }}", thread="{{ 1 / 0 }}")
    message = compose(broken, event(PAID), target, "e1_here", AT)
    assert (message.id, message.text, message.thread) == ("e1_here", None, "shop/orders/42")
    assert message.notice == (
        "The text of route r failed: division by zero The thread of route r failed: division by zero"
    )
    assert target.render(message).prepare().body


def room() -> Target:
    """A target that people read."""
    target = discover().targets["google_chat"]
    options = {"name": "here", "kind": "google_chat", "url": "https://relay.example.com/v1/spaces/A/messages"}
    return target(target.Options.model_validate(options))


def test_a_route_that_is_gone_still_tells() -> None:
    """A delivery whose route was removed meanwhile shows the kind's own card, in the row's thread."""
    message = compose(None, event(PAID), room(), "e1_here", AT)
    assert (message.text, message.thread, message.notice) == (None, "shop/orders/42", None)


def test_endpoints_get_data_and_no_words() -> None:
    """No template is rendered for a kind that shows none: not even one that would fail."""
    target = discover().targets["http"]
    options = target.Options.model_validate({"name": "here", "kind": "http", "url": "https://relay.example.com"})
    message = compose(route(text="{{ 1 / 0 }}"), event(PAID), target(options), "e1_here", AT)
    assert (message.text, message.thread, message.notice) == (None, None, None)


def test_threads() -> None:
    """A row's changes share a thread unless the route says otherwise; other events have none."""

    def thread(of: Event, told: Card | None = None, **fields: Any) -> str | None:
        return compose(route(**fields), of, room(), "e1_here", AT, told=told).thread

    assert thread(event(PAID)) == "shop/orders/42"
    assert thread(event(PAID), thread="{{ event.type }}-{{ data.after.id }}") == "orders.updated-42"
    assert thread(event({"ref": "main"})) is None
    assert thread(event(PAID, subject=None)) is None
    assert thread(event({"ref": "main"}), Card("Pushed", thread="push/main")) == "push/main"


@given(st.text(max_size=60) | st.text(alphabet="{}%# -|.'data()[]for in", max_size=40))
def test_no_text_breaks_the_compiler(source: str) -> None:
    """Any text compiles or is refused: nothing else happens."""
    for key in ("when", "text", "thread"):
        with suppress(BadExpression):
            compile_route(Route.model_construct(name="r", to=("room",), **{key: source})).reason(event(PAID))


@pytest.mark.parametrize(
    ("template", "data", "link"),
    [
        ("https://shop.example.com/orders/{{ data.id }}", {"id": 42}, "https://shop.example.com/orders/42"),
        (
            "https://x.example/?q={{ data.id }}",
            {"id": "a b/&c=<é>"},
            "https://x.example/?q=a%20b%2F%26c%3D%3C%C3%A9%3E",
        ),
        ("{{ data.url }}", {"url": "https://shop.example.com/o?a=1"}, "https://shop.example.com/o?a=1"),
        ("{{ data.url }}", {}, None),
    ],
)
def test_a_link_leads_to_the_row(template: str, data: Any, link: str | None) -> None:
    """A route's link is on the card, its values quoted; an address in the data is one as it is."""
    message = compose(route(link=template), event(data), room(), "e1_room", AT)
    assert (message.card.link, message.notice) == (link, None)


@pytest.mark.parametrize("template", ["javascript:alert(1)", "/orders/{{ data.id }}", "{{ data.id }}", "http://a b"])
def test_a_link_that_is_none_costs_the_button_alone(template: str) -> None:
    """What is no web address is no link: the card says so, and is sent."""
    message = compose(route(link=template), event({"id": "javascript:alert(1)"}), room(), "e1_room", AT)
    assert message.card.link is None
    assert message.notice == "The link of route r failed: it makes no http or https address"


def test_a_message_leads_to_its_event() -> None:
    """Where the relay is known by an address, a message says where it shows the event."""
    message = compose(None, event(), room(), "e1_room", AT, page="https://relay.example/events/e1")
    assert message.link == "https://relay.example/events/e1"
