"""W3C Trace Context: the `traceparent` by which a request knows the trace it belongs to."""

import re
from typing import Any

HEADER = "traceparent"
LENGTH = 55

# https://www.w3.org/TR/trace-context/#traceparent-header-field-values: ff is no version, and zeros are no ids.
_SHAPE = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?=-|\Z)")


def traceparent(value: Any) -> str | None:
    """Return a `traceparent` as it may be passed on, `None` for what is none.

    Of a version that came later, what this one knows is kept: 55 characters that say they are version 00.
    """
    if not isinstance(value, str):
        return None
    found = _SHAPE.match(value)
    if found is None or (value.startswith("00") and len(value) != LENGTH):
        return None
    return f"00{found[0][2:]}"
