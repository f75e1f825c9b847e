"""The documents that signatures are checked against, handed to providers without a wait on the event loop."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol, TypeVar

from anyio import CapacityLimiter, to_thread

from relay.domain.inbound import Inbound, Need
from relay.errors import Unfetched

WAIT = 12.0
"""Seconds that a sender waits for a document, those included in which others' are fetched."""

T = TypeVar("T")


class Documents(Protocol):
    """Where documents are fetched."""

    def known(self, url: str, holds: str) -> bytes | None:
        """Return a copy that is good enough; never waits."""

    def fetch(self, url: str, holds: str) -> bytes:
        """Return a document; waits."""

    def visit(self, url: str) -> None:
        """Fetch an address for its effect; waits."""


class Library:
    """Documents for one web process: those that are at hand at once, others by a thread that does nothing else."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        # Not the threads that store events: whoever makes the relay wait for a document must not keep those.
        self._limiter = CapacityLimiter(1)

    async def supply(self, need: Need, request: Inbound) -> Inbound:
        """Return the request with the document that its provider needs. Raises `BadSignature`, `Unfetched`."""
        content = self._documents.known(need.url, need.holds)
        if content is None:
            content = await self._apart(lambda: self._documents.fetch(need.url, need.holds))
        return replace(request, documents={need.url: content})

    async def visit(self, url: str) -> None:
        """Fetch an address for the effect that it has. Raises `Unfetched`."""
        await self._apart(lambda: self._documents.visit(url))

    async def _apart(self, work: Callable[[], T]) -> T:
        try:
            async with asyncio.timeout(WAIT):
                return await to_thread.run_sync(work, limiter=self._limiter, abandon_on_cancel=True)
        except TimeoutError:
            raise Unfetched from None
