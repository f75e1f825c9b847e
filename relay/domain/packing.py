"""Compressed bodies: unpacked within a bound, so that no small body becomes a large one."""

import gzip
import zlib
from io import BytesIO

from relay.errors import TooLarge, Unreadable, Unsupported

PACKED = frozenset({"gzip", "x-gzip"})
PLAIN = frozenset({"", "identity"})


def unpack(encoding: str, body: bytes, limit: int) -> bytes:
    """Return what a body of this `Content-Encoding` holds.

    Raises `TooLarge` over `limit` bytes, having unpacked no more; `Unreadable` for what is not gzip; `Unsupported`.
    """
    encoding = encoding.strip().lower()
    if encoding in PLAIN:
        return body
    if encoding not in PACKED:
        raise Unsupported("the body is packed in a way that is not read here: send it as gzip, or as it is")
    try:
        with gzip.GzipFile(fileobj=BytesIO(body)) as file:
            unpacked = file.read(limit + 1)
    except (OSError, EOFError, zlib.error):
        raise Unreadable("the body is said to be gzip and is not") from None
    if len(unpacked) > limit:
        raise TooLarge(f"the body unpacks to more than {limit} bytes")
    return unpacked
