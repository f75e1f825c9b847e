"""The trace that a commit belongs to, where the application uses OpenTelemetry."""

import sys


def traceparent() -> str | None:
    """Return the current span as W3C's `traceparent`; `None` without one, or without OpenTelemetry.

    It is found, not imported: an application that has no span has no need of it.
    """
    trace = sys.modules.get("opentelemetry.trace")
    current = getattr(trace, "get_current_span", None)
    if current is None:
        return None
    span = current().get_span_context()
    if not span.is_valid:
        return None
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}"
