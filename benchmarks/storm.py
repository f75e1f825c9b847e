"""How soon a burst of changes is told in one space that takes a message a second: folded, and each by itself."""

import time
from collections import Counter
from datetime import UTC, datetime

from sqlalchemy import func, select

from benchmarks.report import Row
from benchmarks.stage import Stage, data, environment, stage
from relay.domain.event import Event, encode, new_id
from relay.store.tables import attempts, deliveries
from relay.web.sandbox import Sandbox, app
from relay.wiring import Relay
from tests.browser.support import serving

BURST = 3_000
ALONE = 20
WITHIN = 60.0
"""Seconds after which all of a burst is told, in at most `MESSAGES`."""
MESSAGES = 40
GIVE_UP = 300.0
LOOK_EVERY = 0.05

TOML = """
[[targets]]
name = "room"
kind = "google_chat"
url = "{base}/sandbox/v1/spaces/{space}/messages?key=any&token=any"
fold = {fold}

[[routes]]
name = "changes"
to = ["room"]
"""


def told(play: Stage, base: str, count: int, *, fold: bool) -> tuple[float, int]:
    """Return in how many seconds so many changes were told, and in how many messages.

    Raises `RuntimeError` when one was lost, or the space refused one for haste.
    """
    space = f"fold-{fold}-{count}".lower()
    with play.relay(TOML.format(base=base, space=space, fold=str(fold).lower())) as relay:
        with play.worker("celery_app", environment(relay)):
            _tell(relay, 1)
            _await(relay, 1)
            # Until the space's quota is whole again.
            time.sleep(2.0)
            before = time.monotonic()
            for start in range(0, count, 1000):
                _tell(relay, min(1000, count - start))
            _await(relay, count + 1)
            seconds = time.monotonic() - before
        outcomes = _outcomes(relay)
    if outcomes.keys() != {"delivered"}:
        raise RuntimeError(f"attempts came to {dict(outcomes)}")
    return seconds, outcomes["delivered"] - 1


def _tell(relay: Relay, count: int) -> None:
    now = datetime.now(UTC)
    relay.events.add(
        [
            Event(new_id(), "shop", "orders.updated", now, now, encode(data(number)), subject=f"orders/{number}")
            for number in range(count)
        ]
    )
    relay.nudges.fan_out()


def _await(relay: Relay, count: int) -> None:
    """Wait until so many deliveries were told: delivered, or folded into one that was."""
    finished = select(func.count()).select_from(deliveries).where(deliveries.c.finished_at.is_not(None))
    deadline = time.monotonic() + GIVE_UP
    while time.monotonic() < deadline:
        with relay.database.reading() as connection:
            if connection.scalar(finished) == count:
                return
        time.sleep(LOOK_EVERY)
    raise RuntimeError(f"not all of {count} changes were told")


def _outcomes(relay: Relay) -> Counter[str]:
    counted = select(attempts.c.outcome, func.count()).group_by(attempts.c.outcome)
    with relay.database.reading() as connection:
        return Counter({row[0]: row[1] for row in connection.execute(counted)})


def run(scale: float = 1.0) -> list[Row]:
    """Measure both; a burst that takes too long, or too many messages, fails."""
    count = max(100, int(BURST * scale))
    with stage() as play, serving(app(Sandbox())) as base:
        seconds, messages = told(play, base, count, fold=True)
        alone, _ = told(play, base, ALONE, fold=False)
    if seconds > WITHIN or messages > MESSAGES:
        raise RuntimeError(f"{count} changes were told in {seconds:.1f} s and {messages} messages")
    question = f"{count:,} changes to one space at 1 message/s"
    return [
        Row(f"changes told a second, of {question}", "changes/s", count / seconds, ALONE / alone),
        Row(f"changes in a message, of {question}", "changes", count / messages, 1.0),
    ]


if __name__ == "__main__":
    for row in run():
        print(row)
