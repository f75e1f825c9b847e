"""The filters of templates: what each makes of values, for kinds with marks and for kinds without."""

from datetime import UTC, datetime
from typing import Any

import pytest

from relay.domain.event import Event, encode
from relay.domain.money import money
from relay.domain.style import PLAIN, Style
from relay.domain.target import style_of
from relay.domain.templates import Template, TemplateFailed
from relay.plugins import discover

CAME = datetime(2026, 3, 1, 12, tzinfo=UTC)
CHANGE = {
    "before": {"status": "n", "total": 3, "same": 1},
    "after": {"status": "p", "total": 4, "same": 1},
    "changed": ["status", "total"],
    "meta": {"columns": {"status": {"label": "State", "names": {"n": "New", "p": "Paid"}}, "total": {"unit": "kg"}}},
}


def event(data: Any) -> Event:
    """An event with this data."""
    return Event("e1", "shop", "orders.updated", CAME, CAME, encode(data))


def filled(template: str, data: Any = None, style: Style = PLAIN) -> str:
    """The template filled in, its values between brackets."""
    return Template(template).render(event(data), lambda value: f"[{value}]", style)


def told(kind: str, template: str, data: Any = None) -> str:
    """The template filled in as a kind of target has it."""
    target = discover().targets[kind]
    return Template(template).render(event(data), target.escape, style_of(target))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("template", "data", "text"),
    [
        ("{{ data | money('EUR') }}", 1234.5, "[1,234.50 EUR]"),
        ("{{ data | money('jpy') }}", "5000", "[5,000 JPY]"),
        ("{{ data | money('EUR', minor=2) }}", 990, "[9.90 EUR]"),
        ("{{ data | money }}", "0.125", "[0.125]"),
        ("{{ data | money('EUR') }}", "much", "[much]"),
        ("{{ data.nope | money('EUR') }}", {}, "[]"),
        ("{{ 5 | money(data) }}", "Points", "[5.00 POINTS]"),
        ("{{ 5 | money('') }} points", {}, "[5.00] points"),
        ("{{ data | ago }}", "2026-03-01T11:55:00Z", "[5 min ago]"),
        ("{{ data | ago }}", "2026-02-27T12:00:00Z", "[2 days ago]"),
        ("{{ data | ago }}", 1772366395, "[5 s ago]"),
        ("{{ data | ago }}", 1772370000000, "[in 1 h]"),
        ("{{ data | ago }}", "yesterday", "[yesterday]"),
        ("{{ data | datetime }}", "2026-03-01T12:00:00Z", "[2026-03-01 12:00]"),
        ("{{ data | datetime('Asia/Kolkata', '%d.%m.%Y %H:%M') }}", "2026-03-01T12:00:00Z", "[01.03.2026 17:30]"),
        ("{{ data | datetime(tz='Europe/Berlin') }}", 1772366400, "[2026-03-01 13:00]"),
        ("{{ data | datetime }}", None, "[]"),
        ("{{ data | diff }}", CHANGE, "[State: New → Paid\ntotal: 3 kg → 4 kg]"),
        ("{{ data | diff }}", {"a": 1, "b": None}, "[a: 1\nb: —]"),
        ("{{ data | diff }}", "text", "[]"),
        ("{{ data | truncate(5) }}", "abcdefgh", "[abcd…]"),
        ("{{ data | truncate(5, end='') }}", "ab👍🏽cd", "[ab👍🏽c]"),
        ("{{ data | truncate(4, end='') }}", "abc👍🏽d", "[abc]"),
        ("{{ data | truncate(8, false) }}", "one two three", "[one two…]"),
        ("{{ data | truncate }}", 42, "[42]"),
        ("{{ data | link('https://x.example/1') }}", "Order\n42", "[Order 42] (https://x.example/1)"),
        ("{{ 'Open' | link('https://x.example/' ~ data) }}", 42, "[Open] (https://x.example/42)"),
        ("{{ 'Open' | link(data) }}", "javascript:alert(1)", "[Open]"),
        ("{{ data | code }}{{ data | bold }}", "a b", "[a b][a b]"),
        ("{{ 'ana' | mention }}", None, "@ana"),
        ("{{ ('ana' if data else 'bo') | mention }} {{ {'x': 'cy'}[data] | mention }}", "x", "@ana @cy"),
        ("{{ data | join(', ') }} {{ data | join('-', attribute='a') }}", [{"a": 1}], "[{'a': 1}] [1]"),
        ("{{ [3, 4] | sum }} {{ 2.345 | round(1) }} {{ 'aba' | replace('a', 'c') }}", None, "[7] [2.3] [cbc]"),
        (
            "{{ [1, 2, 3] | batch(2) | list }} {{ [1, 2, 3] | slice(2) | list }}",
            None,
            "[[[1, 2], [3]]] [[[1, 2], [3]]]",
        ),
    ],
)
def test_filters_make_words(template: str, data: Any, text: str) -> None:
    """Each filter says what its name promises; what it cannot read comes as it is."""
    assert filled(template, data) == text


