"""A crowd of senders that do what senders do: they try again until they are told that it was taken."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import requests

from tests.support.relay import RunningRelay

SENDERS = 6
BATCH = 100
SUBJECTS = 200
PATIENCE = 90

ALONE = {"content-type": "application/cloudevents+json"}
TOGETHER = {"content-type": "application/cloudevents-batch+json"}


def envelope(number: int, type_: str = "crowd.spoke") -> dict[str, Any]:
    """Return the CloudEvent of a number: every `SUBJECTS`th is about the same."""
    subject = f"line/{number % SUBJECTS}"
    return {"specversion": "1.0", "id": str(number), "source": "crowd", "type": type_, "subject": subject, "data": {}}


@dataclass
class Crowd:
    """What the senders were told: the id of every event that was acknowledged, by its number, and every status."""

    relay: RunningRelay
    ids: dict[int, str] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)
    refusals: list[requests.Response] = field(default_factory=list)
    broken: int = 0
    sent: int = 0
    _of_thread: threading.local = field(default_factory=threading.local)

    def send(self, numbers: Sequence[int]) -> None:
        """Send these events as webhooks, each alone, all senders at once."""
        self.sent += len(numbers)
        with ThreadPoolExecutor(SENDERS) as pool:
            list(pool.map(self._send, numbers))

    def publish(self, numbers: Sequence[int], pause: float = 0) -> None:
        """Publish these events in batches, in their order; with a `pause` in seconds after each batch."""
        self.sent += len(numbers)
        for some in (numbers[start : start + BATCH] for start in range(0, len(numbers), BATCH)):
            answer = self._until_taken("/api/v1/events", [envelope(number) for number in some], TOGETHER)
            self.ids.update(zip(some, answer.json()["ids"], strict=True))
            time.sleep(pause)

    @contextmanager
    def meanwhile(self, act: Callable[..., None], *arguments: Any, **options: Any) -> Iterator[None]:
        """Let the crowd act while the block runs, and wait for its end."""
        acting = threading.Thread(target=act, args=arguments, kwargs=options)
        acting.start()
        try:
            yield
        finally:
            acting.join()

    def _send(self, number: int) -> None:
        self.ids[number] = self._until_taken("/in/crowd", envelope(number), ALONE).json()["id"]

    def _until_taken(self, path: str, body: Any, headers: dict[str, str]) -> requests.Response:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if (answer := self._try(path, body, headers)) is None:
                self.broken += 1
            else:
                self.statuses[answer.status_code] += 1
                if answer.status_code in (200, 202):
                    return answer
                self.refusals.append(answer)
            time.sleep(0.05)
        raise AssertionError(f"{path} never took it")

    def _try(self, path: str, body: Any, headers: dict[str, str]) -> requests.Response | None:
        session = getattr(self._of_thread, "session", None)
        if session is None:
            session = self._of_thread.session = requests.Session()
            session.headers["authorization"] = self.relay.http.headers["authorization"]
        try:
            answer: requests.Response = session.post(f"{self.relay.base}{path}", json=body, headers=headers, timeout=20)
        except requests.RequestException:
            return None
        return answer
