"""Events know the trace of the commit that told them."""

import subprocess
import sys

import pytest
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from relay import capture
from tests.unit.capture.conftest import Shop
from tests.unit.capture.models import Order

TRACE, SPAN = 0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331
WRITTEN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize("application_url", ["sqlite"], indirect=True)
def test_the_span_of_the_commit(shop: Shop):
    """The current span is in the meta of each event as W3C writes it; without one there is nothing."""
    context = SpanContext(TRACE, SPAN, is_remote=False, trace_flags=TraceFlags(1))
    with shop.session() as session:
        session.add(Order(id=1, state="new"))
        with trace.use_span(NonRecordingSpan(context)):
            session.commit()
        session.get_one(Order, 1).state = "paid"
        session.commit()
        with trace.use_span(NonRecordingSpan(context)), capture.annotate(session, traceparent="own", actor="ana"):
            session.get_one(Order, 1).state = "sent"
            session.commit()
    metas = [told.data["meta"] for told in shop.told()]
    assert metas == [{"traceparent": WRITTEN}, {}, {"traceparent": "own", "actor": "ana"}]


def test_opentelemetry_is_not_imported():
    """An application without OpenTelemetry commits as ever, though it is installed: capture does not import it."""
    script = (
        "import sys; from relay import capture; from relay.capture.tracing import traceparent;"
        "assert traceparent() is None; assert not [m for m in sys.modules if m.startswith('opentelemetry')]"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
