"""CloudEvents that are none: each is refused in words that name the attribute."""

from typing import Any

import pytest

from relay.domain.envelope import envelopes, reading_of
from relay.domain.event import BATCH, CLOUDEVENT
from relay.domain.inbound import Inbound
from relay.errors import Unreadable
from relay.plugins import discover

WHOLE = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "orders.paid"}
BINARY = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/shop", "ce-type": "orders.paid"}


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"data": 1, "data_base64": "AQ=="}, "data, data_base64: a CloudEvent has one of them"),
        ({"data_base64": "A"}, "data_base64: it is not base64"),
        ({"data_base64": "AQ ==\n"}, "data_base64: it is not base64"),
        ({"data_base64": "é"}, "data_base64: it is not base64"),
        ({"data_base64": 7}, "data_base64: it is not base64"),
        ({"traceParent": "x"}, "traceParent: the name of an attribute is lower-case letters and digits"),
        ({"trace_parent": "x"}, "trace_parent: the name of an attribute is lower-case letters and digits"),
        ({"é": "x"}, "é: the name of an attribute is lower-case letters and digits"),
        ({"": "x"}, ": the name of an attribute is lower-case letters and digits"),
        ({"x" * 99 + "-": "x"}, "an attribute: the name of an attribute is lower-case letters and digits"),
        ({"tags": ["x"]}, "tags: an attribute is text, a whole number, true or false"),
        ({"weight": 1.5}, "weight: an attribute is text, a whole number, true or false"),
        ({"datacontenttype": 1}, "datacontenttype: it is text"),
        ({"subject": 1}, "subject: it is text"),
        ({"time": "yesterday"}, "time: it is an RFC 3339 time"),
        ({"specversion": "0.3"}, "specversion: this relay reads CloudEvents 1.0"),
    ],
)
def test_what_is_wrong_is_named(more: dict[str, Any], told: str) -> None:
    """A CloudEvent that breaks the specification is refused, and its sender hears where."""
    with pytest.raises(Unreadable) as refused:
        reading_of(WHOLE | more)
    assert refused.value.message == told


@pytest.mark.parametrize(
    "more",
    [
        {"data": None, "data_base64": "AQ=="},
        {"data_base64": ""},
        {"traceparent": "00-0-0-01", "sequence": 7, "sampled": True, "gone": None, "x" * 99: "long"},
    ],
)
def test_what_is_odd_and_allowed(more: dict[str, Any]) -> None:
    """Null is what is not set, and extensions may be text, whole numbers and truths."""
    assert reading_of(WHOLE | more).type == "orders.paid"


def test_headers_carry_no_data() -> None:
    """In binary mode the data is the body: a header that claims to be it is refused, and so is a name that is none."""
    for name in ("ce-data", "ce-data_base64"):
        with pytest.raises(Unreadable, match="the data of a CloudEvent in binary mode is the body"):
            envelopes("application/json", BINARY | {name: "AQ=="}, b"")
    found = envelopes("application/json", BINARY | {"ce-trace-parent": "x"}, b"{}")
    assert found is not None
    with pytest.raises(Unreadable, match="trace-parent: the name of an attribute"):
        reading_of(found[0])


def test_an_empty_batch_is_one() -> None:
    """A batch may be empty: nothing is stored, and nothing is wrong."""
    kind = discover().providers["cloudevents"]
    provider = kind(kind.Options.model_validate({"name": "events", "verify": "cloudevents"}))
    assert list(provider.readings(Inbound("POST", "", {"content-type": BATCH}, b"[]"), [])) == []
    with pytest.raises(Unreadable, match="no CloudEvent"):
        provider.readings(Inbound("POST", "", {"content-type": "text/plain"}, b"[]"), None)
    assert envelopes(CLOUDEVENT, {}, b"{}") == [{}]
