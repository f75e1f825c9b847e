"""The spaces of the sandbox: messages in memory, threads, and the quota that all webhooks of a space share."""

import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zlib import crc32

from relay.web.sandbox.status import Refusal

KEEP = 500
"""Messages that a space remembers; older ones are forgotten."""

MAX_SPACES = 100
"""Spaces that the sandbox remembers; the one that was quiet for longest is forgotten."""

INTERVAL = 1.0
"""Seconds a message costs of a space's quota."""

SLACK = 0.1
"""Seconds by which the network may bring paced messages too close together; it adds nothing to the quota."""

FALLBACK = "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"
OR_FAIL = "REPLY_MESSAGE_OR_FAIL"
REPLY_OPTIONS = ("MESSAGE_REPLY_OPTION_UNSPECIFIED", FALLBACK, OR_FAIL)


@dataclass(frozen=True, slots=True)
class Entry:
    """One message as the space keeps it. `seq` counts all messages of the sandbox, from 1."""

    seq: int
    message: dict[str, Any]
    thread_key: str | None
    request_id: str | None

    @property
    def thread(self) -> str:
        """The resource name of its thread."""
        name: str = self.message["thread"]["name"]
        return name


@dataclass(slots=True)
class Space:
    """One space: what it remembers, and when (on the monotonic clock) its quota allows the next message."""

    name: str
    entries: deque[Entry] = field(default_factory=lambda: deque(maxlen=KEEP))
    due: float = float("-inf")

    def repeated(self, request_id: str | None) -> Entry | None:
        """Return the message that a request of this id made before."""
        return next((each for each in self.entries if request_id and each.request_id == request_id), None)

    def draw(self, now: float) -> None:
        """Take one message from the quota. Raises `Refusal` (429) when there is none."""
        if now < self.due - SLACK:
            raise Refusal(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota).")
        self.due = max(now, self.due) + INTERVAL

    def thread(self, asked: dict[str, Any], option: str) -> str:
        """Return the name of the thread a message belongs to; a new one unless `option` says to reply.

        Raises `Refusal` (404) when the reply must not start a thread and the one it names does not exist.
        """
        if option in {FALLBACK, OR_FAIL}:
            for entry in self.entries:
                if asked.get("threadKey") == entry.thread_key is not None or asked.get("name") == entry.thread:
                    return entry.thread
            if option == OR_FAIL and "name" in asked:
                raise Refusal(404, "NOT_FOUND", f"Thread {asked['name']} was not found.")
        return f"spaces/{self.name}/threads/{secrets.token_urlsafe(8)}"


class Sandbox:
    """All spaces. `hint` is a command that makes a message arrive: the page shows it while a space is empty.

    `clock` (monotonic seconds) and `now` (an aware time) come in, so that tests can hold them.
    """

    def __init__(
        self,
        *,
        hint: str = "",
        sender: str = "Relay",
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.hint = hint
        self.epoch = secrets.token_hex(8)
        self.last = 0
        self._sender = sender
        self._clock = clock
        self._now = now
        self._spaces: dict[str, Space] = {}

    @property
    def spaces(self) -> list[Space]:
        """The spaces that have messages, in the order of their names."""
        return sorted((space for space in self._spaces.values() if space.entries), key=lambda space: space.name)

    def entries(self, space: str, after: int = 0) -> list[Entry]:
        """Return what arrived in `space` since the message numbered `after`, oldest first."""
        known = self._spaces.get(space)
        return [entry for entry in known.entries if entry.seq > after] if known else []

    def post(
        self, space: str, message: dict[str, Any], *, webhook: str, option: str, request_id: str | None
    ) -> dict[str, Any]:
        """Put an admitted message into `space` and return it as a resource; a repeated request makes nothing new.

        `webhook` tells the senders of a space apart. Raises `Refusal` over the quota, or for an unknown thread.
        """
        here = self._space(space)
        if (earlier := here.repeated(request_id)) is not None:
            return earlier.message
        asked = message.get("thread", {})
        thread = here.thread(asked, option)
        here.draw(self._clock())
        key = asked.get("threadKey") if option in {FALLBACK, OR_FAIL} else None
        resource = self._resource(space, message, thread, key, webhook)
        self.last += 1
        here.entries.append(Entry(self.last, resource, key, request_id))
        return resource

    def _resource(
        self, space: str, message: dict[str, Any], thread: str, key: str | None, webhook: str
    ) -> dict[str, Any]:
        own = secrets.token_urlsafe(8)
        return {
            "name": f"spaces/{space}/messages/{thread.rpartition('/')[2]}.{own}",
            "sender": {"name": f"users/{crc32(webhook.encode())}", "displayName": self._sender, "type": "BOT"},
            "createTime": self._now().isoformat().replace("+00:00", "Z"),
            **message,
            "thread": {"name": thread} | ({"threadKey": key} if key else {}),
            "space": {"name": f"spaces/{space}"},
        }

    def _space(self, name: str) -> Space:
        # Taken out and put back: the dict's order is that of use.
        space = self._spaces.pop(name, None) or Space(name)
        self._spaces[name] = space
        if len(self._spaces) > MAX_SPACES:
            del self._spaces[next(iter(self._spaces))]
        return space