@pytest.mark.parametrize(
    ("kind", "template", "text"),
    [
        ("google_chat", "{{ 'a*b' | link('https://x.example/1') }}", "<https://x.example/1|a∗b>"),
        ("google_chat", "{{ 'users/all' | mention }} {{ 'all' | mention }}", "<users/all> <users/all>"),
        ("google_chat", "{{ 'a_b`' | code }} {{ 'x*' | bold }}", "`a_bˋ` *x∗*"),
        ("google_chat", "{{ 'a\nb' | code }}", "```\na\nb\n```"),
        ("slack", "{{ 'a<b' | link('https://x.example/?a=1&b=2') }}", "<https://x.example/?a=1&amp;b=2|a&lt;b>"),
        ("slack", "{{ 'here' | mention }} {{ 'U1' | mention }} {{ 'S1' | mention }}", "<!here> <@U1> <!subteam^S1>"),
        ("slack", "{{ '<x>' | code }}", "`&lt;x&gt;`"),
    ],
)
def test_marks_are_those_of_the_kind(kind: str, template: str, text: str) -> None:
    """A link, code or a mention is written as the target reads it."""
    assert told(kind, template) == text


@pytest.mark.parametrize(
    "template",
    [
        "{{ data | mention }}",
        "{{ ('a' ~ data) | mention }}",
        "{{ ['a'] | map('mention') | first }}",
        "{% filter mention %}{{ data }}{% endfilter %}",
        "{{ ('a' if data else data) | mention }}",
        "{{ 'a b> <users/all' | mention }}",
    ],
)
def test_nobody_is_mentioned_by_the_data(template: str) -> None:
    """Who is mentioned stands in the template; a name from an event is refused."""
    with pytest.raises(ValueError, match="mention"):
        filled(template, "users/all")


@pytest.mark.parametrize(
    "template",
    [
        "{{ (data | code) ~ data }}",
        "{{ (data | code) + data }}",
        "{{ [data | code, data] | join(' ') }}",
        "{{ (data | code) | replace('x', data) }}",
        "{{ (data | code).replace('x', data) }}",
        "{{ (data | code).split('`')[1] }}",
        "{{ ' '.join([data | code, data]) }}",
        "{{ (data | code) | upper }}",
        "{% set x %}{{ data | code }}{% endset %}{{ x ~ data }}",
        "{% set x %}{{ data | code }}{% endset %}{{ x.replace('x', data) }}",
        "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(data) + data }}",
        "{{ '%s' | format(data | code) }}{{ '%s' % (data | code) }}",
    ],
)
def test_a_value_does_not_travel_in_marks(template: str) -> None:
    """Marks joined with a value are plain text again: nothing in the value counts."""
    text = told("google_chat", template, "<users/all> *x*")
    assert "<" not in text
    assert "*" not in text


def test_a_zone_that_is_none_fails() -> None:
    """A timezone nobody knows, or a format that is none, fails and says so."""
    for template in (
        "{{ 0 | datetime('Mars/City') }}",
        "{{ 0 | datetime('../etc') }}",
        "{{ 0 | datetime('UTC', '%999999d') }}",
    ):
        with pytest.raises(TemplateFailed, match="datetime"):
            filled(template)


@pytest.mark.parametrize(
    "template",
    [
        "{% for a in range(1000) %}" * 3 + "{% endfor %}" * 3,
        "{% for a in data %}{% for b in data %}{% for c in data %}{% endfor %}{% endfor %}{% endfor %}",
        "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}",
        "{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}",
        "{% for a in data recursive %}{{ loop(data) }}{% endfor %}",
        "{% set n = namespace(x='a') %}{% for i in range(1000) %}{% set n.x = n.x + n.x %}{% endfor %}",
        "{% set n = namespace(x='a') %}{% for i in range(1000) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
        "{% set n = namespace(x=[1]) %}{% for i in range(1000) %}{% set n.x = n.x + n.x %}{% endfor %}",
        "{% set n = namespace(x=9) %}{% for i in range(1000) %}{% set n.x = n.x * n.x %}{% endfor %}",
        "{% set x %}{% for a in range(1000) %}{% for b in range(1000) %}0123456789{% endfor %}{% endfor %}{% endset %}",
        "{{ ((2 ** 64) ** 64) ** 64 }}",
        "{{ (['x' * 10000] * 10000) | join }}",
        "{{ ''.join(['x' * 10000] * 10000) }}",
        "{{ ('x' * 10000) | replace('x', 'x' * 10000) }}",
        "{{ ('x' * 10000).replace('', 'x' * 10000) }}",
        "{{ [1] | batch(10 ** 9, 'x') | list }}",
        "{{ [1] | slice(10 ** 9) | list }}",
        "{{ ([[1] * 10000] * 10000) | sum(start=[]) }}",
        "{{ 1.5 | round(10 ** 9, 'ceil') }}",
        "{{ 1 | money('EUR', minor=10 ** 9) }}",
        "{{ 'x'.translate({120: 'y' * 10000}) }}",
    ],
)
def test_no_template_goes_on_for_ever(template: str) -> None:
    """Loops, recursion and results that grow beyond bounds are refused or end, and say so in one line."""
    with pytest.raises(ValueError, match=r"\w") as failed:
        filled(template, list(range(300)))
    assert "\n" not in str(failed.value)


def test_sums_of_money() -> None:
    """Sums have the digits of their currency, and never lose one that is there."""
    assert money(12345, "KWD", minor=3) == "12.345 KWD"
    assert money(500, "ISK", minor=2) == "5 ISK"
    assert money("1e400", "EUR") == "1e400"
    assert money(True, "EUR") == "true"
    assert money(-3, "EUR") == "-3.00 EUR"
