"""Links of routes: what can never become an address is told before anybody waits for the button."""

import pytest

from relay.pipeline.configure.links import never_an_address


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("orders", '"orders" is no http or https address'),
        ("https://", '"https://" is no http or https address'),
        ("https://shop.example.com/a b", '"https://shop.example.com/a b" is no http or https address'),
        ("/orders/{{ data.id }}", 'it begins with "/orders/": an address begins with https:// or http://'),
        (" shop.example.com/{{ data.id }}", 'it begins with "shop.example.com/"'),
        ("javascript:alert({{ data.id }})", 'it begins with "javascript:alert("'),
        ("httpx://{{ data.host }}", 'it begins with "httpx://"'),
        ("{% set id = data.id %}/orders/{{ id }}", 'it begins with "/orders/"'),
        ("{# the order #}/orders/{{ data.id }}", 'it begins with "/orders/"'),
        ("https://shop.example.com/{{ data.id }}/the order/{{ data.id }}", 'no address holds "/the order/"'),
        ("{{ data.url }}?q=<b>", 'no address holds "?q=<b>"'),
        ("x" * 60 + "{{ data.id }}", f'it begins with "{"x" * 40}…"'),
    ],
)
def test_what_can_never_be_an_address_is_told(template: str, told: str) -> None:
    """What is written in the template says so itself: its beginning, or characters that no address holds."""
    assert (never_an_address(template) or "").startswith(told)


@pytest.mark.parametrize(
    "template",
    [
        "https://shop.example.com/orders/{{ data.id }}",
        "HTTP://shop.example.com",
        "http{{ 's' if data.safe }}://shop.example.com/",
        "https://{{ data.host }}/orders/{{ data.id }}\n",
        "{{ data.url }}",
        "{{ data.base }}/orders/{{ data.id }}",
        "{% if data.id %}https://shop.example.com/{{ data.id }}{% endif %}",
        "{% set id = data.id %}\nhttps://shop.example.com/{{ id }}",
        "{% if data.a %}https://a.example{% endif %}\n{% if data.b %}https://b.example{% endif %}",
        "",
        " ",
    ],
)
def test_what_may_be_an_address_is_left_alone(template: str) -> None:
    """What an event gives is not known yet; a link that is empty is none, which costs nothing."""
    assert never_an_address(template) is None


@pytest.mark.parametrize("template", ["{{ data.id", "{{ " + "(" * 1_000])
def test_no_template_is_no_answer(template: str) -> None:
    """What does not compile is told as that, and not as a wrong address."""
    with pytest.raises(ValueError, match=r"unexpected|nested"):
        never_an_address(template)
